-- One row is about one source's record of a run of which other sources have a record too, and the run.
--
-- Ids link records first (`record_claims`), then place and time (`record_meetings`). Links by place
-- that would bring two records of one source together are all dropped. A run is called by the
-- key of the record that tells its name, the tracker's where there is one, so that it keeps its id
-- when others are found.
--
-- grain: one row per record that is linked to another
-- key:   run_key
-- owner: ml-platform

with recursive

links as (
    select
        run_key,
        other_key,
        rule,
        evidence,
        'high' as confidence
    from attribution.record_claims
    inner join attribution.record_groups using (run_key)
    where relation = 'same' and is_one
    union all
    select
        run_key,
        other_key,
        rule,
        evidence,
        confidence
    from attribution.record_meetings
    where relation = 'same'
),

ends as (
    select
        run_key,
        other_key,
        rule,
        evidence,
        confidence
    from links
    union all
    select
        other_key as run_key,
        run_key as other_key,
        rule,
        evidence,
        confidence
    from links
),

reached as (
    select
        run_key,
        run_key as reached_key
    from ends
    union
    select
        reached.run_key,
        ends.other_key as reached_key
    from reached
    inner join ends on reached.reached_key = ends.run_key
),

unions as (
    select
        run_key,
        min(reached_key) as union_key
    from reached
    group by run_key
),

doubtful as (
    select union_key
    from unions
    inner join attribution.record_spans using (run_key)
    group by union_key
    having count(*) > count(distinct source)
    union
    select unions.union_key
    from attribution.record_claims as claims
    inner join unions on claims.run_key = unions.run_key
    inner join unions as other_unions on claims.other_key = other_unions.run_key
    where claims.relation = 'parent' and unions.union_key = other_unions.union_key
),

linked as (
    select
        run_key,
        case
            when doubtful.union_key is null then unions.union_key
            else coalesce(groups.group_key, run_key)
        end as linked_key,
        doubtful.union_key is null as is_met
    from unions
    left join doubtful using (union_key)
    left join attribution.record_groups as groups using (run_key)
),

heads as (
    select
        linked.linked_key,
        first(run_key order by telling_rank asc, system asc, source asc, run_key asc) as run_id,
        count(*) as record_count
    from linked
    inner join attribution.record_spans using (run_key)
    group by linked.linked_key
),

reasons as (
    select
        ends.run_key,
        arg_min(ends.rule, (ends.confidence, ends.rule, ends.evidence)) as rule,
        arg_min(ends.evidence, (ends.confidence, ends.rule, ends.evidence)) as evidence,
        min(ends.confidence) as confidence  -- high comes before medium
    from ends
    inner join linked using (run_key)
    where linked.is_met or ends.rule in ('mention', 'managed_job')
    group by ends.run_key
)

select
    linked.run_key,
    heads.run_id,
    heads.record_count,  -- of the run
    reasons.rule,  -- what links the record to another of the run
    reasons.evidence,
    reasons.confidence  -- high or medium
from linked
inner join heads using (linked_key)
left join reasons using (run_key)
where heads.record_count > 1
