-- An execution of a task of ClearML.
--
-- When it ended:
-- ALL times known: when it was completed, which ClearML says of what failed or was stopped, too.
-- SOME known: one that gave no sign of life for $lost_after_hours, that ClearML's own watchdog stopped
-- for that, that was deleted or run again while it was not over is `lost`, and ended with the last
-- report of its worker, or else its last update.
--
-- A task's parent counts where it is a controller or an optimizer, whose steps and trials run inside it;
-- the parent of a copy is what it was copied from.
--
-- Flaws: an execution that began and was replaced between two nights is not known. Whether the code was
-- committed is not asked: the answer would hold the code.
--
-- grain: one row per task and attempt
-- key:   run_key
-- feeds: runs
-- param: lost_after_hours = 24  -- hours without a sign of life after which an open run is over
-- owner: ml-platform

with

controllers as (
    select distinct
        source,
        native_id
    from staging.clearml__newest_tasks
    where type in ('controller', 'optimizer')
),

tasks as (
    select
        *,
        regexp_replace(project, '/\.(datasets|pipelines|reports)/.*$', '') as shown_project,
        greatest(reported_at, updated_at) as sign_at,
        epoch_ms(seen_at) - epoch_ms(greatest(reported_at, updated_at, started_at)) as silent_ms,
        case
            when status = 'stopped' and lower(status_reason) like '%non-responsive%' then 'lost'
            when status in ('completed', 'published', 'closed', 'publishing') then 'succeeded'
            when status = 'failed' then 'failed'
            when status = 'stopped' then 'cancelled'
            when is_gone or is_replaced then 'lost'
            when status = 'queued' then 'queued'
            when status <> 'in_progress' then 'lost'
            when silent_ms >= $lost_after_hours * 3600000 then 'lost'
            else 'running'
        end as run_status
    from staging.clearml__newest_tasks
)

select
    tasks.run_key,
    tasks.source,
    'clearml' as system,
    tasks.native_id,
    tasks.attempt,
    controllers.native_id as parent_native_id,
    coalesce(
        nullif(tasks.tags['finops.kind'], ''),
        case
            when tasks.type = 'training' and not tasks.is_dataset then 'training'
            when tasks.type in ('controller', 'optimizer') then 'pipeline'
            else 'job'
        end
    ) as kind,
    coalesce(nullif(tasks.name, ''), tasks.native_id) as run_name,
    tasks.project as experiment,
    coalesce(nullif(tasks.tags['finops.user'], ''), tasks.user_name) as user_raw,
    coalesce(nullif(tasks.tags['finops.team'], ''), nullif(tasks.tags['team'], '')) as team_raw,
    coalesce(
        nullif(tasks.tags['finops.project'], ''), nullif(tasks.tags['project'], ''), tasks.shown_project
    ) as project_raw,
    tasks.run_status as status,
    tasks.status as status_raw,
    tasks.started_at,
    case
        when tasks.run_status = 'lost'
            then greatest(coalesce(tasks.reported_at, tasks.completed_at, tasks.updated_at), tasks.started_at)
        when tasks.run_status not in ('queued', 'running')
            then coalesce(tasks.completed_at, greatest(tasks.sign_at, tasks.started_at))
    end as ended_at,
    coalesce(tasks.completed_at, tasks.sign_at) as last_seen_at,
    tasks.commit_sha as code_sha,
    cast(null as boolean) as code_is_dirty,
    coalesce(try_cast(tasks.tags['finops.gpu_count'] as decimal(18, 6)), tasks.gpu_count) as gpu_count,
    nullif(tasks.tags['finops.cloud_job_arn'], '') as cloud_job_arn
from tasks
left join controllers on tasks.source = controllers.source and tasks.parent_id = controllers.native_id
