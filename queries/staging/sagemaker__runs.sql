-- A job, endpoint or notebook of SageMaker.
--
-- Owners are those of its tags; jobs that were started in Studio carry the profile of who did. GPUs
-- are those of the types of its machines, as far as these are known.
--
-- Flaw: a notebook that was stopped and started again counts from when it was made.
--
-- grain: one row per work
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

machines as (
    select
        run_key,
        unnest(machine_types) as machine_type,
        unnest(machine_counts) as machine_count
    from staging.sagemaker__newest_works
),

gpus as (
    select
        machines.run_key,
        cast(
            sum(
                try_cast(known.gpu_count as decimal(9, 3)) * try_cast(machines.machine_count as integer)
            ) as decimal(18, 6)
        ) as gpu_count
    from machines
    inner join seeds.gpu_instances as known
        on known.cloud = 'aws' and replace(machines.machine_type, 'ml.', '') = known.instance_type
    group by machines.run_key
)

select
    run_key,
    source,
    'sagemaker' as system,
    arn as native_id,
    1 as attempt,
    parent_arn as parent_native_id,
    coalesce(
        nullif(tags['finops.kind'], ''),
        case
            when kind = 'training_job' then 'training'
            when kind = 'endpoint' then 'serving'
            when kind = 'notebook' then 'notebook'
            else 'job'
        end
    ) as kind,
    name as run_name,
    experiment,
    coalesce(
        nullif(tags['finops.user'], ''),
        nullif(tags['user'], ''),
        nullif(split_part(tags['sagemaker:user-profile-arn'], '/', -1), '')
    ) as user_raw,
    coalesce(nullif(tags['finops.team'], ''), nullif(tags['team'], '')) as team_raw,
    coalesce(nullif(tags['finops.project'], ''), nullif(tags['project'], '')) as project_raw,
    case
        when status = 'Completed' then 'succeeded'
        when status in ('Failed', 'UpdateRollbackFailed') then 'failed'
        when status in ('Stopped', 'Deleted') then 'cancelled'
        when status in ('InProgress', 'Stopping', 'Deleting', 'InService', 'OutOfService') then 'running'
        when status in ('Updating', 'SystemUpdating', 'RollingBack') then 'running'
        when status in ('PendingMaintenance', 'InMaintenance') then 'running'
        when status in ('Creating', 'Pending') then 'queued'
        else 'lost'
    end as status,
    status as status_raw,
    started_at,
    ended_at,
    coalesce(ended_at, observed_at) as last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    gpus.gpu_count,
    arn as cloud_job_arn
from staging.sagemaker__newest_works
left join gpus using (run_key)
