-- A job, endpoint or notebook of SageMaker as it was when it was last described.
--
-- When it ended:
-- KNOWN: jobs at their end, a notebook when it was stopped.
-- What was deleted while it went on ended when it was first missed. An endpoint has NO end until then.
--
-- grain: one row per work
-- key:   run_key
-- owner: ml-platform

with

described as (
    select
        *,
        machines::struct("type" varchar, "count" integer) [] as held
    from raw.sagemaker__works
    where status <> 'Gone'
    qualify row_number() over (partition by x_source, arn order by x_version_at desc, x_unit desc) = 1
),

missed as (
    select
        raw.sagemaker__works.x_source,
        raw.sagemaker__works.arn,
        min(raw.sagemaker__works.x_version_at) as missed_at
    from raw.sagemaker__works
    inner join described using (x_source, arn)
    where raw.sagemaker__works.status = 'Gone' and raw.sagemaker__works.x_version_at > described.x_version_at
    group by raw.sagemaker__works.x_source, raw.sagemaker__works.arn
)

select *
from described
