-- A run that a run's events name: its parent, the task of Airflow that it is.
--
-- A parent may be known to another source of OpenLineage, or to none.
--
-- grain: one row per run, mentioned run and relation
-- key:   run_key, system, native_id, relation
-- feeds: run_mentions
-- owner: ml-platform

with

mentions as (
    select
        run_key,
        'openlineage' as system,
        coalesce(parent ->> '$.run.runId', parent ->> '$.root.run.runId') as native_id,
        'parent' as relation,
        'facet parent' as evidence
    from staging.openlineage__newest_runs
    union all
    select
        run_key,
        'airflow' as system,
        (airflow ->> '$.dag.dag_id') || '/' || (airflow ->> '$.dagRun.run_id') || '/' || (airflow ->> '$.task.task_id')
        || case
            when try_cast(airflow ->> '$.taskInstance.map_index' as integer) >= 0
                then '/' || (airflow ->> '$.taskInstance.map_index')
            else ''
        end as native_id,
        'same' as relation,
        'facet airflow' as evidence
    from staging.openlineage__newest_runs
)

select
    run_key,
    system,
    native_id,
    relation,
    min(evidence) as evidence
from mentions
where native_id is not null
group by run_key, system, native_id, relation
