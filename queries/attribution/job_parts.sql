-- One row is about a run's part of the bill of a managed job on a day.
--
-- A job belongs to the run that names its id. Runs that name the same job, or the same cluster, share
-- it: it is never paid twice. Of a run's time counts what the runs below it, of the same job, leave.
--   ALL that ran that day are known to have held GPUs: they share by GPUs and the time they held them;
--   SOME are not, or held none: by the time that they ran;
--   NONE has any time: equally.
--
-- grain: one row per line group and run
-- step:  charge_date
-- owner: ml-platform

with

below as (
    select
        nesting.charge_date,
        nesting.ancestor_id as run_id,
        cast(sum(lower_runs.run_us) as bigint) as run_us
    from attribution.run_nesting as nesting
    inner join attribution.run_days as lower_runs using (charge_date, run_id)
    inner join attribution.run_days as upper_runs
        on
            nesting.charge_date = upper_runs.charge_date
            and nesting.ancestor_id = upper_runs.run_id
            and lower_runs.cloud_job_arn = upper_runs.cloud_job_arn
    group by nesting.charge_date, nesting.ancestor_id
),

job_runs as (
    select
        run_days.charge_date,
        run_days.cloud_job_arn,
        day_runs.run_no,
        run_days.gpu_count,
        below.run_id is null as is_leaf,
        greatest(run_days.run_us - coalesce(below.run_us, 0), 0) as run_us
    from attribution.run_days
    inner join attribution.day_runs using (charge_date, run_id)
    left join below using (charge_date, run_id)
    where run_days.cloud_job_arn is not null
),

weights as (
    select
        charge_date,
        cloud_job_arn,
        run_no,
        cast(coalesce(gpu_count, 0) * run_us as bigint) as gpu_us,
        case
            when min(case when run_us > 0 then coalesce(gpu_count, 0) end) over by_job > 0
                then case when run_us > 0 then greatest(cast(gpu_count * run_us as bigint), 1) else 0 end
            when max(run_us) over by_job > 0 then run_us
            when is_leaf then 1
            else 0
        end as weight
    from job_runs
    window by_job as (partition by charge_date, cloud_job_arn)
),

running as (
    select
        *,
        sum(weight) over up_to as upto_weight,
        sum(weight) over (partition by charge_date, cloud_job_arn) as total_weight
    from weights
    window up_to as (
        partition by charge_date, cloud_job_arn order by run_no
        rows between unbounded preceding and current row
    )
),

job_shares as (
    select
        charge_date,
        cloud_job_arn,
        run_no,
        gpu_us,
        share_of(upto_weight - weight, total_weight) as share_from,
        share_of(upto_weight, total_weight) as share_to
    from running
),

job_lines as (
    select
        line_groups.*,
        line_kinds.resource_id,
        row_number() over (
            partition by line_groups.charge_date, line_kinds.resource_id
            order by
                line_groups.effective_cost desc, line_groups.billed_cost desc, line_groups.kind_no asc
        ) = 1 as is_dearest
    from attribution.line_groups
    inner join attribution.line_kinds using (kind_no)
    inner join attribution.line_methods using (line_no)
    where line_methods.method = 'managed_job'
)

select
    job_lines.line_no,
    job_shares.run_no,
    -- GPUs x microseconds, once per job
    case when job_lines.is_dearest then job_shares.gpu_us end as gpu_us,
    cut(job_lines.effective_cost, share_from, share_to) as effective_cost,
    cut(job_lines.billed_cost, share_from, share_to) as billed_cost,
    cut(job_lines.list_cost, share_from, share_to) as list_cost
from job_lines
inner join job_shares
    on
        job_lines.charge_date = job_shares.charge_date
        and job_lines.resource_id = job_shares.cloud_job_arn
