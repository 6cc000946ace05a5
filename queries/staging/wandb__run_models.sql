-- A version of a model that a run of W&B made: an artifact of the type model.
--
-- Flaw: models of one name in two projects are one model.
--
-- grain: one row per run and version
-- key:   run_key, model_name, model_version
-- feeds: run_models
-- owner: ml-platform

with

made as (
    select
        run_key,
        unnest(outputs) as artifact
    from staging.wandb__newest_runs
)

select distinct
    run_key,
    split_part(artifact[2], '/', -1) as model_name,
    artifact[3] as model_version
from made
where artifact[1] = 'model' and artifact[2] <> ''
