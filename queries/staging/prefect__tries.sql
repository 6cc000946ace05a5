-- A try of a flow or a task as Prefect had it when it was last delivered.
--
-- Prefect retries inside one id: a run with several tries has its states delivered, and each time it
-- was running is a try, which ended when the next state began. One that was deleted while it was not
-- over is `is_gone`; what was over stays as it was.
--
-- grain: one row per try
-- key:   run_key
-- owner: ml-platform

with

flows_and_tasks as (
    select
        x_source,
        x_unit,
        x_version_at,
        key,
        gone_at,
        'pipeline' as kind,
        coalesce(nullif(flow_name, ''), name) as experiment,
        name,
        parent_task_run_id as parent_id,
        created_by,
        infrastructure_pid,
        state_type,
        state_name,
        start_time,
        end_time,
        tags,
        states
    from raw.prefect__flow_runs
    union all
    select
        x_source,
        x_unit,
        x_version_at,
        key,
        gone_at,
        'job' as kind,
        null as experiment,
        name,
        flow_run_id as parent_id,
        null as created_by,
        null as infrastructure_pid,
        state_type,
        state_name,
        start_time,
        end_time,
        tags,
        states
    from raw.prefect__task_runs
),

gone as (
    select
        x_source,
        key,
        max(gone_at) as gone_at
    from flows_and_tasks
    where gone_at is not null
    group by x_source, key
),

newest as (
    select *
    from flows_and_tasks
    where gone_at is null
    qualify row_number() over (partition by x_source, key order by x_version_at desc, x_unit desc) = 1
),

states as (
    select
        *,
        from_json(coalesce(states, '[]'), '[{"type": "VARCHAR", "at": "BIGINT"}]') as state_list
    from newest
),

stretches as (
    select
        *,
        unnest(
            case
                when len(list_filter(state_list, lambda state: state.type = 'RUNNING')) < 2
                    then [{ begun: start_time, ended: end_time }]
                else
                    list_transform(
                        list_filter(
                            generate_series(1, len(state_list)), lambda place: state_list[place].type = 'RUNNING'
                        ),
                        lambda place: { begun: state_list[place].at, ended: state_list[place + 1].at }
                    )
            end
        ) as stretch
    from states
),

tries as (
    select
        *,
        row_number() over (partition by x_source, key order by stretch.begun) as try_number,
        count(*) over (partition by x_source, key) as try_count
    from stretches
)

select
    run_key_of(tries.x_source, tries.key, tries.try_number) as run_key,
    tries.x_source as source,
    tries.key as native_id,
    cast(tries.try_number as integer) as try_number,
    tries.try_number = tries.try_count as is_last,
    tries.kind,
    tries.experiment,
    tries.name,
    tries.parent_id,
    tries.created_by,
    tries.infrastructure_pid,
    tries.state_type,
    tries.state_name,
    make_timestamp(tries.stretch.begun) as started_at,
    make_timestamp(tries.stretch.ended) as ended_at,
    -- tags that name something: `team:vision`, `mlflow_run_id=8f3c`
    tag_map(
        list_transform(
            list_filter(
                from_json(tries.tags, '["VARCHAR"]'), lambda tag: regexp_matches(tag, '^[^:=]+[:=].')
            ),
            lambda tag: {
                k: regexp_extract(tag, '^([^:=]+)[:=](.+)$', 1), v: regexp_extract(tag, '^([^:=]+)[:=](.+)$', 2)
            }
        )
    ) as tags,
    tries.x_version_at as seen_at,  -- the extraction that delivered it
    gone.gone_at is not null and make_timestamp(gone.gone_at) > tries.x_version_at as is_gone
from tries
left join gone on tries.x_source = gone.x_source and tries.key = gone.key
