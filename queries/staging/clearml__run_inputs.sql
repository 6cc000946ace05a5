-- A dataset that a task of ClearML read, or an address in `finops.input_dataset` of its user properties.
--
-- A version of a dataset is itself a task, whose id stands for its content; the dataset's name is what
-- its project ends with, and where that task is not known what the reader called it.
--
-- grain: one row per task, attempt, dataset and version
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

with

datasets as (
    select
        source,
        native_id,
        coalesce(
            nullif(regexp_extract(project, '/\.datasets/([^/]+)$', 1), ''), nullif(name, ''), native_id
        ) as dataset_name
    from staging.clearml__newest_tasks
    where is_dataset
    qualify row_number() over (partition by source, native_id order by attempt desc) = 1
),

used as (
    select
        run_key,
        source,
        unnest(map_keys(datasets)) as alias,
        unnest(map_values(datasets)) as dataset_id
    from staging.clearml__newest_tasks
),

said as (
    select
        run_key,
        unnest(string_split(tags['finops.input_dataset'], ',')) as address
    from staging.clearml__newest_tasks
)

select
    used.run_key,
    cast(null as varchar) as dataset_uri,
    coalesce(datasets.dataset_name, used.alias) as dataset_name,
    used.dataset_id as dataset_digest,
    cast(null as varchar) as context,
    cast(null as bigint) as bytes_read
from used
left join datasets on used.source = datasets.source and used.dataset_id = datasets.native_id
where used.dataset_id <> ''
union
select
    run_key,
    place_uri(address) as dataset_uri,
    cast(null as varchar) as dataset_name,
    cast(null as varchar) as dataset_digest,
    cast(null as varchar) as context,
    cast(null as bigint) as bytes_read
from said
where trim(address) <> ''
