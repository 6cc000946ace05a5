-- One row is about a stay of a run at a place, a pod or a machine, on one day.
--
-- A stay without times of its own lasts as long as the run, and none lasts longer. What a run
-- that names several places holds at each is decided by what it held there, not here.
--
-- grain:  one row per run, place, interval and day
-- hashed: charge_date
-- owner:  ml-platform

with

stays as (
    select
        run_dates.run_id,
        run_dates.charge_date,
        runs.source,
        runs.native_id,
        runs.parent_native_id,
        run_places.cluster,
        run_places.namespace,
        run_places.pod,
        run_places.pod_uid,
        run_places.node,
        lower(run_places.instance_id) as instance_id,
        coalesce(run_places.gpu_count, runs.gpu_count) as gpu_count,
        greatest(run_dates.started_at, coalesce(run_places.started_at, run_dates.started_at))
            as started_at,
        least(run_dates.ended_at, coalesce(run_places.ended_at, run_dates.ended_at)) as ended_at
    from attribution.run_dates
    inner join staging.runs using (run_key)
    inner join staging.run_places using (run_key)
)

select
    run_id,
    charge_date,
    source || ' ' || native_id as record_id,  -- what children name as their parent
    source || ' ' || parent_native_id as parent_record_id,
    cluster,
    namespace,
    pod,
    pod_uid,
    node,
    instance_id,  -- in lower case
    gpu_count,  -- held while there; null where the source does not say
    started_at,
    ended_at
from stays
where started_at < ended_at
