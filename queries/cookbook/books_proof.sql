-- The proof that the books close, by month and currency: what was billed and what became of it.
--
-- `billed` is summed from the raw files by code that does not read the models.
--
-- In the reporting currency, what is billed is each day's total converted once, as `conversions` has it.
--
-- grain: one row per month of use and billing currency
-- key:   charge_month, billing_currency
-- param: measure = 'effective_cost'  -- effective_cost or billed_cost
-- param: dimension = 'user'          -- user, team, project, model, dataset or service
-- param: currency = null           -- the reporting currency: all cost in it; null: each bill's own

with

reported as (
    select
        cast(date_trunc('month', charge_date) as date) as charge_month,
        reporting_currency as billing_currency,
        sum(case $measure when 'billed_cost' then reporting_billed_cost else reporting_cost end) as billed
    from marts.conversions
    where reporting_currency = cast($currency as varchar)
    group by all
),

costs as (
    select
        cast(date_trunc('month', charge_date) as date) as charge_month,
        billing_currency,
        case
            when cost_kind = 'idle' then 'idle'
            when cost_kind in ('shared', 'tax', 'credit', 'commitment_unused') then 'shared'
            when member = 'unattributed' then 'unattributed'
            else 'attributed'
        end as account,
        case $measure when 'billed_cost' then billed_cost else effective_cost end as cost
    from marts.spend_in(cast($currency as varchar))
    where dimension = $dimension and cast($currency as varchar) is not null
),

accounts as (
    select
        charge_month,
        billing_currency,
        coalesce(sum(cost) filter (where account = 'attributed'), 0) as attributed,
        coalesce(sum(cost) filter (where account = 'idle'), 0) as idle,
        coalesce(sum(cost) filter (where account = 'shared'), 0) as shared,
        coalesce(sum(cost) filter (where account = 'unattributed'), 0) as unattributed
    from costs
    group by charge_month, billing_currency
)

select
    charge_month,
    billing_currency,
    sum(billed) as billed,
    sum(attributed) as attributed,
    sum(idle) as idle,
    sum(shared) as shared,
    sum(unattributed) as unattributed,
    sum(difference) as difference
from marts.books
where measure = $measure and dimension = $dimension and cast($currency as varchar) is null
group by all
union all
select
    reported.charge_month,
    reported.billing_currency,
    reported.billed,
    accounts.attributed,
    accounts.idle,
    accounts.shared,
    accounts.unattributed,
    reported.billed - accounts.attributed - accounts.idle - accounts.shared - accounts.unattributed as difference
from reported
inner join accounts using (charge_month, billing_currency)
order by all
