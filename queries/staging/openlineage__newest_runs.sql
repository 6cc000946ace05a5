-- A run as all events tell of it, in whatever order they came.
--
-- Of a facet, the newest event that has it counts. Nominal times are of a schedule, not of what ran, and
-- are not read.
--
-- grain: one row per run
-- key:   run_key
-- owner: ml-platform

with

extractions as (
    select
        x_source,
        max(x_version_at) as extracted_at
    from raw.openlineage__events
    group by x_source
),

facets as (
    select
        *,
        run_facets -> '$.parent' as parent,
        run_facets -> '$.airflow' as airflow,
        run_facets -> '$.tags.tags' as run_tags,
        job_facets -> '$.tags.tags' as job_tags,
        job_facets -> '$.ownership.owners' as owners,
        job_facets -> '$.jobType' as job_type,
        job_facets ->> '$.sourceCodeLocation.version' as code_sha
    from raw.openlineage__events
),

merged as (
    select
        x_source,
        run_id,
        min(event_time) as first_us,
        max(event_time) as last_us,
        min(event_time) filter (where event_type = 'START') as start_us,
        max(event_time) filter (where event_type in ('COMPLETE', 'FAIL', 'ABORT')) as end_us,
        max_by(event_type, row(event_time, event_type)) filter (
            where event_type in ('COMPLETE', 'FAIL', 'ABORT')
        ) as end_type,
        max_by(event_type, row(event_time, event_type)) as last_type,
        max_by(job_namespace, row(event_time, job_namespace)) as job_namespace,
        max_by(job_name, row(event_time, job_name)) as job_name,
        max_by(parent, row(event_time, parent)) filter (where parent is not null) as parent,
        max_by(airflow, row(event_time, airflow)) filter (where airflow is not null) as airflow,
        max_by(run_tags, row(event_time, run_tags)) filter (where run_tags is not null) as run_tags,
        max_by(job_tags, row(event_time, job_tags)) filter (where job_tags is not null) as job_tags,
        max_by(owners, row(event_time, owners)) filter (where owners is not null) as owners,
        max_by(job_type, row(event_time, job_type)) filter (where job_type is not null) as job_type,
        max_by(code_sha, row(event_time, code_sha)) filter (where code_sha is not null) as code_sha
    from facets
    group by x_source, run_id
),

dated as (
    select *
    from merged
    inner join extractions using (x_source)
)

select
    run_key_of(x_source, run_id, 1) as run_key,
    x_source as source,
    extracted_at,  -- the newest extraction that delivered any event of the source
    run_id,
    job_namespace,
    job_name,
    start_us,
    first_us,
    last_us,
    end_us,
    end_type,
    last_type,
    parent,
    airflow,
    job_type ->> '$.jobType' as job_type,
    code_sha,
    -- names are written user:ann or team:vision
    list_transform(
        from_json(coalesce(owners, '[]'), '[{"name": "VARCHAR"}]'), lambda owner: owner.name
    ) as owners,
    -- a run's own tags count before its job's
    tag_map(
        list_transform(
            list_concat(
                from_json(coalesce(run_tags, '[]'), '[{"key": "VARCHAR", "value": "VARCHAR"}]'),
                list_filter(
                    from_json(coalesce(job_tags, '[]'), '[{"key": "VARCHAR", "value": "VARCHAR"}]'),
                    lambda tag: not list_contains(
                        from_json(coalesce(run_tags, '[]') -> '$[*].key', '["VARCHAR"]'), tag.key
                    )
                )
            ),
            lambda tag: { k: tag.key, v: tag.value }
        )
    ) as tags
from dated
