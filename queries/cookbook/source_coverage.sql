-- How much cost the runs explain that each source saw, dearest first.
--
-- A run that several sources saw counts for each of them, so that rows do not add up: what would be known
-- of nobody's runs without a source is `alone_cost`. What no run explains at all is not here.
--
-- grain: one row per billing currency and source of runs
-- key:   billing_currency, source

with

seen as (
    select distinct
        run_id,
        source,
        system
    from marts.run_records
    where relation = 'same'
),

counted as (
    select
        *,
        count(*) over (partition by run_id) as source_count
    from seen
),

owned as (
    select
        billing_currency,
        sum(effective_cost) as effective_cost
    from marts.coverage
    where dimension = 'user'
    group by billing_currency
)

select
    runs.billing_currency,
    counted.source,
    any_value(counted.system) as system,
    count(*) as run_count,
    sum(runs.effective_cost) as non_additive_cost,
    coalesce(sum(runs.effective_cost) filter (where counted.source_count = 1), 0) as alone_cost,
    cast(sum(runs.effective_cost) as double)
    / nullif(cast(any_value(owned.effective_cost) as double), 0) as cost_share  -- of what is to have an owner, 0 to 1
from counted
inner join marts.runs as runs using (run_id)
inner join owned using (billing_currency)
group by runs.billing_currency, counted.source
order by runs.billing_currency asc, non_additive_cost desc, counted.source asc
