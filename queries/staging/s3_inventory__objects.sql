-- Bytes under a folder of a bucket, by storage class, as one S3 Inventory lists them.
--
-- Sizes are what is billed: an object of an infrequent-access class counts as 128 KiB at least.
-- Where an inventory lists current versions alone, all it lists is current. Delete markers hold no
-- bytes. Folders are kept to `prefix_depth`; a key that cannot be decoded stays as it is written.
--
-- Known drawbacks: a dataset registered deeper than that, or as a single object, is not seen.
--
-- grain:     one row per bucket, folder, storage class and whether the objects are current
-- key:       charge_date, container, prefix, storage_class, is_current
-- partition: charge_date
-- feeds:     listed_bytes
-- param:     prefix_depth = 6  -- folders of a key that are told apart
-- owner:     ml-platform

with

objects as (
    select
        cast(right(x_unit, 10) as date) as charge_date,
        bucket,
        coalesce(try(url_decode(replace(key_encoded, '+', ' '))), key_encoded, key) as object_key,
        coalesce(nullif(storage_class, ''), 'STANDARD') as storage_class,
        coalesce(is_latest, true) and not coalesce(is_delete_marker, false) as is_current,
        coalesce(is_delete_marker, false) as is_delete_marker,
        coalesce(size, 0) as size_bytes
    from raw.s3_inventory__objects
)

select
    charge_date,
    bucket as container,
    key_folder(object_key, $prefix_depth) as prefix,
    storage_class,
    cast(
        sum(
            case
                when is_delete_marker then 0
                when storage_class in ('STANDARD_IA', 'ONEZONE_IA', 'GLACIER_IR')
                    then greatest(size_bytes, 131072)
                else size_bytes
            end
        ) as bigint
    ) as size_bytes,
    count(*) filter (where not is_delete_marker) as object_count,
    is_current
from objects
group by all
