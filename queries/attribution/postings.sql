-- One row is about a part of the bill and whom it is attributed to: the result of attribution.
--
-- Every part of every line group is here exactly once, whatever was known: what nobody could be
-- found for is kept as `unattributed`, so the costs of a day add up to its bill to the last digit.
-- What made a row is told by `method` (how the cost was cut: `line_methods`) and by a rule for each
-- owner (how user, team and project were found); `confidence` is how sure the cut is, and
-- `confidence_of_owner` of a rule how sure the owner is.
--
-- An owner is the first that is named by, in this order:
--   the company's own rule (its rule_id), the run ('run_tag'), the pod, or of what a run caused beside
--   its pods those of them that agree ('pod_label'), the person whom
--   a log of reads names ('access_log') or the dataset's registry ('dataset_owner'), the principal
--   that the bill says called ('iam_principal'), the map of namespaces (its rule_id), the resource's
--   tags ('resource_tag'), the tags of what a volume or snapshot belongs to ('related_tag'), the map of
--   sub-accounts (its rule_id), the account's own tags ('account_tag'); else 'unattributed'.
-- User, team and project are looked up one by one. A team of the last five kinds gives way to
-- the membership of the user, where that is known from further up; the marts see to it, because
-- people and teams are resolved there (`user_days`).
-- Nobody owns idle, shared, tax, credit and unused commitment, unless idle_policy or control_planes
-- say so; nor what a watched machine cost while telemetry was lost ('lost_telemetry').
--
-- grain:     one row per line group of the day, cost_kind, method, run, pod, model served, dataset and version
-- partition: charge_date
-- conserves: effective_cost, billed_cost, list_cost of attribution.line_sums by charge_date, source, billing_currency
-- owner:     ml-platform

with

runs as (
    select
        day_runs.run_no,
        run_days.*
    from attribution.run_days
    inner join attribution.day_runs using (charge_date, run_id)
),

-- the runs that caused something beside their pods
podless_runs as (
    select distinct run_no
    from attribution.line_parts
    where pod_no is null and run_no is not null
),

held as (
    select distinct
        run_no,
        pod_no
    from attribution.held_hours
    semi join podless_runs using (run_no)
),

-- what the labels of a run's pods say, for what it caused beside them: where they agree
run_pods as (
    select
        held.run_no,
        case when min(pod_days.user_raw) = max(pod_days.user_raw) then min(pod_days.user_raw) end as user_raw,
        case when min(pod_days.team_raw) = max(pod_days.team_raw) then min(pod_days.team_raw) end as team_raw,
        case
            when min(pod_days.project_raw) = max(pod_days.project_raw) then min(pod_days.project_raw)
        end as project_raw
    from held
    inner join attribution.pod_days using (pod_no)
    where not pod_days.is_shared
    group by held.run_no
),

dated_parts as (
    select
        line_parts.* exclude (line_no),
        line_groups.charge_date,
        line_groups.kind_no,
        line_groups.is_provisional
    from attribution.line_parts
    inner join attribution.line_groups using (line_no)
    union all by name
    -- lines that are nobody's work or go by their owner alone: whole, without a run or pod
    select
        case
            when line_methods.method = 'owner' then 'direct'
            when line_kinds.x_line_class in ('tax', 'credit', 'commitment_unused')
                then line_kinds.x_line_class
            else 'shared'
        end as cost_kind,
        line_methods.method,
        line_groups.effective_cost,
        line_groups.billed_cost,
        line_groups.list_cost,
        line_groups.charge_date,
        line_groups.kind_no,
        line_groups.is_provisional
    from attribution.line_groups
    inner join attribution.line_kinds using (kind_no)
    inner join attribution.line_methods using (line_no)
    anti join attribution.control_plane_parts using (line_no)
    where line_methods.method in ('owner', 'by_kind')
),

