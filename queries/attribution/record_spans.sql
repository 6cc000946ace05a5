-- One row is about a source's record of a run: when it ran, and how its system stands to others.
--
-- A record without an end, or with one before its start, lasts until its last sign of life; one without
-- either has no length. An end more than three years after the start is a fault of the source and cut off there.
--
-- Systems are of four kinds (`seeds/run_systems.csv`), and two orders stand between them when several
-- have a record of one run. What people say, names and models, teams and projects, is the tracker's
-- to tell first, then a platform's, an orchestrator's, a scheduler's. What the machine room knows,
-- who asked for the machine and how it ended, is the scheduler's to tell first, then a platform's, a
-- tracker's, an orchestrator's.
--
-- grain:  one row per record of a run
-- key:    run_key
-- inline: yes
-- owner:  ml-platform

select
    runs.run_key,
    runs.source,
    coalesce(runs.system, runs.source) as system,
    runs.native_id,
    runs.parent_native_id,
    coalesce(runs.kind = 'pipeline', false) as is_pipeline,
    runs.user_raw,
    runs.cloud_job_arn,
    runs.started_at,  -- null where the source does not say
    least(
        greatest(
            coalesce(
                end_of_run(runs.started_at, runs.ended_at, runs.last_seen_at), runs.last_seen_at, runs.started_at
            ),
            runs.started_at
        ),
        runs.started_at + interval 1100 day
    ) as ended_at,
    case systems.kind
        when 'tracker' then 1
        when 'platform' then 2
        when 'orchestrator' then 3
        when 'scheduler' then 4
        else 5
    end as telling_rank,  -- of names, models, teams and projects: the lowest is believed
    case systems.kind
        when 'scheduler' then 1
        when 'platform' then 2
        when 'tracker' then 3
        when 'orchestrator' then 4
        else 5
    end as running_rank,  -- of users, ends and GPUs: the lowest is believed
    case systems.kind
        when 'orchestrator' then 3
        when 'scheduler' then 2
        when 'platform' then 2
        else 1
    end as outer_rank  -- the higher starts the lower
from staging.runs
left join seeds.run_systems as systems on coalesce(runs.system, '') = systems.system
