-- One row is about a posting and how much of it is the cost of the member that is being explained.
--
-- The member is found exactly as the marts find it (`attribution.member_spend`, `marts.spend_daily`,
-- `marts.runs`), and so is a version of it (`attribution.version_spend`).
-- What a run with several models, datasets or versions costs is cut once for each day and service, so the
-- part stands on one of the rows of that cut and is null on the others, while `whole_cost` is every
-- posting's own.
--
-- grain: one row per posting and part
-- param: dimension = 'user'      -- user, team, project, model, dataset, service or run
-- param: member = ''             -- the one to be explained
-- param: version = ''            -- of a model or dataset; '': what no version is known for; null: all of it
-- param: from_date = null        -- first day
-- param: to_date = null          -- last day, inclusive
-- param: billing_currency = ''   -- currencies are never added

with

named as (
    select
        postings.*,
        user_days.user_id,
        user_days.team as user_team,
        case $dimension
            when 'user' then postings.user_rule
            when 'team' then team_rule_of(postings.is_team_of_user, user_days.team, postings.team_rule)
            when 'project' then postings.project_rule
            when 'service' then 'service'
            when 'run' then postings.user_rule
        end as owner_rule,
        case $dimension
            when 'model' then postings.model
            when 'dataset' then postings.dataset
        end as own_member,
        case
            when $dimension = 'model' and postings.model = postings.served_model then postings.model_version
            when $dimension = 'dataset' then postings.dataset_version
        end as own_version
    from attribution.postings
    left join attribution.user_days using (charge_date, user_raw)
    where
        postings.charge_date between cast($from_date as date) and cast($to_date as date)
        and postings.billing_currency = $billing_currency
),

run_shares as (
    select
        run_members.charge_date,
        run_members.run_id,
        run_members.member,
        run_members.rule,
        versions.version,
        coalesce(versions.share_from, run_members.share_from) as share_from,
        coalesce(versions.share_to, run_members.share_to) as share_to
    from attribution.run_members
    left join attribution.run_versions as versions
        on
            cast($version as varchar) is not null
            and run_members.charge_date = versions.charge_date
            and run_members.run_id = versions.run_id
            and run_members.dimension = versions.dimension
            and run_members.member = versions.member
    where run_members.dimension = $dimension
),

data_versions as (
    select *
    from attribution.dataset_versions
    where cast($version as varchar) is not null and $dimension = 'dataset'
),

read_versions as (
    select *
    from data_versions
    where run_id <> ''
),

only_versions as (
    select *
    from data_versions
    where run_id = ''
),

bridged as (
    select
        named.*,
        run_shares.member as run_member,
        run_shares.rule as run_rule,
        case
            when named.own_version is not null then 'its own'
            when read_versions.version is not null then 'its readers'
            when only_versions.version is not null then 'its registry'
        end as version_rule,
        coalesce(
            named.own_version, read_versions.version, only_versions.version, run_shares.version
        ) as version,
        coalesce(read_versions.share_from, run_shares.share_from, 0.0) as share_from,
        coalesce(read_versions.share_to, run_shares.share_to, 1.0) as share_to
    from named
    left join run_shares
        on
            named.own_member is null
            and named.charge_date = run_shares.charge_date
            and named.run_id = run_shares.run_id
    left join read_versions
        on
            named.own_version is null
            and named.charge_date = read_versions.charge_date
            and named.run_id = read_versions.run_id
            and named.dataset = read_versions.dataset
    left join only_versions
        on
            named.charge_date = only_versions.charge_date
            and named.dataset = only_versions.dataset
),

members as (
    select
        bridged.*,
        case $dimension
            when 'user' then coalesce(user_id, member_or_kind(user_raw, cost_kind, 'unattributed'))
            when 'team'
                then
                    coalesce(
                        case when is_team_of_user then user_team end,
                        member_or_kind(team, cost_kind, 'unattributed')
                    )
            when 'project' then member_or_kind(project, cost_kind, 'unattributed')
            when 'service' then coalesce(service_name, 'unattributed')
            when 'run' then coalesce(run_id, 'no run')
            when 'model'
                then member_or_kind(coalesce(own_member, run_member), cost_kind, 'not a model''s')
            else member_or_kind(coalesce(own_member, run_member), cost_kind, 'not a dataset''s')
        end as member,
        case
            when version_rule is not null then version_rule
            when own_member is not null then 'its own'
            when run_member is not null then 'its runs (' || run_rule || ')'
            when $dimension in ('model', 'dataset') then 'none'
            else coalesce(owner_rule, 'nobody''s')
        end as rule
    from bridged
),

cuts as (
    select
        *,
        sum(effective_cost) over a_cut as cut_effective_cost,
        sum(billed_cost) over a_cut as cut_billed_cost,
        row_number() over (a_cut order by effective_cost desc, resource_id asc, pod_id asc) = 1 as is_first
    from members
    where
        member = $member
        and (cast($version as varchar) is null or coalesce(version, '') = $version)
    window a_cut as (
        partition by
            charge_date, source, billing_period, run_id, model, dataset, cost_kind, service_name,
            share_from, share_to
    )
)

select
    charge_date,
    source,
    billing_period,
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
    cost_kind,
    method,
    rule,
    less_sure(confidence, confidence_of_owner(rule)) as confidence,
    run_id,
    pod_id,
    share_from,
    share_to,
    effective_cost as whole_effective_cost,
    billed_cost as whole_billed_cost,
    case
        when share_from = 0 and share_to = 1 then effective_cost
        when is_first then cut(cut_effective_cost, share_from, share_to)
    end as effective_cost,
    case
        when share_from = 0 and share_to = 1 then billed_cost
        when is_first then cut(cut_billed_cost, share_from, share_to)
    end as billed_cost
from cuts
