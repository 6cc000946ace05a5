-- A version of a registered model, and the run that made it.
--
-- ALL versions that name their run are its. SOME name only the logged model they were registered
-- from (`models:/m-...`): they belong to the run that put it out. Those with NONE of both were
-- uploaded by hand, and no run's. A version that was deleted stays: the run did make it. A renamed
-- model keeps its versions and their times of creation: a name that another has replaced since does
-- not count. A model of a workspace other than the default one is called `workspace/model`: two
-- workspaces may have a model of one name.
--
-- grain: one row per version and run
-- key:   run_key, model_name, model_version
-- feeds: run_models
-- owner: ml-platform

with

names as (
    select
        x_source,
        workspace,
        coalesce(workspace || '/', '') || name as name,
        version,
        run_id,
        source,
        creation_time,
        min(x_version_at) as first_at,
        max(x_version_at) as last_at
    from raw.mlflow__model_versions
    group by x_source, workspace, name, version, run_id, source, creation_time
),

versions as (  -- without those that came up under another name later
    select *
    from names
    qualify last_at >= max(first_at) over (partition by x_source, workspace, version, creation_time, source, run_id)
),

logged_models as (
    select
        newest_runs.run_key,
        newest_runs.source,
        logged_models.model_id
    from raw.mlflow__run_logged_models as logged_models
    inner join staging.mlflow__newest_runs as newest_runs
        on
            logged_models.x_source = newest_runs.source
            and logged_models.run_id = newest_runs.run_id
            and logged_models.x_unit = newest_runs.unit
)

select
    newest_runs.run_key,
    versions.name as model_name,
    versions.version as model_version
from versions
inner join staging.mlflow__newest_runs as newest_runs
    on versions.x_source = newest_runs.source and versions.run_id = newest_runs.run_id
union
select
    logged_models.run_key,
    versions.name as model_name,
    versions.version as model_version
from versions
inner join logged_models
    on
        versions.x_source = logged_models.source
        and versions.source = 'models:/' || logged_models.model_id
where versions.run_id is null
