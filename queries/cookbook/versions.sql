-- Versions of models, or of datasets, by what they cost, the dearest first.
--
-- A model's version costs training and serving it, a dataset's storing, reading and making it. A row without a
-- version is what nobody can tell the version of, and of datasets what lies beside their versions.
--
-- grain: one row per model or dataset, version and billing currency
-- key:   member, version, billing_currency
-- param: dimension = 'model'  -- model or dataset
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day
-- param: member = null     -- of one model or dataset; null: of all
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
    and versions.dimension = $dimension
    -- neither costs of nobody, nor bytes that nobody registered
    and versions.member not in ('unattributed', 'not a model''s', 'not a dataset''s')
    and versions.member not like '(%)'
    and (cast($member as varchar) is null or versions.member = cast($member as varchar))
group by versions.billing_currency, versions.member, versions.version
qualify
    row_number() over (
        partition by versions.billing_currency
        order by sum(versions.effective_cost) desc, versions.member asc, versions.version asc
    ) <= $top
order by versions.billing_currency asc, effective_cost desc, versions.member asc, versions.version asc
