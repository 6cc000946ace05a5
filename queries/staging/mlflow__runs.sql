-- A run that was logged with MLflow.
--
-- When a run ended:
-- ALL times known: at its end time.
-- SOME known: a run that is over without an end time ended at its last sign of life, which is its
-- newest metric, or else its start. So did a run that still claims to run but has given no sign for
-- $lost_after_hours: its process died without a word, and its status is `lost`.
-- NONE known: a run without a start time keeps none, and takes part in nothing that needs one.
--
-- Flaws: a run that logs no metric for a day counts as lost until it ends; then its own times
-- replace the guess. Times are those of the machine that logged the run. The user is what the client
-- said; in a container that is often root.
--
-- An experiment of a workspace other than the default one is called `workspace/experiment`.
--
-- grain: one row per run
-- key:   run_key
-- feeds: runs
-- param: lost_after_hours = 24  -- hours without a sign of life after which an open run is over
-- owner: ml-platform

with

experiments as (
    select
        x_source as source,
        experiment_id,
        coalesce(workspace || '/', '') || name as experiment
    from raw.mlflow__experiments
    qualify
        row_number() over (
            partition by x_source, experiment_id
            order by x_version_at desc, x_unit desc
        ) = 1
),

signs_of_life as (
    select
        *,
        nullif(start_time, 0) as start_ms,
        greatest(nullif(start_time, 0), end_time, last_metric_time) as last_seen_ms,
        epoch_ms(extracted_at) as extracted_ms
    from staging.mlflow__newest_runs
),

runs as (
    select
        *,
        case
            when status = 'FINISHED' then 'succeeded'
            when status = 'FAILED' then 'failed'
            when status = 'KILLED' then 'cancelled'
            when status = 'SCHEDULED' then 'queued'
            when status = 'RUNNING' and extracted_ms - last_seen_ms < $lost_after_hours * 3600000 then 'running'
            else 'lost'
        end as run_status
    from signs_of_life
)

select
    run_key,
    source,
    'mlflow' as system,
    run_id as native_id,
    1 as attempt,
    nullif(tags['mlflow.parentRunId'], '') as parent_native_id,
    coalesce(nullif(tags['finops.kind'], ''), 'training') as kind,
    coalesce(run_name, run_id) as run_name,
    experiment,
    coalesce(nullif(tags['finops.user'], ''), nullif(tags['mlflow.user'], ''), nullif(user_id, 'unknown')) as user_raw,
    coalesce(nullif(tags['finops.team'], ''), nullif(tags['team'], '')) as team_raw,
    coalesce(nullif(tags['finops.project'], ''), nullif(tags['project'], '')) as project_raw,
    run_status as status,
    status as status_raw,
    make_timestamp(start_ms * 1000) as started_at,
    make_timestamp(
        case
            when run_status not in ('queued', 'running')
                then coalesce(end_time, last_seen_ms) * 1000
        end
    ) as ended_at,
    make_timestamp(last_seen_ms * 1000) as last_seen_at,
    nullif(tags['mlflow.source.git.commit'], '') as code_sha,
    try_cast(tags['mlflow.source.git.dirty'] as boolean) as code_is_dirty,
    cast(
        list_sum(
            list_transform(
                regexp_split_to_array(tags['finops.gpu_count'], ','),
                lambda part: try_cast(trim(part) as decimal(18, 6))
            )
        ) as decimal(18, 6)
    ) as gpu_count,  -- of all its places
    coalesce(
        nullif(tags['finops.cloud_job_arn'], ''),
        list_filter(map_values(tags), lambda tag: tag like 'arn:aws%:sagemaker:%:%-job/%')[1]
    ) as cloud_job_arn
from runs
left join experiments using (source, experiment_id)
