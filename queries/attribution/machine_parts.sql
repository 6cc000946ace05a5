-- One row is about a holder's part of a machine's bill on a day.
--
-- The bill of each hour is cut by the hour's shares, then the hours are added up. The GPU time of
-- a machine is counted once, on the dearest of its line groups of the hour, because a bill may
-- show one hour of one machine in several lines. What a pod holds without a run is cut once more,
-- among the models that it served in the hour (`served_shares`).
--
-- grain: one row per line group of the day, kind of cost, holder and model served
-- key:   line_no, cost_kind, run_no, pod_no, served_no
-- step:  charge_date
-- owner: ml-platform

with

machine_lines as (
    select
        line_groups.line_no,
        line_groups.charge_date,
        line_groups.kind_no,
        line_methods.machine_hour_no,
        line_groups.effective_cost,
        line_groups.billed_cost,
        line_groups.list_cost,
        row_number() over (
            partition by line_methods.machine_hour_no
            order by
                line_groups.effective_cost desc, line_groups.billed_cost desc, line_groups.kind_no asc
        ) = 1 as is_dearest
    from attribution.line_groups
    inner join attribution.line_methods using (line_no)
    where line_methods.method = 'machine_share'
),

-- a day's bill repeats the GPU time of the hours that are billed one by one
repeated_days as (
    select
        max(machine_hour_no) as machine_hour_no,
        true as is_repeated
    from attribution.machine_hours
    semi join attribution.machine_shares using (machine_hour_no)
    group by charge_date, machine_no
    having min(slot) < 24 and max(slot) = 24
),

-- the hours of a line group of the day are told by the number of one of them
line_days as (
    select
        charge_date,
        kind_no,
        min(line_no) as line_no
    from machine_lines
    group by charge_date, kind_no
),

line_hours as (
    select
        line_days.line_no,
        machine_lines.machine_hour_no,
        machine_lines.is_dearest and repeated_days.is_repeated is null as is_dearest,
        machine_lines.effective_cost,
        machine_lines.billed_cost,
        machine_lines.list_cost
    from machine_lines
    inner join line_days using (charge_date, kind_no)
    left join repeated_days using (machine_hour_no)
),

served_parts as (
    select
        machine_shares.machine_hour_no,
        machine_shares.cost_kind,
        machine_shares.run_no,
        machine_shares.pod_no,
        served_shares.served_no,
        case
            when served_shares.pod_no is null then machine_shares.gpu_us
            else
                whole_upto(machine_shares.gpu_us, served_shares.share_to, 1)
                - whole_upto(machine_shares.gpu_us, served_shares.share_from, 1)
        end as gpu_us,
        share_between(
            machine_shares.share_from, machine_shares.share_to, coalesce(served_shares.share_from, 0.0)
        ) as share_from,
        share_between(
            machine_shares.share_from, machine_shares.share_to, coalesce(served_shares.share_to, 1.0)
        ) as share_to
    from attribution.machine_shares
    left join attribution.served_shares
        on
            machine_shares.run_no is null
            and machine_shares.machine_hour_no = served_shares.machine_hour_no
            and machine_shares.pod_no = served_shares.pod_no
)

select
    line_hours.line_no,  -- of one of the day's hours
    served_parts.cost_kind,  -- direct, idle or unattributed
    served_parts.run_no,
    served_parts.pod_no,
    served_parts.served_no,  -- what the pod served; null where no counters tell
    -- GPUs x microseconds held
    cast(sum(case when line_hours.is_dearest then served_parts.gpu_us end) as bigint) as gpu_us,
    sum(cut(line_hours.effective_cost, share_from, share_to)) as effective_cost,
    sum(cut(line_hours.billed_cost, share_from, share_to)) as billed_cost,
    sum(cut(line_hours.list_cost, share_from, share_to)) as list_cost
from line_hours
inner join served_parts using (machine_hour_no)
group by
    line_hours.line_no,
    served_parts.cost_kind,
    served_parts.run_no,
    served_parts.pod_no,
    served_parts.served_no
