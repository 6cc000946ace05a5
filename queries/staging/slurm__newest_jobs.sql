-- A record of a job as sacct told it last; a job that was requeued or resized has several.
--
-- Times without an offset are of the cluster's zone: in the hour that autumn repeats they are taken
-- as the first one, unless sacct printed seconds or offsets, as it does when mlspend runs it.
-- Tags are what the job's comment says, as `key=value` or JSON.
--
-- grain: one row per record
-- key:   source, job_id_raw, db_index
-- owner: ml-platform

with

records as (
    select *
    from raw.slurm__jobs
    qualify
        row_number() over (
            partition by x_source, job_id_raw, db_index
            order by x_unit desc, x_version_at desc
        ) = 1
),

seen as (
    select
        x_source,
        max(x_version_at) as extracted_at
    from raw.slurm__jobs
    group by x_source
),

timed as (
    select
        *,
        list_transform(
            [submitted, started, ended],
            lambda written: coalesce(
                make_timestamp(try_cast(written as bigint) * 1000000),
                case
                    when regexp_matches(written, '(Z|[+-]\d\d:?\d\d)$')
                        then timezone('UTC', try_cast(written as timestamptz))
                    else timezone('UTC', timezone(time_zone, try_cast(written as timestamp)))
                end
            )
        ) as times,
        regexp_extract_all(comment, '"?([A-Za-z_][\w./]*)"?\s*[=:]\s*"?([^\s"'',;{}]+)', 1) as comment_keys,
        regexp_extract_all(comment, '"?([A-Za-z_][\w./]*)"?\s*[=:]\s*"?([^\s"'',;{}]+)', 2) as comment_values
    from records
    inner join seen using (x_source)
),

sized as (
    select
        *,
        -- typed entries repeat what gres/gpu counts
        coalesce(
            try_cast(nullif(regexp_extract(allocated_tres, '(?:^|,)gres/gpu=(\d+)', 1), '') as decimal(18, 6)),
            cast(
                list_sum(
                    list_transform(
                        regexp_extract_all(allocated_tres, '(?:^|,)gres/gpu:[^=,]+=(\d+)', 1),
                        lambda count_text: try_cast(count_text as decimal(18, 6))
                    )
                ) as decimal(18, 6)
            )
        ) as told_gpus,
        regexp_extract(allocated_tres, '(?:^|,)mem=([\d.]+)([KMGTP]?)', ['amount', 'unit']) as memory,
        bool_or(regexp_matches(allocated_tres, '(?:^|,)gres/gpu[:=]')) over (partition by x_source) as is_gpu_counted
    from timed
)

select
    x_source as source,
    x_unit as unit,  -- the saved output, or the time at which sacct was run
    extracted_at,  -- the newest extraction of the source
    x_version_at as seen_at,  -- the extraction that this is of
    job_id_raw,  -- what the job itself knows as SLURM_JOB_ID
    db_index,
    job_id,  -- 17_3: task 3 of array 17; 17+1: the second part of job 17
    job_name,
    user_name,
    account,
    wckey,
    upper(split_part(state, ' ', 1)) as state,
    state as state_raw,  -- CANCELLED by 1000
    times[1] as submitted_at,
    times[2] as started_at,
    times[3] as ended_at,
    try_cast(elapsed_seconds as bigint) * interval 1 second
    + coalesce(try_cast(replace(suspended, '-', ' days ') as interval), interval 0 second) as elapsed,
    try_cast(limit_minutes as bigint) * interval 1 minute as time_limit,  -- null where there is none
    -- 0 where it got other things and no GPU; null where the cluster counts none of anybody
    case
        when is_gpu_counted and allocated_tres <> '' then coalesce(told_gpus, 0)
        else told_gpus
    end as gpu_count,
    try_cast(nullif(regexp_extract(allocated_tres, '(?:^|,)cpu=(\d+)', 1), '') as decimal(18, 6)) as cpu_count,
    -- in MiB, but for a letter
    cast(
        try_cast(nullif(memory.amount, '') as double)
        * case memory.unit
            when 'K' then 1 / 1048576
            when 'G' then 1
            when 'T' then 1024
            when 'P' then 1048576
            else 1 / 1024
        end as decimal(18, 6)
    ) as memory_gib,
    string_split(nodes, ',') as nodes,
    map(
        list_sort(list_distinct(comment_keys)),
        list_transform(
            list_sort(list_distinct(comment_keys)),
            lambda name: comment_values[list_position(comment_keys, name)]
        )
    ) as tags
from sized
