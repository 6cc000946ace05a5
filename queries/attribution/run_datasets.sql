-- One row is about data that a run read or wrote, and the registered dataset that it belongs to.
--
-- What several records of a run say of one location counts once: the most bytes that any counted.
-- A location counts before a name: the dataset with the longest key that the location lies under, and the version
-- that alone lay there then before a digest that the run tells, so that readers, writers and storage call it alike.
-- What lakeFS names lies where the repository's bytes do.
-- Data of no registered dataset keeps its container, whose region the bill may know.
--
-- grain: one row per run, direction and location or name
-- owner: ml-platform

with

record_inputs as (
    select
        run_links.run_id,
        run_inputs.run_key,
        run_inputs.dataset_uri,
        case when run_inputs.dataset_uri is null then run_inputs.dataset_name end as dataset_name,
        list(distinct run_inputs.dataset_digest) as versions,
        cast(sum(run_inputs.bytes_read) as bigint) as bytes_read
    from staging.run_inputs
    inner join attribution.run_links using (run_key)
    where run_links.record_count > 1
    group by all
),

locations as (
    select
        run_links.run_id,
        'read' as direction,
        run_inputs.dataset_uri,
        run_inputs.dataset_name,
        [run_inputs.dataset_digest] as versions,
        run_inputs.bytes_read
    from staging.run_inputs
    inner join attribution.run_links using (run_key)
    where run_links.record_count = 1
    union all
    select
        run_id,
        'read' as direction,
        dataset_uri,
        dataset_name,
        flatten(list(versions)) as versions,
        max(bytes_read) as bytes_read
    from record_inputs
    group by run_id, dataset_uri, dataset_name
    union all
    select
        run_links.run_id,
        'written' as direction,
        run_outputs.dataset_uri,
        null as dataset_name,
        [run_outputs.dataset_digest] as versions,
        null as bytes_read
    from staging.run_outputs
    inner join attribution.run_links using (run_key)
),

paths as (
    select
        *,
        row_number() over (order by run_id, direction, dataset_uri, dataset_name, bytes_read) as location_id,
        container_of(dataset_uri) as container,
        key_path_of(dataset_uri) as key_path
    from locations
),

found_by_location as (
    select
        paths.location_id,
        paths.run_id,
        paths.direction,
        dataset_roots.container,
        dataset_roots.key_path,
        dataset_roots.dataset,
        dataset_roots.region_id
    from paths
    inner join attribution.dataset_roots
        on
            paths.container = dataset_roots.container
            and (
                dataset_roots.key_path = ''
                or starts_with(paths.key_path || '/', dataset_roots.key_path || '/')
            )
    qualify
        row_number() over (
            partition by paths.location_id order by length(dataset_roots.key_path) desc
        ) = 1
),

-- data is read when a run begins, and there when it is over
run_times as (
    select
        run_id,
        'read' as direction,
        cast(started_at as date) as at_date
    from attribution.run_facts
    union all
    select
        run_id,
        'written' as direction,
        cast(coalesce(ended_at, last_seen_at, started_at) as date) as at_date
    from attribution.run_facts
),

place_versions as (
    select
        found_by_location.location_id,
        [
            max(version_dates.version) filter (
                where
                run_times.at_date >= version_dates.from_date
                and run_times.at_date < version_dates.to_date
            )
        ] as versions
    from found_by_location
    inner join run_times using (run_id, direction)
    inner join attribution.version_dates using (container, key_path, dataset)
    group by found_by_location.location_id
),

named_datasets as (
    select
        dataset,
        container,
        region_id
    from attribution.dataset_roots
    where not starts_with(container, 'lakefs://')
    qualify row_number() over (partition by dataset order by container, key_path) = 1
)

select
    paths.run_id,
    paths.direction,  -- read or written
    coalesce(found_by_location.dataset, named_datasets.dataset) as dataset,  -- null: unregistered
    case
        when
            named_datasets.dataset is not null
            and (found_by_location.dataset is null or starts_with(paths.container, 'lakefs://'))
            then named_datasets.container
        else paths.container
    end as container,
    case
        when found_by_location.dataset is null or starts_with(paths.container, 'lakefs://')
            then coalesce(found_by_location.region_id, named_datasets.region_id)
        else found_by_location.region_id
    end as region_id,  -- as registered
    case
        when coalesce(found_by_location.dataset, named_datasets.dataset) is null then paths.dataset_uri
    end as unregistered_uri,
    -- the one of the place, where a registry tells which; else digests that records of the run name, or none
    coalesce(place_versions.versions, paths.versions) as versions,
    paths.bytes_read  -- null where the source does not say
from paths
left join found_by_location using (location_id)
left join place_versions using (location_id)
left join named_datasets on coalesce(found_by_location.dataset, paths.dataset_name) = named_datasets.dataset
