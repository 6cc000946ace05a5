-- One row is about a place where a registered dataset lies: a container and a key under it.
--
-- All bytes under the key are the dataset's, unless a longer key under it is another's, or another version's.
-- Versions that share a place are one row, which is of none of them: a listing cannot tell them apart. A place
-- that two datasets claim belongs to the one of the ownership file, else to the first by name: wrong for one of
-- them, but never paid twice.
--
-- grain: one row per container and key
-- key:   container, key_path
-- owner: ml-platform

with

places as (
    select
        dataset,
        version,
        region_id,
        owner_user,
        owner_team,
        project,
        coalesce(is_declared, true) as is_declared,
        container_of(uri) as container,
        rtrim(split_part(uri, '://', -1), '/') as path
    from staging.datasets
    where uri is not null and dataset is not null
),

versions as (
    select
        container,
        path,
        dataset,
        is_declared,
        min(version) as only_version
    from places
    group by container, path, dataset, is_declared
    having count(distinct coalesce(version, '')) = 1
)

select
    places.container,  -- bucket or volume, as last_part() writes it
    substr(places.path, length(split_part(places.path, '/', 1)) + 2) as key_path,  -- '' for the whole container
    places.dataset,
    coalesce(versions.only_version, '') as dataset_version,  -- that alone lies there; '': none, or several
    places.region_id,
    places.owner_user,
    places.owner_team,
    places.project
from places
left join versions using (container, path, dataset, is_declared)
qualify
    row_number() over (
        partition by places.container, key_path
        order by
            places.is_declared desc,
            places.dataset asc,
            places.version desc,
            places.region_id asc,
            places.owner_team asc,
            places.owner_user asc,
            places.project asc
    ) = 1
