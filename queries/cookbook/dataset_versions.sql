-- Versions of datasets by what storing, reading and making them cost, the dearest first.
--
-- A dataset's row without a version is what lies beside its versions, and what nobody can tell the version of.
--
-- grain: one row per dataset, version and billing currency
-- key:   member, version, billing_currency
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day
-- param: dataset = null    -- of one dataset; null: of all
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
    and versions.dimension = 'dataset'
    -- no dataset: costs of nobody, and bytes that nobody registered
    and versions.member not in ('unattributed', 'not a dataset''s')
    and versions.member not like '(%)'
    and (cast($dataset as varchar) is null or versions.member = $dataset)
group by versions.billing_currency, versions.member, versions.version
qualify
    row_number() over (
        partition by versions.billing_currency
        order by sum(versions.effective_cost) desc, versions.member asc, versions.version asc
    ) <= $top
order by versions.billing_currency asc, effective_cost desc, versions.member asc, versions.version asc
