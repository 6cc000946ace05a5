-- A rule that says who owns what it matches, while it is valid.
--
-- The newest file alone counts. Overrides stand before rules, both in the order of the file.
--
-- grain: one row per rule
-- key:   rule_id
-- feeds: ownership_rules
-- owner: ml-platform

with

newest as (
    select *
    from raw.ownership__rules
    qualify row(x_version_at, x_version) = max(row(x_version_at, x_version)) over (partition by x_source)
)

select
    rule_id,
    cast(position as integer) as position,
    is_override,
    false as is_claim,
    match_run,
    match_experiment,
    match_namespace,
    match_source,
    match_sub_account_id,
    match_service_name,
    match_resource_id,
    match_tag_key,
    match_tag_value,
    user_id,
    team,
    project,
    cast(valid_from as date) as valid_from,
    cast(valid_to as date) as valid_to
from newest
qualify row_number() over (partition by rule_id order by x_source) = 1
