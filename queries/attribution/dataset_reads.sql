-- One row is about bytes of a dataset that a principal read on a day, as the store's logs have them.
--
-- What a principal's name tells is taken apart here: a session called after a machine is that
-- machine's, a user of IAM or a session of single sign-on is a person, any other is nobody by name.
--
-- grain:  one row per day, container, dataset, version, principal's name and whether the read stayed in the region
-- key:    charge_date, container, dataset, dataset_version, instance_id, reader_user, is_local
-- hashed: charge_date
-- owner:  ml-platform

with

reads as (
    select
        charge_date,
        last_part(container) as container,
        trim(prefix, '/') as key_path,
        coalesce(split_part(requester_raw, '/', -1), '') as reader,
        coalesce(
            contains(requester_raw, ':user/') or contains(requester_raw, ':assumed-role/AWSReservedSSO_'),
            false
        ) as is_person,
        coalesce(requester_region = 'same', false) as is_local,
        cast(sum(bytes_sent) as bigint) as read_bytes
    from staging.object_reads
    group by all
),

places as (
    select distinct
        container,
        key_path
    from reads
),

place_datasets as (
    select
        places.container,
        places.key_path,
        coalesce(dataset_roots.dataset, '(unregistered)') as dataset,
        dataset_roots.key_path as root_path
    from places
    left join attribution.dataset_roots
        on
            places.container = dataset_roots.container
            and (
                dataset_roots.key_path = ''
                or starts_with(places.key_path || '/', dataset_roots.key_path || '/')
            )
    qualify
        row_number() over (
            partition by places.container, places.key_path
            order by length(dataset_roots.key_path) desc nulls last
        ) = 1
)

select
    reads.charge_date,
    reads.container,  -- as last_part() writes it
    place_datasets.dataset,
    coalesce(version_dates.version, '') as dataset_version,  -- that alone lay where it was read; '': none did
    case when starts_with(reads.reader, 'i-') then lower(reads.reader) else '' end as instance_id,
    case when reads.is_person then reads.reader else '' end as reader_user,  -- '' where it names nobody
    reads.is_local,  -- within the container's region, which costs nothing
    cast(sum(reads.read_bytes) as bigint) as read_bytes
from reads
inner join place_datasets using (container, key_path)
left join attribution.version_dates
    on
        reads.container = version_dates.container
        and place_datasets.root_path = version_dates.key_path
        and place_datasets.dataset = version_dates.dataset
        and reads.charge_date >= version_dates.from_date
        and reads.charge_date < version_dates.to_date
group by all
having sum(reads.read_bytes) > 0
