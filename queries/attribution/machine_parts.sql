-- One row is about a holder's part of a machine's bill on a day.
--
-- The bill of each stint (`machine_lines`) is cut by its shares, then the stints are added up. What a pod
-- holds without a run is cut once more, among the models that it served in the hour (`served_shares`).
--
-- grain: one row per line group of the day, kind of cost, holder and model served
-- key:   line_no, cost_kind, run_no, pod_no, served_no
-- step:  charge_date
-- owner: ml-platform

with

served_parts as (
    select
        machine_shares.stint_no,
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
            and machine_shares.stint_no = served_shares.machine_hour_no
            and machine_shares.pod_no = served_shares.pod_no
)

select
    machine_lines.line_no,  -- of one of the day's hours
    served_parts.cost_kind,  -- direct, idle or unattributed
    served_parts.run_no,
    served_parts.pod_no,
    served_parts.served_no,  -- what the pod served; null where no counters tell
    -- GPUs x microseconds held
    cast(sum(case when machine_lines.has_gpu_time then served_parts.gpu_us * hour_count end) as bigint) as gpu_us,
    sum(cut(machine_lines.effective_cost, share_from, share_to)) as effective_cost,
    sum(cut(machine_lines.billed_cost, share_from, share_to)) as billed_cost,
    sum(cut(machine_lines.list_cost, share_from, share_to)) as list_cost
from attribution.machine_lines
inner join served_parts using (stint_no)
group by
    machine_lines.line_no,
    served_parts.cost_kind,
    served_parts.run_no,
    served_parts.pod_no,
    served_parts.served_no
