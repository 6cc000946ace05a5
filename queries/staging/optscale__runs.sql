-- A run of OptScale's tracker.
--
-- Owners are those of its tags, else the owner of its task, by the id that OptScale gives to people.
--
-- grain: one row per run
-- key:   run_key
-- feeds: runs
-- owner: ml-platform

with

states as (
    select
        *,
        case
            when state = 2 then 'succeeded'
            when state = 3 then 'failed'
            when state = 4 then 'cancelled'
            when is_gone then 'lost'
            when state = 1 then 'running'
            else 'lost'
        end as run_status
    from staging.optscale__newest_runs
)

select
    run_key,
    source,
    'optscale' as system,
    native_id,
    1 as attempt,
    cast(null as varchar) as parent_native_id,
    coalesce(nullif(tags['finops.kind'], ''), 'training') as kind,
    concat_ws(' #', coalesce(nullif(name, ''), native_id), number) as run_name,
    task as experiment,
    coalesce(nullif(tags['finops.user'], ''), nullif(tags['user'], ''), nullif(owner_id, '')) as user_raw,
    coalesce(nullif(tags['finops.team'], ''), nullif(tags['team'], '')) as team_raw,
    coalesce(nullif(tags['finops.project'], ''), nullif(tags['project'], '')) as project_raw,
    run_status as status,
    case state when 1 then 'started' when 2 then 'finished' when 3 then 'error' when 4 then 'aborted' end as status_raw,
    started_at,
    case
        when run_status = 'lost' and ended_at is null then greatest(seen_at, started_at)
        when run_status <> 'running' then coalesce(ended_at, started_at)
    end as ended_at,
    coalesce(ended_at, seen_at) as last_seen_at,
    git_commit as code_sha,
    case lower(git_status) when 'clean' then false when 'dirty' then true end as code_is_dirty,
    cast(null as decimal(18, 6)) as gpu_count,
    cast(null as varchar) as cloud_job_arn
from states
