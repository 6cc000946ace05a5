-- An execution of a run of Guild AI as its folder had it when it was last read.
--
-- A run that is restarted keeps its folder and gets a new start: each start that was read is an attempt.
-- One that was not over when the next began is `is_replaced`. What is staged has no start yet. A run whose
-- folder vanished while it was not over is `is_gone`; what was over stays as it was.
--
-- grain: one row per run and attempt
-- key:   run_key
-- owner: ml-platform

with

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from raw.guild__runs
    where gone_at is not null
    group by x_source, key
),

told as (
    select
        *,
        row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1 as is_newest
    from raw.guild__runs
    where gone_at is null
),

executions as (
    select *
    from told
    where started is not null or is_newest
    qualify
        row_number() over (partition by x_source, key, started order by x_version_at desc, x_unit desc) = 1
),

attempts as (
    select
        *,
        row_number() over (partition by x_source, key order by started asc nulls last) as attempt
    from executions
)

select
    run_key_of(attempts.x_source, attempts.key, attempts.attempt) as run_key,
    attempts.x_source as source,
    attempts.key as native_id,
    cast(attempts.attempt as integer) as attempt,
    -- the folder of the project, of `guildfile:/srv/net/guild.yml` or `script:/srv/net`
    nullif(
        split_part(regexp_replace(regexp_replace(attempts.package, '^[^:]+:', ''), '/guild\.ya?ml$', ''), '/', -1), ''
    ) as project,
    concat_ws(':', nullif(attempts.model, ''), attempts.operation) as operation,
    attempts.status,
    attempts.exit_status,
    make_timestamp(attempts.started) as started_at,
    make_timestamp(attempts.stopped) as stopped_at,
    make_timestamp(attempts.written) as written_at,
    attempts.user_name,
    attempts.host,
    attempts.vcs_commit,
    nullif(len(list_filter(string_split(attempts.gpus, ','), lambda gpu: trim(gpu) <> '')), 0) as gpu_count,
    labels_of(json_merge_patch(coalesce(attempts.label, '{}'), coalesce(attempts.flags, '{}')), attempts.tags) as tags,
    from_json(coalesce(attempts.inputs, '[]'), '["VARCHAR"]') as inputs,
    attempts.batch,
    attempts.is_batch = 1 as is_batch,
    attempts.x_version_at as seen_at,  -- the extraction that delivered it
    not attempts.is_newest as is_replaced,
    gone.gone_at is not null and make_timestamp(gone.gone_at) > attempts.x_version_at as is_gone
from attempts
left join gone on attempts.x_source = gone.x_source and attempts.key = gone.key
