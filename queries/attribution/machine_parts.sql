-- One row is about a holder's part of a machine's bill on a day.
--
-- The bill of each hour is cut by the hour's shares, then the hours are added up. The GPU time of
-- a machine is counted once, on the dearest of its line groups of the hour, because a bill may
-- show one hour of one machine in several lines.
--
-- grain: one row per line group of the day, kind of cost and holder
-- key:   line_no, cost_kind, run_no, pod_no
-- step:  charge_date
-- owner: ml-platform

with

machine_lines as (
    select
        *,
        row_number() over (
            partition by machine_hour_no
            order by
                effective_cost desc, billed_cost desc, source asc, billing_period asc,
                billing_currency asc, sub_account_id asc, service_name asc, region_id asc,
                tag_user asc, tag_team asc, tag_project asc, tag_marks asc
        ) = 1
        and (slot < 24 or min(slot) over (partition by charge_date, lower(resource_id)) = 24) as is_dearest
    from attribution.line_groups
    inner join attribution.line_methods using (line_no)
    where line_methods.method = 'machine_share'
),

-- the hours of a line group of the day are told by the number of one of them
line_days as (
    select
        min(line_no) as line_no,
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
        unnest(hours) as line_hour
    from line_days
)

select
    line_no,  -- of one of the day's hours
    machine_shares.cost_kind,  -- direct or idle
    machine_shares.run_no,
    machine_shares.pod_no,
    -- GPUs x microseconds held
    cast(sum(case when line_hour['is_dearest'] then machine_shares.gpu_us end) as bigint) as gpu_us,
    sum(cut(line_hour['effective_cost'], share_from, share_to)) as effective_cost,
    sum(cut(line_hour['billed_cost'], share_from, share_to)) as billed_cost,
    sum(cut(line_hour['list_cost'], share_from, share_to)) as list_cost
from line_hours
inner join attribution.machine_shares
    on line_hours.line_hour['machine_hour_no'] = machine_shares.machine_hour_no
group by line_no, machine_shares.cost_kind, machine_shares.run_no, machine_shares.pod_no
