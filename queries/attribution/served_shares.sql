-- One row is about a model's share of what a pod held of a machine in an hour (or day).
--
-- A machine billed by the hour follows the hour's counters. One billed by the day takes each hour of
-- the pod by the seconds it held, and then that hour's counters.
--   an hour without counters, in a pod that has some that day: without a model of its own (the pod's
--     label names one, or nobody does);
--   a pod without any counters on the day: no row.
--
-- Shares of a pod and machine hour run from 0 to 1.
--
-- grain: one row per machine, hour (or day), pod and model served
-- key:   machine_hour_no, pod_no, served_no
-- step:  charge_date
-- owner: ml-platform

with

counted_pods as (
    select distinct pod_no
    from attribution.served_hours
),

-- pods that telemetry knows, and those that only the bill knows
told_pods as (
    select
        charge_date,
        charge_hour,
        cluster,
        namespace,
        pod,
        pod_uid,
        held_seconds
    from staging.pod_hours
    union all
    select
        charge_date,
        charge_hour,
        cluster,
        namespace,
        pod,
        pod_uid,
        held_seconds
    from attribution.billed_pod_hours
),

pod_slots as (
    select
        pod_days.pod_no,
        cast(hour(pod_hours.charge_hour) as tinyint) as slot,
        cast(sum(least(pod_hours.held_seconds, 3600)) as bigint) * 1000000 as held_us
    from told_pods as pod_hours
    inner join attribution.pod_days
        on
            pod_hours.charge_date = pod_days.charge_date
            and pod_hours.cluster is not distinct from pod_days.cluster
            and pod_hours.namespace is not distinct from pod_days.namespace
            and pod_hours.pod is not distinct from pod_days.pod
            and pod_hours.pod_uid is not distinct from pod_days.pod_uid
    semi join counted_pods on pod_days.pod_no = counted_pods.pod_no
    where pod_hours.held_seconds > 0
    group by pod_days.pod_no, pod_hours.charge_hour
),

weighed as (
    select
        pod_slots.pod_no,
        pod_slots.slot,
        pod_slots.held_us,
        served_models.served_no,
        coalesce(served_hours.weight, 1) as weight
    from pod_slots
    left join attribution.served_hours using (pod_no, slot)
    left join attribution.served_models
        on
            served_hours.charge_date = served_models.charge_date
            and served_hours.model = served_models.model
            and served_hours.model_version is not distinct from served_models.model_version
            and served_hours.is_idle = served_models.is_idle
),

running as (
    select
        *,
        sum(weight) over up_to as upto_weight,
        sum(weight) over (partition by pod_no, slot) as total_weight
    from weighed
    window up_to as (
        partition by pod_no, slot order by served_no rows between unbounded preceding and current row
    )
),

pieces as (
    select
        pod_no,
        slot,
        served_no,
        whole_upto(held_us, upto_weight, total_weight)
        - whole_upto(held_us, upto_weight - weight, total_weight) as served_us
    from running
),

-- the machines that a pod held something of
places as (
    select distinct
        held_hours.machine_hour_no,
        held_hours.pod_no,
        machine_hours.slot
    from attribution.held_hours
    semi join counted_pods using (pod_no)
    inner join attribution.machine_hours using (machine_hour_no)
),

placed as (
    select
        places.machine_hour_no,
        places.pod_no,
        pieces.served_no,
        sum(pieces.served_us) as served_us
    from places
    inner join pieces
        on
            places.pod_no = pieces.pod_no
            -- 24 is the whole day
            and (places.slot = 24 or places.slot = pieces.slot)
    group by places.machine_hour_no, places.pod_no, pieces.served_no
),

shares as (
    select
        machine_hour_no,
        pod_no,
        served_no,
        served_us,
        sum(served_us) over up_to as upto_us,
        sum(served_us) over (partition by machine_hour_no, pod_no) as total_us
    from placed
    window up_to as (
        partition by machine_hour_no, pod_no order by served_no
        rows between unbounded preceding and current row
    )
)

select
    machine_hour_no,
    pod_no,
    served_no,  -- null: no counters in that hour
    share_of(upto_us - served_us, total_us) as share_from,
    share_of(upto_us, total_us) as share_to
from shares
where served_us > 0
