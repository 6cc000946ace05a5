-- A claim as a rule: it speaks last, where nothing else says whose a line is.
--
-- grain: one row per claim
-- key:   rule_id
-- feeds: ownership_rules
-- owner: ml-platform

select
    'claim ' || claim_id as rule_id,
    claim_id as position,
    false as is_override,
    true as is_claim,
    cast(null as varchar) as match_run,
    cast(null as varchar) as match_experiment,
    cast(null as varchar) as match_namespace,
    match_source,
    match_sub_account_id,
    match_service_name,
    match_resource_id,
    match_tag_key,
    match_tag_value,
    user_id,
    team,
    project,
    valid_from,
    valid_to
from raw.claims
