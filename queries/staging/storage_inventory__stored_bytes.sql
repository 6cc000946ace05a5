-- Bytes that lie under a prefix of a bucket or volume on a day.
--
-- The newest version of each file counts, and of two files that tell of a day of a container the one
-- written last. Bytes are current unless the file says otherwise.
--
-- grain: one row per day, container, prefix, storage class and whether the objects are current
-- key:   charge_date, container, prefix, storage_class, is_current
-- feeds: stored_bytes
-- owner: ml-platform

with

newest_files as (
    select *
    from raw.storage_inventory__stored_bytes
    qualify
        row(x_version_at, x_version)
        = max(row(x_version_at, x_version)) over (partition by x_source, x_unit)
),

newest_days as (
    select *
    from newest_files
    qualify
        row(x_version_at, x_source, x_unit)
        = max(row(x_version_at, x_source, x_unit)) over (partition by day, container)
)

select
    cast(day as date) as charge_date,
    container,
    coalesce(prefix, '') as prefix,
    coalesce(storage_class, 'STANDARD') as storage_class,
    size_bytes,
    object_count,
    coalesce(is_current, true) as is_current
from newest_days
