-- A node of Slurm on a day on which it got no job, though it had some before and after.
--
-- A node that Slurm gave work, or that sinfo listed, on an earlier day and on a later one, no more than a month
-- apart, was its node in between, and on a day on which sinfo listed it. That it had no work there is sure only of
-- days of which sacct was read: where sacct is run, of all days since the first job ended; of a saved output, of the
-- day that it is called after, and of those from the first end of a job in it to the last start, because sacct tells
-- the jobs that had not ended before the time asked for, and had begun by its end.
--   SOME job on the node on the day: no row, its hours without a job are idle anyway;
--   NO later job yet, or a gap of more than a month: no row, it may have left the cluster.
--
-- Known drawbacks: without sinfo a day is known to be free only once the node has work again. A node that was taken
-- out for some days, and used by hand, is taken to be free.
--
-- grain: one row per node and day
-- key:   source, node, charge_date
-- feeds: free_nodes
-- owner: ml-platform

with

node_days as (
    select distinct
        attempts.source,
        places.node,
        unnest(
            generate_series(
                cast(places.started_at as date),
                cast(
                    greatest(
                        coalesce(places.ended_at, attempts.last_seen_at) - interval 1 microsecond, places.started_at
                    ) as date
                ),
                interval 1 day
            )
        ) as job_day
    from staging.slurm__run_places as places
    inner join staging.slurm__attempts as attempts using (run_key)
),

listings as (
    select distinct
        x_source as source,
        node,
        cast(x_unit as timestamp) as listed_day,
        x_version_at as listed_at
    from raw.slurm__nodes
),

sure_days as (
    select
        source,
        node,
        job_day as sure_day
    from node_days
    union
    select
        source,
        node,
        listed_day as sure_day
    from listings
),

gaps as (
    select
        source,
        node,
        sure_day,
        lead(sure_day) over (partition by source, node order by sure_day) as next_day
    from sure_days
),

its_days as (
    select
        source,
        node,
        unnest(generate_series(sure_day, next_day - interval 1 day, interval 1 day)) as node_day
    from gaps
    where next_day - sure_day <= interval 31 days
    union
    select
        source,
        node,
        sure_day as node_day
    from sure_days
),

free_days as (
    select
        its_days.source,
        its_days.node,
        cast(its_days.node_day as date) as charge_date
    from its_days
    anti join node_days
        on
            its_days.source = node_days.source
            and its_days.node = node_days.node
            and its_days.node_day = node_days.job_day
),

-- sinfo is run after sacct
listed as (
    select
        source,
        max(listed_at) as listed_at
    from listings
    group by source
),

jobs as (
    select
        source,
        unit,
        regexp_full_match(unit, '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ') as is_asked,
        started_at,
        ended_at,
        seen_at
    from staging.slurm__newest_jobs
),

read_spans as (
    select
        source,
        cast(min(ended_at) as date) as from_date,
        cast(max(started_at) as date) as to_date
    from jobs
    where not is_asked
    group by source, unit
    union all
    select distinct
        x_source as source,
        cast(left(x_unit, 10) as date) as from_date,
        cast(left(x_unit, 10) as date) as to_date
    from raw.slurm__jobs
    where not regexp_full_match(x_unit, '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ')
    union all
    select
        jobs.source,
        cast(min(jobs.ended_at) as date) as from_date,
        cast(greatest(max(jobs.seen_at), max(listed.listed_at)) as date) - 1 as to_date
    from jobs
    left join listed using (source)
    where jobs.is_asked
    group by jobs.source
)

select distinct
    free_days.source,
    free_days.charge_date,
    free_days.node,
    nullif(regexp_extract(free_days.node, '^i-[0-9a-f]{8,17}$'), '') as instance_id
from free_days
inner join read_spans
    on
        free_days.source = read_spans.source
        and free_days.charge_date between read_spans.from_date and read_spans.to_date
