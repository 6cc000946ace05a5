-- One row is about data that a run read or wrote, called so that readers and writers meet.
--
-- A registered dataset is called by its name, at whatever location or name in it. Other data are called
-- by the location that somebody wrote: who reads that location, a part of it, or a folder around it,
-- read what was written. A file on a machine's own disk (no scheme, or file://) is data of that machine
-- alone, and what nobody wrote leads nowhere: neither has a row.
--
-- grain: one row per run, direction and data
-- key:   run_id, direction, data
-- owner: ml-platform

with

unregistered as (
    select distinct
        run_id,
        direction,
        unregistered_uri as uri,
        string_split(unregistered_uri, '/') as parts
    from attribution.run_datasets
    where contains(unregistered_uri, '://') and not starts_with(unregistered_uri, 'file:')
),

locations as (
    select distinct
        direction,
        uri,
        -- itself and every folder around it, up to the bucket
        list_transform(
            range(3, len(parts) + 1), lambda place: array_to_string(list_slice(parts, 1, place), '/')
        ) as folders
    from unregistered
),

around as (
    select
        direction,
        uri,
        unnest(folders) as folder
    from locations
),

meetings as (
    select
        reads.uri as read_uri,
        writes.uri as written_uri
    from around as reads
    inner join locations as writes on reads.folder = writes.uri
    where reads.direction = 'read' and writes.direction = 'written'
    union
    select
        reads.uri as read_uri,
        writes.uri as written_uri
    from around as writes
    inner join locations as reads on writes.folder = reads.uri
    where reads.direction = 'read' and writes.direction = 'written'
),

all_data as (
    select distinct
        run_id,
        direction,
        dataset as data,
        true as is_registered
    from attribution.run_datasets
    where dataset is not null
    union all
    select
        run_id,
        direction,
        uri as data,
        false as is_registered
    from unregistered
    where direction = 'written'
    union all
    select
        unregistered.run_id,
        unregistered.direction,
        meetings.written_uri as data,
        false as is_registered
    from unregistered
    inner join meetings on unregistered.uri = meetings.read_uri
    where unregistered.direction = 'read'
)

select
    run_id,
    direction,  -- read or written
    data,  -- a registered dataset, or a location that somebody wrote
    bool_or(is_registered) as is_registered
from all_data
group by run_id, direction, data
