-- Data that Airflow says was read: by a task that has the asset as an inlet, by a DAG run that it began.
--
-- Inlets are those that a DAG declares now, for the tries since it declares them. A DAG that begins when
-- an asset is written reads it in some task; which one Airflow does not say, so that it is the run's.
-- An asset that is but a name has no address.
--
-- grain: one row per try or DAG run, and asset
-- key:   run_key, dataset_uri, dataset_name, dataset_digest, context
-- feeds: run_inputs
-- owner: ml-platform

with

assets as (
    select
        x_source,
        uri,
        name,
        from_json(consumers, '["JSON"]') as consumers
    from raw.airflow__assets
    where gone_at is null
    qualify row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
),

inlets as (
    select
        x_source,
        uri,
        name,
        unnest(consumers) as consumer
    from assets
),

events as (
    select
        x_source,
        uri,
        name,
        unnest(from_json(dag_runs, '["VARCHAR"]')) as dag_run_key
    from raw.airflow__asset_events
    where gone_at is null
),

used as (
    select
        tries.run_key,
        inlets.uri,
        inlets.name
    from inlets
    inner join staging.airflow__newest_tries as tries
        on
            inlets.x_source = tries.source
            and inlets.consumer ->> 0 = tries.dag_id
            and inlets.consumer ->> 1 = tries.task_id
            and tries.started_at >= make_timestamp(cast(inlets.consumer ->> 2 as bigint))
    union all
    select
        dag_runs.run_key,
        events.uri,
        events.name
    from events
    inner join staging.airflow__dag_runs as dag_runs
        on events.x_source = dag_runs.source and events.dag_run_key = dag_runs.native_id
)

select distinct
    run_key,
    case when contains(uri, '://') then place_uri(uri) end as dataset_uri,
    name as dataset_name,
    cast(null as varchar) as dataset_digest,
    cast(null as varchar) as context,
    cast(null as bigint) as bytes_read
from used
