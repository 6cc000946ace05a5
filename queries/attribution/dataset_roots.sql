-- One row is about a place where a registered dataset lies: a container and a key under it.
--
-- All bytes under the key are the dataset's, unless a longer key under it is another's, or another version's.
-- Versions that share a place are one row (see `version_dates`). A place that two datasets claim belongs to the
-- one of the ownership file, else to the first by name: wrong for one of them, but never paid twice.
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
        key_path_of(uri) as key_path
    from staging.datasets
    where uri is not null and dataset is not null
)

select
    container,  -- bucket or volume, as last_part() writes it
    key_path,  -- '' for the whole container
    dataset,
    region_id,
    owner_user,
    owner_team,
    project
from places
qualify
    row_number() over (
        partition by container, key_path
        order by
            is_declared desc,
            dataset asc,
            version desc,
            region_id asc,
            owner_team asc,
            owner_user asc,
            project asc
    ) = 1
