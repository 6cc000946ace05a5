-- Versions of models by what training and serving them cost, the dearest first.
--
-- A model's row without a version is what nobody can tell the version of.
--
-- grain: one row per model, version and billing currency
-- key:   member, version, billing_currency
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day
-- param: model = null      -- of one model; null: of all
-- param: top = 50          -- how many of each currency

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
)

select
    versions.billing_currency,
    versions.member,
    versions.version,
    sum(versions.effective_cost) as effective_cost,
    sum(versions.billed_cost) as billed_cost,
    sum(versions.gpu_hours) as gpu_hours,
    count(distinct versions.charge_date) as day_count  -- days on which it cost something
from marts.version_spend as versions
cross join days
where
    versions.charge_date between days.from_date and days.to_date
    and versions.dimension = 'model'
    -- no model: costs of nobody
    and versions.member not in ('unattributed', 'not a model''s')
    and versions.member not like '(%)'
    and (cast($model as varchar) is null or versions.member = $model)
group by versions.billing_currency, versions.member, versions.version
qualify
    row_number() over (
        partition by versions.billing_currency
        order by sum(versions.effective_cost) desc, versions.member asc, versions.version asc
    ) <= $top
order by versions.billing_currency asc, effective_cost desc, versions.member asc, versions.version asc
