-- A custom job, tuning job or pipeline of Vertex AI.
--
-- Owners are those of its labels; else its user is its service account, unless that is the one which
-- Compute Engine gives to everybody. GPUs are those that its machines were asked for with, else those
-- of their types, as far as these are known. A tuning job holds none itself: its trials do.
--
-- Flaw: a job's id on Google's bill is taken to be its full name; this was not seen on a bill.
--
-- grain: one row per job
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

pools as (
    select
        run_key,
        unnest(machines) as pool
    from staging.vertex__newest_jobs
    where kind = 'custom_job'
),

gpus as (
    select
        pools.run_key,
        cast(
            sum(
                coalesce(try_cast(pools.pool[2] as decimal(9, 3)), try_cast(known.gpu_count as decimal(9, 3)))
                * coalesce(try_cast(pools.pool[3] as integer), 1)
            ) as decimal(18, 6)
        ) as gpu_count
    from pools
    left join seeds.gpu_instances as known on known.cloud = 'gcp' and pools.pool[1] = known.instance_type
    group by pools.run_key
),

states as (
    select
        *,
        case
            when state in ('SUCCEEDED', 'PARTIALLY_SUCCEEDED') then 'succeeded'
            when state = 'FAILED' then 'failed'
            when state = 'CANCELLED' then 'cancelled'
            when state = 'EXPIRED' or is_gone then 'lost'
            when state in ('RUNNING', 'CANCELLING', 'UPDATING') then 'running'
            when state in ('QUEUED', 'PENDING', 'PAUSED') then 'queued'
            when ended_at is not null then 'lost'
            else 'queued'
        end as run_status
    from staging.vertex__newest_jobs
)

select
    states.run_key,
    states.source,
    'vertex' as system,
    states.native_id,
    1 as attempt,
    states.parent_native_id,
    case when states.kind = 'pipeline' then 'pipeline' else 'training' end as kind,
    states.name as run_name,
    states.experiment,
    coalesce(
        nullif(states.tags['user'], ''),
        nullif(states.tags['owner'], ''),
        case
            when not regexp_matches(states.service_account, '^[0-9]+-compute@developer\.gserviceaccount\.com$')
                then nullif(states.service_account, '')
        end
    ) as user_raw,
    nullif(states.tags['team'], '') as team_raw,
    nullif(states.tags['project'], '') as project_raw,
    states.run_status as status,
    states.state as status_raw,
    states.started_at,
    case
        when states.run_status = 'lost' and states.ended_at is null then greatest(states.seen_at, states.started_at)
        when states.run_status not in ('queued', 'running')
            then coalesce(states.ended_at, states.started_at)
    end as ended_at,
    coalesce(states.ended_at, states.seen_at) as last_seen_at,
    cast(null as varchar) as code_sha,
    cast(null as boolean) as code_is_dirty,
    gpus.gpu_count,
    '//aiplatform.googleapis.com/' || states.native_id as cloud_job_arn
from states
left join gpus using (run_key)
