-- One row is about what a member of a dimension cost on a day, by kind of cost and service.
--
-- The table to start from. Within a dimension rows add up to the bill; dimensions must never be
-- added to each other, nor currencies. People and teams are named as the company names them.
--
-- grain: one row per day, bill, dimension, member, kind of cost and service
-- key: charge_date, source, billing_period, billing_currency, dimension, member, cost_kind, service_name
-- conserves: effective_cost, billed_cost of attribution.member_spend by charge_date, billing_currency, dimension
-- owner: ml-platform

select
    member_spend.charge_date,  -- UTC day of use; the first day where a charge covers more
    member_spend.source,  -- the configured source of the bill
    member_spend.billing_period,  -- first day of the invoice's month
    member_spend.billing_currency,
    member_spend.dimension,  -- user, team, project, model, dataset or service
    case
        when member_spend.dimension = 'user' then coalesce(user_days.user_id, member_spend.member)
        when member_spend.dimension = 'team' then coalesce(user_days.team, member_spend.member)
        else member_spend.member
    end as member,  -- who or what; '(idle)', '(shared)', 'unattributed', ... where nobody
    member_spend.cost_kind,  -- direct, idle, shared, commitment_unused, tax, credit or unattributed
    member_spend.service_name,
    sum(member_spend.effective_cost) as effective_cost,  -- amortised
    sum(member_spend.billed_cost) as billed_cost,  -- cash
    sum(member_spend.gpu_hours) as gpu_hours  -- GPUs held x hours
from attribution.member_spend
left join attribution.user_days
    on
        member_spend.charge_date = user_days.charge_date
        and case when member_spend.dimension = 'user' then member_spend.member else member_spend.user_of_team end
        = user_days.user_raw
group by all
