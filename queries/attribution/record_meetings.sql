-- One row is about two records of different sources that no id links, at one place at one time.
--
-- They are of one piece of work where they last nearly as long, nine tenths of the longer one at
-- least, and are in one pod, or on one host for one user; and where either has no other candidate in
-- the other's source. They are nested where one lies within the other, with a minute's grace for
-- clocks, the longer is of a system that starts such things, and it is the only one of its source.
-- Nothing is guessed between two.
--
-- Hosts are compared as sources write them. Names that many share (`shared_users`) are no evidence,
-- and two pods are two pieces of work, though they be on one host.
--
-- grain: one row per two records
-- key:   run_key, other_key
-- param: shared_users = 'root,ubuntu,ec2-user,jovyan,airflow,nobody'  -- names of no one person, with commas
-- owner: ml-platform

with

names as (
    select
        lower(alias) as alias,
        user_id
    from staging.aliases
    union all
    select
        lower(email) as alias,
        user_id
    from staging.people
),

user_names as (
    select
        alias,
        min(user_id) as user_id
    from names
    group by alias
),

places as (
    select distinct
        run_places.run_key,
        'pod' as place_kind,
        run_places.pod as place,
        run_places.pod,
        run_places.pod_uid,
        run_places.namespace,
        run_places.cluster
    from staging.run_places
    where run_places.pod is not null
    union
    select distinct
        run_key,
        'pod uid' as place_kind,
        pod_uid as place,
        pod,
        pod_uid,
        namespace,
        cluster
    from staging.run_places
    where pod_uid is not null
    union
    select distinct
        run_key,
        'host' as place_kind,
        lower(node) as place,
        coalesce(pod, pod_uid) as pod,
        pod_uid,
        namespace,
        cluster
    from staging.run_places
    where node is not null
    union
    select distinct
        run_key,
        'host' as place_kind,
        lower(instance_id) as place,
        coalesce(pod, pod_uid) as pod,
        pod_uid,
        namespace,
        cluster
    from staging.run_places
    where instance_id is not null
),

located as (
    select
        places.*,
        records.source,
        records.system,
        records.started_at,
        records.ended_at,
        records.outer_rank,
        coalesce(user_names.user_id, lower(records.user_raw)) as user_id
    from places
    inner join attribution.record_spans as records using (run_key)
    left join user_names on lower(records.user_raw) = user_names.alias
    where
        records.started_at < records.ended_at
        -- most places are known to one source
        and (places.place_kind, places.place) in (
            select
                known.place_kind,
                known.place
            from places as known
            inner join attribution.record_spans using (run_key)
            group by known.place_kind, known.place
            having count(distinct record_spans.source) > 1
        )
),

spans as (
    select distinct
        run_key,
        started_at,
        ended_at
    from located
),

days as (
    select
        run_key,
        unnest(
            generate_series(
                date_trunc('day', started_at - interval 1 minute),
                date_trunc('day', ended_at + interval 1 minute),
                interval 1 day
            )
        ) as day
    from spans
),

-- the one that begins later begins on a day of the other
meetings as (
    select
        earlier.run_key as earlier_key,
        later.run_key as later_key,
        earlier.source as earlier_source,
        later.source as later_source,
        earlier.place_kind,
        earlier.place,
        earlier.user_id,
        earlier.started_at as earlier_start,
        earlier.ended_at as earlier_end,
        later.started_at as later_start,
        later.ended_at as later_end,
        earlier.outer_rank as earlier_rank,
        later.outer_rank as later_rank,
        earlier.system <> later.system as is_nestable,
        epoch_us(least(earlier.ended_at, later.ended_at)) - epoch_us(later.started_at) as overlap_us,
        epoch_us(earlier.ended_at) - epoch_us(earlier.started_at) as earlier_us,
        epoch_us(later.ended_at) - epoch_us(later.started_at) as later_us
    from located as later
    inner join days on date_trunc('day', later.started_at) = days.day
    inner join located as earlier
        on
            days.run_key = earlier.run_key
            and later.place_kind = earlier.place_kind
            and later.place = earlier.place
            and later.source <> earlier.source
            and (later.started_at, later.run_key) > (earlier.started_at, earlier.run_key)
            and later.started_at < earlier.ended_at
    where
        case
            when later.place_kind = 'host'
                then
                    (later.pod is null or earlier.pod is null)
                    and later.user_id = earlier.user_id
                    and not list_contains(string_split($shared_users, ','), later.user_id)
            else
                coalesce(later.pod_uid = earlier.pod_uid, true)
                and coalesce(later.namespace = earlier.namespace, true)
                and coalesce(later.cluster = earlier.cluster, true)
        end
),

judged as (
    select
        *,
        overlap_us * 10 >= greatest(earlier_us, later_us) * 9 as is_same,
        is_nestable
        and earlier_rank >= later_rank
        and later_end <= earlier_end + interval 1 minute as is_later_within,
        is_nestable
        and later_rank >= earlier_rank
        and later_start <= earlier_start + interval 1 minute
        and earlier_end <= later_end as is_earlier_within
    from meetings
),

pairs as (
    select
        case when is_same or is_later_within then later_key else earlier_key end as run_key,
        case when is_same or is_later_within then earlier_key else later_key end as other_key,
        case when is_same or is_later_within then later_source else earlier_source end as source,
        case when is_same or is_later_within then earlier_source else later_source end as other_source,
        case when is_same then 'same' else 'parent' end as relation,
        min(concat(place_kind, ' ', place, case when place_kind = 'host' then ', user ' || user_id end))
            as evidence,
        max(place_kind) as place_kind
    from judged
    where is_same or is_later_within or is_earlier_within
    group by all
),

-- what an id links, whatever it says, is left to it
unlinked as (
    select pairs.*
    from pairs
    left join attribution.record_groups as groups on pairs.run_key = groups.run_key
    left join attribution.record_groups as other_groups on pairs.other_key = other_groups.run_key
    where
        not coalesce(groups.group_key = other_groups.group_key, false)
        and (pairs.relation = 'parent' or coalesce(groups.is_one, true) and coalesce(other_groups.is_one, true))
        and not exists (
            select 1
            from attribution.record_claims as claims
            where
                (claims.run_key = pairs.run_key and claims.other_key = pairs.other_key)
                or (claims.run_key = pairs.other_key and claims.other_key = pairs.run_key)
        )
),

counted as (
    select
        *,
        count(*) over (partition by run_key, other_source, relation) as others,
        count(*) over (partition by other_key, source, relation) as ones
    from unlinked
)

select
    run_key,
    other_key,
    relation,  -- same, or parent: the other started this one
    case when place_kind = 'host' then 'same_host' else 'same_pod' end as rule,
    evidence,
    case
        when place_kind <> 'host' then 'high'
        when relation = 'same' then 'medium'
        else 'low'
    end as confidence
from counted
where others = 1 and (relation = 'parent' or ones = 1)
