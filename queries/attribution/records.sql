-- One row is about a source's record of a run, with the owners that it names.
--
-- What names nobody is null: blanks, the members that stand for nobody, and a user whose name many share.
-- Names are looked up by their place in a list, as in `named_owner`.
--
-- grain:  one row per record of a run
-- key:    run_key
-- inline: yes
-- param:  shared_users = 'root,ubuntu,ec2-user,jovyan,airflow,nobody'  -- names of no one person, with commas
-- owner:  ml-platform

select
    run_key,
    source,
    native_id,
    attempt,
    kind,
    run_name,
    experiment,
    case
        when coalesce(list_position(string_split($shared_users, ','), lower(trim(user_raw))), 0) = 0
            then named_owner(user_raw)
    end as user_raw,
    named_owner(team_raw) as team_raw,
    named_owner(project_raw) as project_raw,
    status,
    status_raw,
    started_at,
    end_of_run(started_at, ended_at, last_seen_at) as ended_at,
    last_seen_at,
    gpu_count,
    cloud_job_arn
from staging.runs
