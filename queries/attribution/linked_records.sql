-- One row is about one source's record of a run of which other sources have a record too, and the run.
--
-- Ids link records first (`record_claims`, `record_groups`), then place and time (`record_meetings`), which
-- join groups and records that are in none. Links by place that would bring two records of one source
-- together are all dropped. A run is called by the key of the record that tells its name, the tracker's
-- where there is one, so that it keeps its id when others are found.
--
-- grain: one row per record that is linked to another
-- key:   run_key
-- owner: ml-platform

with recursive

met as (
    select
        run_key,
        other_key,
        coalesce(groups.group_key, run_key) as group_key,
        coalesce(other_groups.group_key, other_key) as other_group_key,
        meetings.rule,
        meetings.evidence,
        meetings.confidence
    from attribution.record_meetings as meetings
    left join attribution.record_groups as groups using (run_key)
    left join attribution.record_groups as other_groups on meetings.other_key = other_groups.run_key
    where meetings.relation = 'same'
),

met_groups as (
    select
        group_key,
        other_group_key
    from met
    union
    select
        other_group_key as group_key,
        group_key as other_group_key
    from met
),

reached as (
    select
        group_key,
        group_key as reached_key
    from met_groups
    union
    select
        reached.group_key,
        met_groups.other_group_key as reached_key
    from reached
    inner join met_groups on reached.reached_key = met_groups.group_key
),

unions as (
    select
        group_key,
        min(reached_key) as union_key
    from reached
    group by group_key
),

met_records as (
    select
        groups.run_key,
        group_key,
        unions.union_key
    from unions
    inner join attribution.record_groups as groups using (group_key)
    union
    select
        met.run_key,
        group_key,
        unions.union_key
    from unions
    inner join met using (group_key)
    union
    select
        met.other_key as run_key,
        unions.group_key,
        unions.union_key
    from unions
    inner join met on unions.group_key = met.other_group_key
),

doubtful as (
    select met_records.union_key
    from met_records
    inner join attribution.record_spans using (run_key)
    group by met_records.union_key
    having count(*) > count(distinct record_spans.source)
    union
    select met_records.union_key
    from attribution.record_claims as claims
    inner join met_records on claims.run_key = met_records.run_key
    inner join met_records as others on claims.other_key = others.run_key
    where claims.relation = 'parent' and met_records.union_key = others.union_key
),

unmet as (
    select
        run_key,
        met_records.group_key
    from met_records
    semi join doubtful using (union_key)
),

linked as (
    select
        run_key,
        union_key as linked_key
    from met_records
    anti join doubtful using (union_key)
    union all
    select
        run_key,
        group_key as linked_key
    from unmet
    union all
    select
        run_key,
        group_key as linked_key
    from attribution.record_groups
    anti join unions using (group_key)
    where is_one
),

ranked as (
    select
        run_key,
        linked.linked_key,
        row_number() over by_telling as telling,
        row_number() over by_running as running,
        first_value(run_key) over by_telling as run_id,
        count(*) over (partition by linked.linked_key) as record_count
    from linked
    inner join attribution.record_spans as spans using (run_key)
    window
        by_telling as (
            partition by linked.linked_key order by spans.telling_rank, spans.system, spans.source, run_key
        ),
        by_running as (
            partition by linked.linked_key order by spans.running_rank, spans.system, spans.source, run_key
        )
),

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
    from met
),

ends as (
    select
        run_key,
        rule,
        evidence,
        confidence
    from links
    union all
    select
        other_key as run_key,
        rule,
        evidence,
        confidence
    from links
),

reasons as (
    select
        ends.run_key,
        -- high comes before medium
        min(struct_pack(confidence := ends.confidence, rule := ends.rule, evidence := ends.evidence)) as reason
    from ends
    left join unmet using (run_key)
    where unmet.run_key is null or ends.rule in ('mention', 'managed_job')
    group by ends.run_key
)

select
    ranked.run_key,
    ranked.run_id,
    ranked.record_count,  -- of the run
    ranked.telling,  -- the record's place among them, for names, models, teams and projects: the first is believed
    ranked.running,  -- its place for users, ends and GPUs
    struct_extract(reasons.reason, 'rule') as rule,  -- what links the record to another of the run
    struct_extract(reasons.reason, 'evidence') as evidence,
    struct_extract(reasons.reason, 'confidence') as confidence  -- high or medium
from ranked
left join reasons using (run_key)
where ranked.record_count > 1
