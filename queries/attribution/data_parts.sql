-- One row is about a dataset's or its reader's part of a storage or transfer line on a day.
--
-- Lines of a container are cut by `stored_shares`: storage by the bytes of its class where the inventory
-- has some, everything else by all bytes. Transfers between regions by `read_shares`;
-- what storage costs is the dataset owner's, or the run's whose files it holds; what a transfer costs is the reading
-- run's, or that of the person whom a log names; what nobody is known to have read goes by the line's tags.
--
-- grain: one row per line group, dataset, version and run
-- step:  charge_date
-- owner: ml-platform

with

classes as (
    select distinct
        charge_date,
        container,
        storage_class
    from attribution.stored_shares
),

data_lines as (
    select
        line_groups.*,
        line_kinds.container,
        coalesce(classes.storage_class, '') as storage_class,
        line_kinds.x_from_region,
        line_kinds.x_to_region,
        line_methods.method
    from attribution.line_groups
    inner join attribution.line_kinds using (kind_no)
    inner join attribution.line_methods using (line_no)
    left join classes
        on
            line_groups.charge_date = classes.charge_date
            and line_kinds.container = classes.container
            and line_kinds.storage_class = classes.storage_class
    where line_methods.method in ('stored_bytes', 'reads')
)

select
    data_lines.line_no,
    case when stored_shares.run_id = '' then data_lines.method else 'run_artefacts' end as method,
    null as run_no,
    nullif(stored_shares.run_id, '') as stored_run_id,  -- which may be over for long
    stored_shares.rule_rank as stored_rule_rank,
    case when stored_shares.run_id = '' then stored_shares.dataset end as dataset,
    nullif(stored_shares.dataset_version, '') as dataset_version,
    stored_shares.owner_user,  -- of the registry, or the run's
    stored_shares.owner_team,
    stored_shares.project as owner_project,
    true as is_logged,  -- who read was logged, or nothing was read
    cut(data_lines.effective_cost, share_from, share_to) as effective_cost,
    cut(data_lines.billed_cost, share_from, share_to) as billed_cost,
    cut(data_lines.list_cost, share_from, share_to) as list_cost
from data_lines
inner join attribution.stored_shares using (charge_date, container, storage_class)
where data_lines.method = 'stored_bytes'
union all
select
    data_lines.line_no,
    data_lines.method,
    day_runs.run_no,
    null as stored_run_id,
    null as stored_rule_rank,
    read_shares.dataset,
    nullif(read_shares.dataset_version, '') as dataset_version,
    nullif(read_shares.reader_user, '') as owner_user,  -- whom the log names
    null as owner_team,
    null as owner_project,
    read_shares.is_logged,
    cut(data_lines.effective_cost, share_from, share_to) as effective_cost,
    cut(data_lines.billed_cost, share_from, share_to) as billed_cost,
    cut(data_lines.list_cost, share_from, share_to) as list_cost
from data_lines
inner join attribution.read_shares
    on
        data_lines.charge_date = read_shares.charge_date
        and data_lines.x_from_region = read_shares.from_region
        and data_lines.x_to_region = read_shares.to_region
        and data_lines.container = read_shares.scope
left join attribution.day_runs
    on read_shares.charge_date = day_runs.charge_date and read_shares.run_id = day_runs.run_id
where data_lines.method = 'reads'
