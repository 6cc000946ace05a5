-- One row is about a record of a run and a record, in another source, of what started it.
--
-- An id says so (`record_claims`), or the place (`record_meetings`). Records that were said to be of one
-- piece of work and cannot be (`record_groups`) are nested: what was named is the parent.
--
-- grain: one row per two records
-- key:   run_key, parent_key
-- owner: ml-platform

with

parents as (
    select
        case when claims.named_key = claims.run_key then claims.other_key else claims.run_key end as run_key,
        case when claims.named_key = claims.run_key then claims.run_key else claims.other_key end as parent_key,
        claims.rule,
        claims.evidence,
        'high' as confidence
    from attribution.record_claims as claims
    left join attribution.record_groups as groups using (run_key)
    where claims.relation = 'parent' or (claims.rule = 'mention' and not groups.is_one)
    union all
    select
        run_key,
        other_key as parent_key,
        rule,
        evidence,
        confidence
    from attribution.record_meetings
    where relation = 'parent'
)

select
    run_key,
    parent_key,
    -- high comes before low and medium, and an id before a place
    arg_min(rule, (confidence, rule, evidence)) as rule,
    arg_min(evidence, (confidence, rule, evidence)) as evidence,
    min(confidence) as confidence,
    bool_or(rule = 'mention') as is_named
from parents
group by run_key, parent_key
