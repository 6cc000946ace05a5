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
            partition by machine_hour_no
            order by
                effective_cost desc, billed_cost desc, source, billing_period, billing_currency,
                sub_account_id, service_name, region_id, tag_user, tag_team, tag_project, tag_marks
        ) = 1
        and (slot < 24 or min(slot) over (partition by charge_date, instance_id) = 24) as is_dearest
    from attribution.line_methods
    where method = 'machine_share'
),

-- a line group of the day gets a number, so that only numbers travel through the join
line_days as (
    select
        row_number() over () as line_no,
        source,
        billing_period,
        charge_date,
        billing_currency,
        sub_account_id,
        service_name,
        region_id,
        resource_id,
        x_line_class,
        x_from_region,
        x_to_region,
        tag_user,
        tag_team,
        tag_project,
        tag_marks,
        bool_or(is_provisional) as is_provisional,
        list(
            {
                'machine_hour_no': machine_hour_no,
                'is_dearest': is_dearest,
                'effective_cost': effective_cost,
                'billed_cost': billed_cost,
                'list_cost': list_cost
            }
        ) as hours
    from machine_lines
    group by
        source,
        billing_period,
        charge_date,
        billing_currency,
        sub_account_id,
        service_name,
        region_id,
        resource_id,
        x_line_class,
        x_from_region,
        x_to_region,
        tag_user,
        tag_team,
        tag_project,
        tag_marks
),

line_hours as (
    select
        line_no,
        unnest(hours, recursive := true)
    from line_days
),

parts as (
    select
        line_no,
        machine_shares.cost_kind,
        machine_shares.run_no,
        machine_shares.pod_no,
        cast(sum(case when line_hours.is_dearest then machine_shares.gpu_us end) as bigint) as gpu_us,
        sum(cut(line_hours.effective_cost, share_from, share_to)) as effective_cost,
        sum(cut(line_hours.billed_cost, share_from, share_to)) as billed_cost,
        sum(cut(line_hours.list_cost, share_from, share_to)) as list_cost
    from line_hours
    inner join attribution.machine_shares using (machine_hour_no)
    group by line_no, machine_shares.cost_kind, machine_shares.run_no, machine_shares.pod_no
)

select
    line_days.source,
    line_days.billing_period,
    line_days.charge_date,
    line_days.billing_currency,
    line_days.sub_account_id,
    line_days.service_name,
    line_days.region_id,
    line_days.resource_id,
    line_days.x_line_class,
    line_days.x_from_region,
    line_days.x_to_region,
    line_days.tag_user,
    line_days.tag_team,
    line_days.tag_project,
    line_days.tag_marks,
    parts.cost_kind,  -- direct or idle
    parts.run_no,
    parts.pod_no,
    line_days.is_provisional,
    parts.gpu_us,  -- GPUs x microseconds held
    parts.effective_cost,
    parts.billed_cost,
    parts.list_cost
from parts
inner join line_days using (line_no)
