-- One row is about what a member of a dimension cost on a day: a user, team, project, model,
-- dataset or service.
--
-- In each dimension every posting is counted exactly once, so each dimension adds up to the bill;
-- dimensions must never be added to each other. What belongs to nobody in a dimension has a member
-- of its own: '(idle)', '(shared)', '(tax)', '(credit)', '(unused commitment)', 'unattributed',
-- 'not a model''s', 'not a dataset''s'.
--   model:   what a run costs goes to the models it was for, what a serving pod costs to the
--            models it serves, and to '(idle replicas)' for hours in which nobody asked it;
--   dataset: storage, requests and transfers go to the dataset, what a run costs to the datasets
--            it produced;
--   both: in equal parts where a run has several, cut so that they add up.
--
-- grain:     one row per day, bill, dimension, member, kind of cost and service
-- partition: charge_date
-- owner:     ml-platform

with

owner_dimensions as (
    select unnest(['user', 'team', 'project', 'service']) as dimension
),

work_dimensions as (
    select unnest(['model', 'dataset']) as dimension
),

owner_members as (
    select
        owner_spend.*,
        dimensions.dimension,
        case dimensions.dimension
            when 'user' then member_or_kind(user_raw, cost_kind, 'unattributed')
            when 'team' then member_or_kind(team, cost_kind, 'unattributed')
            when 'project' then member_or_kind(project, cost_kind, 'unattributed')
            else coalesce(service_name, 'unattributed')
        end as member,
        case when dimensions.dimension = 'team' and is_team_of_user then user_raw end as user_of_team
    from attribution.owner_spend
    cross join owner_dimensions as dimensions
),

work_days as (
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        run_id,
        model,
        dataset,
        cost_kind,
        service_name,
        sum(gpu_hours) as gpu_hours,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost
    from attribution.work_days
    group by all
),

work_members as (
    select
        work_days.*,
        dimensions.dimension,
        case when dimensions.dimension = 'model' then model else dataset end as own_member,
        case when dimensions.dimension = 'model' then 'not a model''s' else 'not a dataset''s' end
            as no_member
    from work_days
    cross join work_dimensions as dimensions
),

bridged_members as (
    select
        work_members.*,
        member_or_kind(
            coalesce(work_members.own_member, run_members.member), work_members.cost_kind, no_member
        ) as member,
        coalesce(run_members.share_from, 0.0) as share_from,
        coalesce(run_members.share_to, 1.0) as share_to
    from work_members
    left join attribution.run_members
        on
            work_members.own_member is null
            and work_members.charge_date = run_members.charge_date
            and work_members.run_id = run_members.run_id
            and work_members.dimension = run_members.dimension
),

all_members as (
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        dimension,
        member,
        user_of_team,
        cost_kind,
        service_name,
        gpu_hours,
        effective_cost,
        billed_cost
    from owner_members
    union all
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        dimension,
        member,
        null as user_of_team,
        cost_kind,
        service_name,
        cut(gpu_hours, share_from, share_to) as gpu_hours,
        cut(effective_cost, share_from, share_to) as effective_cost,
        cut(billed_cost, share_from, share_to) as billed_cost
    from bridged_members
)

select
    charge_date,
    source,
    billing_period,
    billing_currency,
    dimension,  -- user, team, project, model, dataset or service
    member,  -- people as their source names them
    user_of_team,  -- whose team the member is, where that person's team is known
    cost_kind,
    service_name,
    sum(gpu_hours) as gpu_hours,
    sum(effective_cost) as effective_cost,
    sum(billed_cost) as billed_cost
from all_members
group by all
