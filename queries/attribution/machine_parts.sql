-- One row is about a holder's part of a machine's bill on a day.
--
-- The bill of each hour is cut by the hour's shares, then the hours are added up. The GPU time of
-- a machine is counted once, on the dearest of its line groups of the hour, because a bill may
-- show one hour of one machine in several lines.
--
-- grain:     one row per line group of the day, kind of cost and holder
-- step:      charge_date
-- owner:     ml-platform

with

machine_lines as (
    select
        *,
        row_number() over (
            partition by charge_date, instance_id, slot
            order by
                effective_cost desc, billed_cost desc, source, billing_period, billing_currency,
                sub_account_id, service_name, region_id, resource_id, tag_user, tag_team, tag_project,
                tag_ranks, x_from_region, x_to_region
        ) = 1
        and (slot < 24 or min(slot) over (partition by charge_date, instance_id) = 24) as is_dearest
    from attribution.line_methods
    where method = 'machine_share'
)

select
    machine_lines.source,
    machine_lines.billing_period,
    machine_lines.charge_date,
    machine_lines.billing_currency,
    machine_lines.sub_account_id,
    machine_lines.service_name,
    machine_lines.region_id,
    machine_lines.resource_id,
    machine_lines.x_line_class,
    machine_lines.x_from_region,
    machine_lines.x_to_region,
    machine_lines.tag_user,
    machine_lines.tag_team,
    machine_lines.tag_project,
    machine_lines.tag_ranks,
    machine_shares.cost_kind,
    machine_shares.run_id,
    machine_shares.pod_id,
    bool_or(machine_lines.is_provisional) as is_provisional,
    cast(sum(case when machine_lines.is_dearest then machine_shares.gpu_us end) as bigint) as gpu_us,
    sum(cut(machine_lines.effective_cost, share_from, share_to)) as effective_cost,
    sum(cut(machine_lines.billed_cost, share_from, share_to)) as billed_cost,
    sum(cut(machine_lines.list_cost, share_from, share_to)) as list_cost
from machine_lines
inner join attribution.machine_shares using (charge_date, instance_id, slot)
group by all
