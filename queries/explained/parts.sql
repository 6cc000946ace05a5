-- One row is about a posting and how much of it is the cost of the member that is being explained.
--
-- The member is found exactly as the marts find it (`attribution.member_spend`, `marts.spend_daily`,
-- `marts.runs`).
-- What a run with several models or datasets costs is cut once for each day and service, so the
-- part stands on one of the rows of that cut and is null on the others, while `whole_cost` is every
-- posting's own.
--
-- grain: one row per posting and part
-- param: dimension = 'user'      -- user, team, project, model, dataset, service or run
-- param: member = ''             -- the one to be explained
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
            when 'team'
                then
                    case
                        when postings.is_team_of_user and user_days.team is not null then 'member_of'
                        else postings.team_rule
                    end
            when 'project' then postings.project_rule
            when 'service' then 'service'
            when 'run' then postings.user_rule
        end as owner_rule,
        case $dimension
            when 'model' then postings.model
            when 'dataset' then postings.dataset
        end as own_member
    from attribution.postings
    left join attribution.user_days using (charge_date, user_raw)
    where
        postings.charge_date between cast($from_date as date) and cast($to_date as date)
        and postings.billing_currency = $billing_currency
),

bridged as (
    select
        named.*,
        run_members.member as run_member,
        run_members.rule as run_rule,
        coalesce(run_members.share_from, 0.0) as share_from,
        coalesce(run_members.share_to, 1.0) as share_to
    from named
    left join attribution.run_members
        on
            named.own_member is null
            and $dimension in ('model', 'dataset')
            and named.charge_date = run_members.charge_date
            and named.run_id = run_members.run_id
            and run_members.dimension = $dimension
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
    where member = $member
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
