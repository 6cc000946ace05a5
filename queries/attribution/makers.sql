-- One row is about a model or data, and a run that made it.
--
-- A model is made by the runs that were for it, data by those that wrote them; and by all runs that
-- these started, at any depth: the trials of a sweep, the steps of a pipeline. What started a run did
-- not make what the run made: a nightly pipeline starts much else.
--
-- A run that never began has made nothing.
--
-- grain: one row per thing made, and run
-- key:   dimension, thing, run_id
-- owner: ml-platform

with

made as (
    select
        'model' as dimension,
        model as thing,
        true as is_member,
        run_id
    from attribution.run_models
    union all
    select
        'dataset' as dimension,
        data as thing,
        is_registered as is_member,
        run_id
    from attribution.run_data
    where direction = 'written'
),

workers as (
    select
        dimension,
        thing,
        is_member,
        run_id
    from made
    union
    select
        made.dimension,
        made.thing,
        made.is_member,
        run_ancestors.run_id
    from made
    inner join attribution.run_ancestors on made.run_id = run_ancestors.ancestor_id
)

select
    workers.dimension,  -- model or dataset
    workers.thing,  -- a model, a registered dataset, or a location
    bool_or(workers.is_member) as is_member,  -- the dimension has such a member: not a location
    workers.run_id,
    any_value(run_facts.started_at) as started_at,
    -- to the last sign of life, where nothing says when it ended
    any_value(
        greatest(run_facts.started_at, coalesce(run_facts.ended_at, run_facts.last_seen_at, run_facts.started_at))
    ) as ended_at
from workers
inner join attribution.run_facts using (run_id)
where run_facts.started_at is not null
group by workers.dimension, workers.thing, workers.run_id
