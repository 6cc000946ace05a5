-- One row is about a table of a source: how new its newest data is.
--
-- There is no clock in the models: what is late is late against the newest delivery of any source,
-- which is about when the night ran.
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
        max(max(landed_at)) over () as night_at
    from raw.deliveries
    group by source, table_name
)

select
    source,
    table_name,
    newest_data_at,  -- UTC, the source's own word
    delivered_at,  -- UTC, when it reached us
    newest_unit,  -- a month, a day, or `all` of what is kept by hand
    newest_data_at < night_at - $stale_hours * interval 1 hour as is_stale,
    case
        when newest_data_at < night_at - $stale_hours * interval 1 hour
            then
                'nothing newer than ' || strftime(newest_data_at, '%Y-%m-%d %H:%M')
                || ' UTC; the newest is ' || newest_unit
        else 'up to date, the newest is ' || newest_unit
    end as note
from tables
