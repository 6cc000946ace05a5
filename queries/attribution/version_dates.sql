-- One row is about the days on which one version of a dataset alone lies at a place.
--
-- Of versions that share a place, each is there from its `valid_from` until the next one's, and one without such
-- a day from the beginning. Those of one day cannot be told apart: no row. What the ownership file tells of a place
-- counts before what a tool does.
--
-- grain:  one row per place, dataset and first day
-- key:    container, key_path, dataset, from_date
-- owner:  ml-platform

with

places as (
    select
        dataset,
        coalesce(version, '') as version,
        coalesce(valid_from, date '0001-01-01') as from_date,
        coalesce(is_declared, true) as is_declared,
        container_of(uri) as container,
        key_path_of(uri) as key_path
    from staging.datasets
    where uri is not null and dataset is not null
),

believed as (
    select *
    from places
    qualify is_declared = bool_or(is_declared) over (partition by container, key_path, dataset)
),

starts as (
    select
        container,
        key_path,
        dataset,
        from_date,
        case when count(distinct version) = 1 then min(version) end as version
    from believed
    group by container, key_path, dataset, from_date
),

spans as (
    select
        *,
        lead(from_date, 1, date '9999-12-31') over (
            partition by container, key_path, dataset order by from_date
        ) as to_date
    from starts
)

select
    container,  -- bucket or volume, as last_part() writes it
    key_path,  -- '' for the whole container
    dataset,
    version,
    from_date,  -- inclusive
    to_date  -- exclusive
from spans
where version <> ''
