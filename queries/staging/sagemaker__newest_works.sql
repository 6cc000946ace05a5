-- A job, endpoint or notebook of SageMaker as it was when it was last described.
--
-- When it ended:
-- KNOWN: jobs at their end, a notebook when it was stopped.
-- SOME known: what was deleted while it went on ended when it was first missed.
-- NONE known: an endpoint lasts until it is deleted.
--
-- grain: one row per work
-- key:   run_key
-- owner: ml-platform

with

described as (
    select *
    from raw.sagemaker__works
    where status <> 'Gone'
    qualify row_number() over (partition by x_source, arn order by x_version_at desc, x_unit desc) = 1
),

missed as (
    select
        works.x_source,
        works.arn,
        min(works.x_version_at) as missed_at
    from raw.sagemaker__works as works
    inner join described using (x_source, arn)
    where works.status = 'Gone' and works.x_version_at > described.x_version_at
    group by works.x_source, works.arn
)

select
    run_key_of(described.x_source, described.arn, 1) as run_key,
    described.x_source as source,
    described.kind,
    described.arn,  -- as the bill writes it
    described.name,
    case when missed.missed_at is null then described.status else 'Deleted' end as status,
    timezone('UTC', try_cast(coalesce(described.started, described.created) as timestamptz)) as started_at,
    coalesce(missed.missed_at, timezone('UTC', try_cast(described.ended as timestamptz))) as ended_at,
    -- of what goes on
    timezone('UTC', try_cast(coalesce(described.observed, described.modified) as timestamptz)) as observed_at,
    json_extract_string(described.machines, '$[*].type') as machine_types,
    json_extract_string(described.machines, '$[*].count') as machine_counts,
    described.inputs,
    described.outputs,
    described.parent_arn,
    described.experiment,
    described.mlflow_run_id,
    described.model_package_arn,
    described.tags
from described
left join missed using (x_source, arn)
