-- Where the runs of an MLflow experiment store their files.
--
-- What a server serves itself (`mlflow-artifacts:`) lies under the root that the config names; where
-- it names none, nobody knows where, and there is no row.
--
-- grain: one row per experiment
-- key:   source, experiment_id
-- feeds: artefact_roots
-- owner: ml-platform

with

experiments as (
    select
        *,
        case
            when artifact_location like 'mlflow-artifacts:%'
                then
                    rtrim(artifacts_root, '/') || '/'
                    || trim(regexp_replace(artifact_location, '^mlflow-artifacts:(//[^/]*)?', ''), '/')
            else artifact_location
        end as location
    from raw.mlflow__experiments
    qualify
        row_number() over (
            partition by x_source, experiment_id
            order by x_version_at desc, x_unit desc
        ) = 1
)

select
    x_source as source,
    experiment_id,
    place_uri(location) as root_uri,
    coalesce(lifecycle_stage = 'deleted', false) as is_deleted,
    coalesce(has_all_runs, false) as has_all_runs
from experiments
where place_uri(location) is not null
