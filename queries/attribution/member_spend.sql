-- One row is about what a member of a dimension cost on a day: a user, team, project, model,
-- dataset or service.
--
-- In each dimension every posting is counted exactly once, so each dimension adds up to the bill;
-- dimensions must never be added to each other. What belongs to nobody in a dimension has a member
-- of its own: '(idle)', '(shared)', '(tax)', '(credit)', '(unused commitment)', 'unattributed',
-- 'not a model''s', 'not a dataset''s'.
--   model:   what a run costs goes to the models it registered, what a serving pod costs to the
--            model it serves;
--   dataset: storage, requests and transfers go to the dataset, what a run costs to the datasets
--            it produced;
--   both: in equal parts where a run has several, cut so that they add up.
--
-- grain:     one row per day, bill, dimension, member, kind of cost and service
-- partition: charge_date
-- owner:     ml-platform

with

plain_members as (
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        'user' as dimension,
        member_or_kind(user_raw, cost_kind, 'unattributed') as member,
        null as user_of_team,
        cost_kind,
        service_name,
        gpu_hours,
        effective_cost,
        billed_cost
    from attribution.postings
    union all
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        'team' as dimension,
        member_or_kind(team, cost_kind, 'unattributed') as member,
        case when is_team_of_user then user_raw end as user_of_team,
        cost_kind,
        service_name,
        gpu_hours,
        effective_cost,
        billed_cost
    from attribution.postings
    union all
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        'project' as dimension,
        member_or_kind(project, cost_kind, 'unattributed') as member,
        null as user_of_team,
        cost_kind,
        service_name,
        gpu_hours,
        effective_cost,
        billed_cost
    from attribution.postings
    union all
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        'service' as dimension,
        coalesce(service_name, 'unattributed') as member,
        null as user_of_team,
        cost_kind,
        service_name,
        gpu_hours,
        effective_cost,
        billed_cost
    from attribution.postings
),

bridged_members as (
    select
        postings.charge_date,
        postings.source,
        postings.billing_period,
        postings.billing_currency,
        dimensions.dimension,
        member_or_kind(
            case
                when dimensions.dimension = 'model' then coalesce(postings.model, run_members.member)
                else coalesce(postings.dataset, run_members.member)
            end,
            postings.cost_kind,
            case when dimensions.dimension = 'model' then 'not a model''s' else 'not a dataset''s' end
        ) as member,
        null as user_of_team,
        postings.cost_kind,
        postings.service_name,
        cast(cut(postings.gpu_hours, coalesce(share_from, 0), coalesce(share_to, 1)) as decimal(38, 12)) as gpu_hours,
        cut(postings.effective_cost, coalesce(share_from, 0), coalesce(share_to, 1)) as effective_cost,
        cut(postings.billed_cost, coalesce(share_from, 0), coalesce(share_to, 1)) as billed_cost
    from attribution.postings
    cross join (select unnest(['model', 'dataset']) as dimension) as dimensions
    left join attribution.run_members
        on
            postings.charge_date = run_members.charge_date
            and postings.run_id = run_members.run_id
            and dimensions.dimension = run_members.dimension
            and case when dimensions.dimension = 'model' then postings.model else postings.dataset end is null
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
from (
    select * from plain_members
    union all
    select * from bridged_members
) as members
group by all
