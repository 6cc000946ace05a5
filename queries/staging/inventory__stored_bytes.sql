-- Bytes that lie under a folder of a bucket on a day, as inventories of objects list them.
--
-- A folder that two sources list on a day is not counted twice: the larger of the two counts.
--
-- grain: one row per day, container, prefix, storage class and whether the objects are current
-- key:   charge_date, container, prefix, storage_class, is_current
-- feeds: stored_bytes
-- owner: ml-platform

select
    charge_date,
    container,
    prefix,
    storage_class,
    max(size_bytes) as size_bytes,
    max(object_count) as object_count,
    is_current
from staging.listed_bytes
group by charge_date, container, prefix, storage_class, is_current
