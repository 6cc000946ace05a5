-- How new each source's data are, the stale ones first.
--
-- grain: one row per source and table
-- key:   source, table_name

select
    source,
    table_name,
    newest_data_at,
    delivered_at,
    is_stale,
    note
from marts.freshness
order by is_stale desc, source asc, table_name asc
