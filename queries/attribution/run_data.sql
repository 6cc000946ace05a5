-- One row is about data that a run read or wrote, called so that readers and writers meet.
--
-- A registered dataset is called by its name, at whatever location or name in it. Other data are called by
-- where they lie, and who reads a location, a part of it or a folder around it read what was written there:
-- both call it by the outer of the two places, `s3://bucket/folder` where that was written and a part of it
-- read, `s3://bucket/folder/*` where parts of it were written and it was read. So a run has no more rows than
-- there are folders around what it read or wrote, however many files lie in them.
-- A file on a machine's own disk (no scheme, or file://) is data of that machine alone, and what nobody
-- wrote, or nobody read, leads nowhere: neither has a row.
--
-- grain: one row per run, direction and data
-- key:   run_id, direction, data
-- owner: ml-platform

with

unregistered as (
    select distinct
        run_id,
        direction,
        unregistered_uri as uri
    from attribution.run_datasets
    where contains(unregistered_uri, '://') and not starts_with(unregistered_uri, 'file:')
),

locations as (
    select distinct
        direction,
        uri,
        string_split(uri, '/') as parts
    from unregistered
),

-- itself and every folder around it, up to the bucket
around as (
    select
        direction,
        uri,
        unnest(
            list_transform(
                range(3, len(parts) + 1), lambda place: array_to_string(list_slice(parts, 1, place), '/')
            )
        ) as folder
    from locations
),

meetings as (
    select
        around.direction,
        around.uri,
        around.folder as data
    from around
    inner join locations on around.folder = locations.uri
    where around.direction = 'read' and locations.direction = 'written'
    union all
    select
        around.direction,
        around.uri,
        around.folder || '/*' as data
    from around
    inner join locations on around.folder = locations.uri
    where around.direction = 'written' and locations.direction = 'read' and around.uri <> around.folder
),

calls as (
    select
        direction,
        uri,
        data
    from meetings
    union all
    select
        'written' as direction,
        data as uri,
        data
    from meetings
    where direction = 'read'
    union
    select
        'read' as direction,
        left(data, length(data) - 2) as uri,
        data
    from meetings
    where direction = 'written'
),

all_data as (
    select
        run_id,
        direction,
        dataset as data,
        true as is_registered
    from attribution.run_datasets
    where dataset is not null
    union all
    select
        unregistered.run_id,
        unregistered.direction,
        calls.data,
        false as is_registered
    from unregistered
    inner join calls using (direction, uri)
)

select
    run_id,
    direction,  -- read or written
    data,  -- a registered dataset, or a location
    bool_or(is_registered) as is_registered
from all_data
group by run_id, direction, data