lines as (
    select
        dated_parts.* exclude (cluster),
        line_kinds.source,
        line_kinds.billing_period,
        line_kinds.billing_currency,
        line_kinds.sub_account_id,
        line_kinds.service_name,
        line_kinds.region_id,
        coalesce(dated_parts.cluster, line_kinds.resource_id) as resource_id,
        line_kinds.x_line_class,
        line_kinds.x_from_region,
        line_kinds.x_to_region,
        line_kinds.billed_model,
        -- what a cluster's machines have in common has no tags of one of them
        dated_parts.cluster is not null as is_of_cluster,
        case when dated_parts.cluster is null then line_kinds.tag_user end as tag_user,
        case when dated_parts.cluster is null then line_kinds.caller_user end as caller_user,
        case when dated_parts.cluster is null then line_kinds.account_user end as account_user,
        case when dated_parts.cluster is null then line_kinds.tag_team end as tag_team,
        case when dated_parts.cluster is null then line_kinds.caller_team end as caller_team,
        case when dated_parts.cluster is null then line_kinds.account_team end as account_team,
        case when dated_parts.cluster is null then line_kinds.tag_project end as tag_project,
        case when dated_parts.cluster is null then line_kinds.caller_project end as caller_project,
        case when dated_parts.cluster is null then line_kinds.account_project end as account_project
    from dated_parts
    inner join attribution.line_kinds using (kind_no)
),

matched as (
    select
        lines.*,
        coalesce(runs.run_id, lines.stored_run_id) as run_id,
        runs.user_raw as run_user,
        runs.team_raw as run_team,
        runs.project_raw as run_project,
        pod_days.pod_id,
        case when lines.pod_no is null then run_pods.user_raw else pod_days.user_raw end as pod_user,
        case when lines.pod_no is null then run_pods.team_raw else pod_days.team_raw end as pod_team,
        case when lines.pod_no is null then run_pods.project_raw else pod_days.project_raw end as pod_project,
        case
            when served_models.is_idle then '(idle replicas)'
            when lines.cost_kind = 'direct'
                then coalesce(served_models.model, pod_days.model, lines.billed_model)
            else coalesce(served_models.model, pod_days.model)
        end as model,
        served_models.model as served_model,
        served_models.model_version,
        lines.run_no is null and coalesce(pod_days.is_shared, false) as is_shared_pod,
        least(
            runs.rule_rank,
            lines.stored_rule_rank,
            pod_days.rule_rank,
            line_rules.rule_rank,
            list_min(
                list_intersect(coalesce(runs.mixed_ranks, pod_days.mixed_ranks), line_rules.mixed_ranks)
            )
        ) as rule_rank,
        case
            -- what a run or pod holds is not the namespace's that the bill puts beside it
            when coalesce(lines.run_no, lines.pod_no) is null then line_rules.namespace_rank
            else coalesce(runs.namespace_rank, pod_days.namespace_rank)
        end as namespace_rank,
        line_rules.sub_account_rank,
        related_tags.tag_user as related_user,
        related_tags.tag_team as related_team,
        related_tags.tag_project as related_project
    from lines
    left join runs using (run_no)
    left join run_pods using (run_no)
    left join attribution.pod_days using (pod_no)
    left join attribution.served_models using (served_no)
    left join attribution.line_rules
        on
            lines.charge_date = line_rules.charge_date
            and lines.kind_no = line_rules.kind_no
            and not lines.is_of_cluster
    left join attribution.related_tags
        on lines.charge_date = related_tags.charge_date and lines.kind_no = related_tags.kind_no
),

owned as (
    select
        matched.*,
        case
            when matched.is_shared_pod then 'shared'
            else matched.cost_kind
        end as posted_kind,
        matched.cost_kind = 'unattributed' as is_lost,
        matched.cost_kind = 'direct' and not matched.is_shared_pod
        or coalesce(run_no, pod_no) is not null and not matched.is_shared_pod as has_owner,
        rules.rule_id,
        rules.user_id as rule_user,
        rules.team as rule_team,
        rules.project as rule_project,
        namespaces.rule_id as namespace_rule,
        namespaces.user_id as namespace_user,
        namespaces.team as namespace_team,
        namespaces.project as namespace_project,
        sub_accounts.rule_id as sub_account_rule,
        sub_accounts.user_id as sub_account_user,
        sub_accounts.team as sub_account_team,
        sub_accounts.project as sub_account_project
    from matched
    left join attribution.owner_rules as rules using (rule_rank)
    left join attribution.owner_rules as namespaces on matched.namespace_rank = namespaces.rule_rank
    left join attribution.owner_rules as sub_accounts on matched.sub_account_rank = sub_accounts.rule_rank
),

