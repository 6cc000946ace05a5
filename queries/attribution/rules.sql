-- One row is about an ownership rule of the company's own, ranked: the lowest rank that matches wins.
--
-- Overrides come before rules, then the order in the file counts. What a rule looks at decides
-- when it can be matched: at runs and pods (`run`), at bill lines (`line`), or at both (`mixed`).
-- The source is the bill's, unless the rule looks at runs: then it is the tracker's.
-- A rule, not an override, that looks at nothing but a namespace or a sub-account is an entry of a
-- map, and speaks only where tags and labels are silent. A claim comes after all of them.
--
-- grain: one row per rule
-- key:   rule_rank
-- owner: ml-platform

with

rules as (
    select
        * replace (coalesce(is_claim, false) as is_claim),
        coalesce(match_run, match_experiment, match_namespace) is not null as has_run_condition,
        coalesce(match_sub_account_id, match_service_name, match_resource_id, match_tag_key) is not null
            as has_line_condition,
        cast(match_run is not null as integer) + cast(match_experiment is not null as integer)
        + cast(match_namespace is not null as integer) + cast(match_source is not null as integer)
        + cast(match_sub_account_id is not null as integer)
        + cast(match_service_name is not null as integer)
        + cast(match_resource_id is not null as integer)
        + cast(match_tag_key is not null as integer) as condition_count
    from staging.ownership_rules
)

select
    cast(
        row_number() over (order by is_override desc, is_claim asc, position asc, rule_id asc) as integer
    ) as rule_rank,
    rule_id,
    case
        when has_run_condition and has_line_condition then 'mixed'
        when has_run_condition then 'run'
        else 'line'
    end as side,  -- what must be known to match it: run, line or mixed
    case
        when is_override then 'rule'
        when condition_count = 1 and match_namespace is not null then 'namespace'
        when is_claim or condition_count = 1 and match_sub_account_id is not null then 'sub_account'
        else 'rule'
    end as level,  -- rule, or an entry of the map of namespaces or of sub-accounts; a claim is as the latter
    match_run,
    match_experiment,
    match_namespace,
    match_source,
    match_sub_account_id,
    match_service_name,
    match_resource_id,
    match_tag_key,
    coalesce(match_tag_value, '*') as match_tag_value,
    user_id,
    team,
    project,
    coalesce(valid_from, date '0001-01-01') as valid_from,  -- inclusive
    coalesce(valid_to, date '9999-12-31') as valid_to  -- exclusive
from rules
