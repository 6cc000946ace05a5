-- One row is about a table of a source: how new its newest data is.
--
-- There is no clock in the models: what is late is late against the newest delivery of any source,
-- which is about when the night ran. Exchange rates are not late on a weekend: in their place, the source
-- `exchange rates` has a row for each currency that lacks a rate on a day of cost.
--
-- grain: one row per source and table
-- key:   source, table_name
-- param: stale_hours = 36  -- a table is stale that is behind the newest delivery by more
-- owner: ml-platform

with

tables as (
    select
        source,
        table_name,
        max(version_at) as newest_data_at,
        max(landed_at) as delivered_at,
        max(unit) as newest_unit,
        max(max(landed_at)) over () - case when bool_or(connector = 'exchange_rates') then null else $stale_hours end
        * interval 1 hour as late_at
    from raw.deliveries
    group by source, table_name
),

missing as (
    select
        billing_currency || ' to ' || reporting_currency as table_name,
        'no rate for ' || count(*) || case count(*) when 1 then ' day' else ' days' end || ' of cost, from '
        || min(charge_date) || ' to ' || max(charge_date) || ': what was billed then has no cost in '
        || reporting_currency as note
    from attribution.reporting_rates
    where rate_times is null
    group by billing_currency, reporting_currency
)

select
    source,
    table_name,
    newest_data_at,  -- UTC, the source's own word
    delivered_at,  -- UTC, when it reached us
    newest_unit,  -- a month, a day, or `all` of what is kept by hand
    coalesce(newest_data_at < late_at, false) as is_stale,
    case
        when newest_data_at < late_at
            then
                'nothing newer than ' || strftime(newest_data_at, '%Y-%m-%d %H:%M')
                || ' UTC; the newest is ' || newest_unit
        else 'up to date, the newest is ' || newest_unit
    end as note
from tables
union all
select
    'exchange rates' as source,
    table_name,
    cast(null as timestamp) as newest_data_at,
    cast(null as timestamp) as delivered_at,
    cast(null as varchar) as newest_unit,
    true as is_stale,
    note
from missing
