-- Bytes that lie under a prefix of a bucket or volume on a day.
--
-- The newest version of each file counts. Bytes are current unless the file says otherwise.
--
-- grain: one row per day, container, prefix, storage class and currency of the objects
-- feeds: stored_bytes
-- owner: ml-platform

select
    cast(day as date) as charge_date,
    container,
    coalesce(prefix, '') as prefix,
    coalesce(storage_class, 'STANDARD') as storage_class,
    size_bytes,
    object_count,
    coalesce(is_current, true) as is_current
from raw.storage_inventory__stored_bytes
qualify x_version_at = max(x_version_at) over (partition by x_source, x_unit)
