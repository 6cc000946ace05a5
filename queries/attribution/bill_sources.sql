-- One row is about a source of bills: up to which day it bills use.
--
-- The newest of those days is "today" to every detector, so that a build says the same whenever it
-- runs. Purchases, taxes and credits may be dated ahead, and do not count; nor do days to which a cost
-- is spread that was paid ahead (`line_dates`).
--
-- grain: one row per source
-- key:   source
-- owner: ml-platform

with

current_days as (
    select distinct
        source,
        charge_date
    from attribution.line_dates
    where is_current
),

days as (
    select
        source,
        max(charge_date) as newest_date
    from attribution.member_spend
    semi join current_days using (source, charge_date)
    where dimension = 'service' and cost_kind in ('direct', 'idle', 'unattributed')
    group by source
),

providers as (
    select
        source,
        min(provider) as provider
    from raw.totals
    group by source
    having count(distinct provider) = 1
)

select
    days.source,
    providers.provider,  -- null where the source bills for several
    days.newest_date,
    max(days.newest_date) over () as as_of  -- the newest day of all sources
from days
left join providers using (source)
