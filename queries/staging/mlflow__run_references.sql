-- A cloud resource that a run names: in a tag, or as the place of data that it read.
--
-- Ids of snapshots, volumes and images of EC2 are looked for anywhere in a tag's value; whatever a
-- run still names, somebody may want to start it from again. Deleted runs count, too: their tags can
-- be restored, a snapshot cannot.
--
-- grain: one row per run and resource
-- key:   run_key, resource_id
-- feeds: run_references
-- owner: ml-platform

with

texts as (
    select
        run_key,
        unnest(map_values(tags)) as named
    from staging.mlflow__newest_runs
    union all
    select
        run_key,
        dataset_uri as named
    from staging.mlflow__run_inputs
)

select distinct
    run_key,
    unnest(regexp_extract_all(named, '\b(?:snap|vol|ami)-[0-9a-f]{8,17}\b')) as resource_id
from texts
where contains(named, 'snap-') or contains(named, 'vol-') or contains(named, 'ami-')
