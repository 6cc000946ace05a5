-- Data that a try of an Airflow task wrote: an asset with an address, by the event that says so.
--
-- The try is the last that had begun when the event came. An event that came from outside, or of an
-- asset that is but a name, has no row.
--
-- grain: one row per try and address
-- key:   run_key, dataset_uri
-- feeds: run_outputs
-- owner: ml-platform

with

events as (
    select
        x_source,
        task_key,
        make_timestamp(timestamp) as written_at,
        place_uri(uri) as dataset_uri
    from raw.airflow__asset_events
    where gone_at is null and task_key is not null and contains(uri, '://')
),

wrote as (
    select
        arg_max(tries.run_key, tries.try_number) as run_key,
        events.dataset_uri
    from events
    inner join staging.airflow__newest_tries as tries
        on
            events.x_source = tries.source
            and events.task_key = tries.native_id
            and events.written_at >= tries.started_at
    group by events.x_source, events.task_key, events.written_at, events.dataset_uri
)

select distinct
    run_key,
    dataset_uri,
    cast(null as varchar) as dataset_digest
from wrote
