-- One row is about what a member of a dimension cost on a day, by kind of cost and service.
--
-- The table to start from. Within a dimension rows add up to the bill; dimensions must never be
-- added to each other, nor currencies. People and teams are named as the company names them.
--
-- Beside the cost as billed stands the cost in the reporting currency, where one is set and the rate is
-- known (`reporting_rates`). A row's part is what the running sum of its day, source and currency comes to
-- with the row less what it came to before it, so that rows add up to the converted total of that day.
--
-- grain: one row per day, bill, dimension, member, kind of cost and service
-- key: charge_date, source, billing_period, billing_currency, dimension, member, cost_kind, service_name
-- conserves: effective_cost, billed_cost of attribution.member_spend by charge_date, billing_currency, dimension
-- conserves: reporting_cost of attribution.reporting_days by charge_date, source, billing_currency, dimension
-- conserves: reporting_billed_cost of attribution.reporting_days by charge_date, source, billing_currency, dimension
-- owner: ml-platform

with

named_spend as (
    select
        member_spend.charge_date,
        member_spend.source,
        member_spend.billing_period,
        member_spend.billing_currency,
        member_spend.dimension,
        case
            when member_spend.dimension = 'user' then coalesce(user_days.user_id, member_spend.member)
            when member_spend.dimension = 'team' then coalesce(user_days.team, member_spend.member)
            else member_spend.member
        end as member,
        member_spend.cost_kind,
        member_spend.service_name,
        sum(member_spend.effective_cost) as effective_cost,
        sum(member_spend.billed_cost) as billed_cost,
        sum(member_spend.gpu_hours) as gpu_hours
    from attribution.member_spend
    left join attribution.user_days
        on
            member_spend.charge_date = user_days.charge_date
            and case when member_spend.dimension = 'user' then member_spend.member else member_spend.user_of_team end
            = user_days.user_raw
    group by all
),

rated_spend as (
    select
        named_spend.*,
        rates.reporting_currency,
        rates.rate_times,
        rates.rate_over
    from named_spend
    left join attribution.reporting_rates as rates
        on
            named_spend.charge_date = rates.charge_date
            and named_spend.billing_currency = rates.billing_currency
            and rates.rate_times is not null
),

unit_spend as (
    select
        *,
        whole_units(effective_cost) as effective_units,
        whole_units(billed_cost) as billed_units
    from rated_spend
    where rate_times is not null
),

running as (
    select
        *,
        cast(sum(effective_units) over whole_day as hugeint) as effective_upto,
        cast(sum(billed_units) over whole_day as hugeint) as billed_upto
    from unit_spend
    window
        whole_day as (
            partition by charge_date, source, billing_currency, dimension
            order by billing_period, member, cost_kind, service_name
            rows between unbounded preceding and current row
        )
)

select
    charge_date,  -- UTC day of use; the first day where a charge covers more
    source,  -- the configured source of the bill
    billing_period,  -- first day of the invoice's month
    billing_currency,
    dimension,  -- user, team, project, model, dataset or service
    member,  -- who or what; '(idle)', '(shared)', 'unattributed', ... where nobody
    cost_kind,  -- direct, idle, shared, commitment_unused, tax, credit or unattributed
    service_name,
    effective_cost,  -- amortised
    billed_cost,  -- cash
    gpu_hours,  -- GPUs held x hours
    units_cost(
        converted_units(effective_upto, rate_times, rate_over)
        - converted_units(effective_upto - effective_units, rate_times, rate_over)
    ) as reporting_cost,  -- effective_cost in the reporting currency; null: none is set, or its rate is not known
    units_cost(
        converted_units(billed_upto, rate_times, rate_over)
        - converted_units(billed_upto - billed_units, rate_times, rate_over)
    ) as reporting_billed_cost,  -- billed_cost in the reporting currency
    reporting_currency  -- null where reporting_cost is
from running
union all
select
    charge_date,
    source,
    billing_period,
    billing_currency,
    dimension,
    member,
    cost_kind,
    service_name,
    effective_cost,
    billed_cost,
    gpu_hours,
    cast(null as decimal(38, 12)) as reporting_cost,
    cast(null as decimal(38, 12)) as reporting_billed_cost,
    cast(null as varchar) as reporting_currency
from rated_spend
where rate_times is null
