-- One row is about a bill and a dimension: what was billed, where it went, and what is missing.
--
-- `billed` is summed from the raw files by code that knows nothing of the models, so that the
-- difference can be other than 0; a night where it is publishes nothing. A bill that the models
-- lost, or that they made up, shows in full as a difference.
--
-- grain: one row per source, billing period, charge month, currency, measure and dimension
-- key:   source, billing_period, charge_month, billing_currency, measure, dimension
-- owner: ml-platform

with

dimensions as (
    select unnest(['user', 'team', 'project', 'model', 'dataset', 'service']) as dimension
),

bills as (
    select
        source,
        billing_period,
        charge_month,
        billing_currency,
        measure,
        sum(amount) as billed,
        cast(sum(cast(beyond as decimal(38, 36))) as varchar) as beyond_12_places
    from raw.totals
    where measure in ('effective_cost', 'billed_cost')
    group by source, billing_period, charge_month, billing_currency, measure
),

dimension_bills as (
    select
        bills.*,
        dimensions.dimension
    from bills
    cross join dimensions
),

measures as (
    select
        source,
        billing_period,
        cast(date_trunc('month', charge_date) as date) as charge_month,
        billing_currency,
        'effective_cost' as measure,
        dimension,
        member,
        cost_kind,
        effective_cost as cost
    from marts.spend_daily
    union all
    select
        source,
        billing_period,
        cast(date_trunc('month', charge_date) as date) as charge_month,
        billing_currency,
        'billed_cost' as measure,
        dimension,
        member,
        cost_kind,
        billed_cost as cost
    from marts.spend_daily
),

accounts as (
    select
        *,
        case
            when cost_kind = 'idle' then 'idle'
            when cost_kind in ('shared', 'tax', 'credit', 'commitment_unused') then 'shared'
            when member = 'unattributed' then 'unattributed'
            else 'attributed'
        end as account
    from measures
),

postings as (
    select
        source,
        billing_period,
        charge_month,
        billing_currency,
        measure,
        dimension,
        sum(case when account = 'attributed' then cost else 0 end) as attributed,
        sum(case when account = 'idle' then cost else 0 end) as idle,
        sum(case when account = 'shared' then cost else 0 end) as shared,
        sum(case when account = 'unattributed' then cost else 0 end) as unattributed
    from accounts
    group by source, billing_period, charge_month, billing_currency, measure, dimension
)

select
    coalesce(dimension_bills.source, postings.source) as source,
    coalesce(dimension_bills.billing_period, postings.billing_period) as billing_period,
    coalesce(dimension_bills.charge_month, postings.charge_month) as charge_month,
    coalesce(dimension_bills.billing_currency, postings.billing_currency) as billing_currency,
    coalesce(dimension_bills.measure, postings.measure) as measure,  -- effective_cost or billed_cost
    coalesce(dimension_bills.dimension, postings.dimension) as dimension,
    cast(coalesce(dimension_bills.billed, 0) as decimal(38, 12)) as billed,  -- as the raw files say
    cast(coalesce(postings.attributed, 0) as decimal(38, 12)) as attributed,
    cast(coalesce(postings.idle, 0) as decimal(38, 12)) as idle,
    cast(coalesce(postings.shared, 0) as decimal(38, 12)) as shared,  -- with tax, credit, unused commitment
    cast(coalesce(postings.unattributed, 0) as decimal(38, 12)) as unattributed,
    cast(
        coalesce(dimension_bills.billed, 0)
        - coalesce(postings.attributed, 0)
        - coalesce(postings.idle, 0)
        - coalesce(postings.shared, 0)
        - coalesce(postings.unattributed, 0)
        as decimal(38, 12)
    ) as difference,  -- 0, or nothing is published
    dimension_bills.beyond_12_places  -- what the files hold beyond 12 places, kept out of the sums
from dimension_bills
full join postings
    on
        dimension_bills.source is not distinct from postings.source
        and dimension_bills.billing_period is not distinct from postings.billing_period
        and dimension_bills.charge_month is not distinct from postings.charge_month
        and dimension_bills.billing_currency is not distinct from postings.billing_currency
        and dimension_bills.measure = postings.measure
        and dimension_bills.dimension = postings.dimension