named as (
    select
        *,
        case method when 'run_artefacts' then 'run_tag' when 'flow_log' then 'related_tag' else 'dataset_owner' end
            as owner_rule,
        case
            when dataset not in ('(unregistered)', '(orphaned artefacts)', '(unattributed egress)') then dataset
        end as owned_dataset,
        case
            when has_owner
                then
                    coalesce(
                        rule_user, run_user, pod_user, owner_user, caller_user,
                        namespace_user, tag_user, related_user, sub_account_user, account_user
                    )
        end as user_raw,
        case
            when is_lost then 'lost_telemetry'
            when not has_owner then null
            when rule_user is not null then rule_id
            when run_user is not null then 'run_tag'
            when pod_user is not null then 'pod_label'
            when owner_user is not null and method = 'reads' then 'access_log'
            when owner_user is not null then owner_rule
            when caller_user is not null then 'iam_principal'
            when namespace_user is not null then namespace_rule
            when tag_user is not null then 'resource_tag'
            when related_user is not null then 'related_tag'
            when sub_account_user is not null then sub_account_rule
            when account_user is not null then 'account_tag'
            else 'unattributed'
        end as user_rule,
        case
            when has_owner
                then
                    coalesce(
                        rule_team, run_team, pod_team, owner_team, caller_team,
                        namespace_team, tag_team, related_team, sub_account_team, account_team
                    )
        end as team,
        case
            when is_lost then 'lost_telemetry'
            when not has_owner then null
            when rule_team is not null then rule_id
            when run_team is not null then 'run_tag'
            when pod_team is not null then 'pod_label'
            when owner_team is not null then owner_rule
            when caller_team is not null then 'iam_principal'
            when namespace_team is not null then namespace_rule
            when tag_team is not null then 'resource_tag'
            when related_team is not null then 'related_tag'
            when sub_account_team is not null then sub_account_rule
            when account_team is not null then 'account_tag'
            else 'unattributed'
        end as team_rule,
        case
            when has_owner
                then
                    coalesce(
                        rule_project, run_project, pod_project, owner_project, caller_project,
                        namespace_project, tag_project, related_project, sub_account_project, account_project
                    )
        end as project,
        case
            when is_lost then 'lost_telemetry'
            when not has_owner then null
            when rule_project is not null then rule_id
            when run_project is not null then 'run_tag'
            when pod_project is not null then 'pod_label'
            when owner_project is not null then owner_rule
            when caller_project is not null then 'iam_principal'
            when namespace_project is not null then namespace_rule
            when tag_project is not null then 'resource_tag'
            when related_project is not null then 'related_tag'
            when sub_account_project is not null then sub_account_rule
            when account_project is not null then 'account_tag'
            else 'unattributed'
        end as project_rule,
        -- a team that a tag or a map gives yields to that of a user known from closer by
        has_owner
        and coalesce(rule_team, run_team, pod_team, owner_team, caller_team) is null
        and (
            coalesce(rule_user, run_user, pod_user, owner_user, caller_user) is not null
            or coalesce(namespace_team, tag_team, related_team, sub_account_team, account_team) is null
        ) as is_team_of_user
    from owned
)

select
    source,
    billing_period,
    charge_date,
    billing_currency,
    sub_account_id,
    service_name,
    region_id,
    resource_id,
    x_line_class,
    x_from_region,
    x_to_region,
    tag_user,
    tag_team,
    tag_project,
    case
        when
            posted_kind = 'direct'
            and coalesce(user_raw, team, project, run_id, model, owned_dataset) is null
            then 'unattributed'
        else posted_kind
    end as cost_kind,  -- direct, idle, shared, commitment_unused, tax, credit or unattributed
    method,  -- how the cost was cut, as in `line_methods`
    -- that it was cut rightly
    cast(confidence_of_cut(method, is_logged) as enum('high', 'medium')) as confidence,
    run_id,
    pod_id,  -- cluster/namespace/pod
    dataset,  -- stored or read
    dataset_version,  -- that alone lies at the place; null: none does, or nobody knows
    -- what a serving pod serves, or the model that a service bills for; '(idle replicas)' for hours in
    -- which nobody asked the pod
    model,
    served_model,  -- served or loaded, as the server's counters tell; null: there are none
    model_version,
    user_raw,  -- as the owner's source names the person
    -- how the user was found, 'lost_telemetry' where nobody can be; null where nobody is to own the cost
    cast(user_rule as words.owner_rules_rule_id) as user_rule,
    team,
    cast(team_rule as words.owner_rules_rule_id) as team_rule,
    is_team_of_user,  -- the marts replace `team` by the user's, where it is known
    project,
    cast(project_rule as words.owner_rules_rule_id) as project_rule,
    is_provisional,  -- some of the lines have no final invoice yet
    cast(coalesce(gpu_us, 0) / 3.6e9 as decimal(18, 6)) as gpu_hours,  -- held
    effective_cost,  -- amortised
    billed_cost,  -- cash
    list_cost  -- at list price
from named
