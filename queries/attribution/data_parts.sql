-- One row is about a dataset's or its reader's part of a storage or transfer line on a day.
--
-- Lines of a container are cut by `stored_shares`, transfers between regions by `read_shares`;
-- what storage costs is the dataset owner's, what a transfer costs is the reading run's.
--
-- grain: one row per line group, dataset and run
-- step:  charge_date
-- owner: ml-platform

select
    line_methods.source,
    line_methods.billing_period,
    line_methods.charge_date,
    line_methods.billing_currency,
    line_methods.sub_account_id,
    line_methods.service_name,
    line_methods.region_id,
    line_methods.resource_id,
    line_methods.x_line_class,
    line_methods.x_from_region,
    line_methods.x_to_region,
    line_methods.tag_user,
    line_methods.tag_team,
    line_methods.tag_project,
    line_methods.tag_marks,
    line_methods.method,
    null as run_no,
    stored_shares.dataset,
    stored_shares.owner_user,  -- of the registry
    stored_shares.owner_team,
    stored_shares.project as owner_project,
    line_methods.is_provisional,
    cut(line_methods.effective_cost, share_from, share_to) as effective_cost,
    cut(line_methods.billed_cost, share_from, share_to) as billed_cost,
    cut(line_methods.list_cost, share_from, share_to) as list_cost
from attribution.line_methods
inner join attribution.stored_shares using (charge_date, container)
where line_methods.method = 'stored_bytes'
union all
select
    line_methods.source,
    line_methods.billing_period,
    line_methods.charge_date,
    line_methods.billing_currency,
    line_methods.sub_account_id,
    line_methods.service_name,
    line_methods.region_id,
    line_methods.resource_id,
    line_methods.x_line_class,
    line_methods.x_from_region,
    line_methods.x_to_region,
    line_methods.tag_user,
    line_methods.tag_team,
    line_methods.tag_project,
    line_methods.tag_marks,
    line_methods.method,
    day_runs.run_no,
    read_shares.dataset,
    null as owner_user,
    null as owner_team,
    null as owner_project,
    line_methods.is_provisional,
    cut(line_methods.effective_cost, share_from, share_to) as effective_cost,
    cut(line_methods.billed_cost, share_from, share_to) as billed_cost,
    cut(line_methods.list_cost, share_from, share_to) as list_cost
from attribution.line_methods
inner join attribution.read_shares
    on
        line_methods.charge_date = read_shares.charge_date
        and line_methods.x_from_region = read_shares.from_region
        and line_methods.x_to_region = read_shares.to_region
        and line_methods.container = read_shares.scope
inner join attribution.day_runs
    on read_shares.charge_date = day_runs.charge_date and read_shares.run_id = day_runs.run_id
where line_methods.method = 'reads'
