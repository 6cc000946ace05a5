-- One row is about a rule by which the owner of a posting is found: the company's own, and those that `postings`
-- goes by, which have no rank.
--
-- Postings carry what a rule is called by its place in the list of these.
--
-- grain: one row per rule
-- words: rule_id
-- step:  charge_date
-- owner: ml-platform

select
    rule_rank,
    rule_id,
    user_id,
    team,
    project
from attribution.rules
union all
select
    null as rule_rank,
    unnest([
        'run_tag', 'pod_label', 'access_log', 'dataset_owner', 'iam_principal', 'resource_tag',
        'related_tag', 'account_tag', 'unattributed', 'lost_telemetry'
    ]) as rule_id,
    null as user_id,
    null as team,
    null as project
