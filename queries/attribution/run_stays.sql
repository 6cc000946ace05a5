-- One row is about a stay of a run at a place, a pod or a machine, on one day.
--
-- A stay without times of its own lasts as long as the record that knows of it, and none lasts
-- longer. What a run that names several places holds at each is decided by what it held there, not
-- here. Two records of a run that saw it at one place are two rows; it holds the place once.
--   a record names a pod, another of the same run only the machine: the pod is where it was;
--   no record names a place, but what it names as its parent in another system has some: there.
--
-- grain:  one row per run, place, interval and day
-- hashed: charge_date
-- owner:  ml-platform

with

places as (
    select
        run_links.run_id,
        run_links.record_count,
        run_places.*
    from staging.run_places
    inner join attribution.run_links using (run_key)
),

-- machines that a record names beside the pod that another knows
seen_from_outside as (
    select distinct
        outside.run_key,
        outside.node,
        outside.instance_id
    from places as outside
    inner join places as inside
        on
            outside.run_id = inside.run_id
            and outside.run_key <> inside.run_key
            and coalesce(lower(outside.node) = lower(inside.node), true)
            and coalesce(lower(outside.instance_id) = lower(inside.instance_id), true)
    where
        outside.record_count > 1
        and coalesce(outside.pod, outside.pod_uid) is null
        and coalesce(inside.pod, inside.pod_uid) is not null
),

homes as (
    select
        run_ancestors.run_id,
        run_ancestors.ancestor_id
    from attribution.run_ancestors
    where
        run_ancestors.is_named
        and run_ancestors.run_id not in (select places.run_id from places)
        and run_ancestors.ancestor_id in (select places.run_id from places)
),

-- the nearest above; of two that do not know each other, neither
nearest_homes as (
    select
        homes.run_id,
        min(homes.ancestor_id) as ancestor_id
    from homes
    where
        not exists (
            select 1
            from homes as nearer
            inner join attribution.run_ancestors as between_them
                on nearer.ancestor_id = between_them.run_id
            where nearer.run_id = homes.run_id and between_them.ancestor_id = homes.ancestor_id
        )
    group by homes.run_id
    having count(*) = 1
),

known as (
    select
        places.run_key,
        places.cluster,
        places.namespace,
        places.pod,
        places.pod_uid,
        places.node,
        places.instance_id,
        places.gpu_count,
        places.cpu_count,
        places.memory_gib,
        places.started_at,
        places.ended_at
    from places
    left join seen_from_outside
        on
            places.run_key = seen_from_outside.run_key
            and places.node is not distinct from seen_from_outside.node
            and places.instance_id is not distinct from seen_from_outside.instance_id
            and coalesce(places.pod, places.pod_uid) is null
    where seen_from_outside.run_key is null
    union all
    select
        run_links.run_key,
        places.cluster,
        places.namespace,
        places.pod,
        places.pod_uid,
        places.node,
        places.instance_id,
        places.gpu_count,
        places.cpu_count,
        places.memory_gib,
        coalesce(places.started_at, homes_spans.started_at) as started_at,
        coalesce(places.ended_at, homes_spans.ended_at) as ended_at
    from nearest_homes
    inner join attribution.run_links on nearest_homes.run_id = run_links.run_id
    inner join places on nearest_homes.ancestor_id = places.run_id
    inner join attribution.record_spans as homes_spans on places.run_key = homes_spans.run_key
),

stays as (
    select
        run_dates.run_id,
        run_dates.charge_date,
        known.cluster,
        known.namespace,
        known.pod,
        known.pod_uid,
        known.node,
        lower(known.instance_id) as instance_id,
        coalesce(known.gpu_count, run_facts.gpu_count) as gpu_count,
        known.cpu_count,
        known.memory_gib,
        greatest(run_dates.started_at, coalesce(known.started_at, run_dates.started_at)) as started_at,
        least(run_dates.ended_at, coalesce(known.ended_at, run_dates.ended_at)) as ended_at
    from attribution.run_dates
    inner join known using (run_key)
    inner join attribution.run_facts on run_dates.run_id = run_facts.run_id
)

select
    run_id,
    charge_date,
    cluster,
    namespace,
    pod,
    pod_uid,
    node,
    instance_id,  -- in lower case
    gpu_count,  -- held while there, as are the next two; null where no source says
    cpu_count,
    memory_gib,
    started_at,
    ended_at
from stays
where started_at < ended_at
