-- A stage of a pipeline in a state that DVC has locked, where it names a run of another system.
--
-- What a stage read, with what it was run and what it wrote is a state of its own. Stages that name no
-- run are none: DVC writes no time of them, and nothing else could tell when they were.
--
-- grain: one row per stage and state
-- key:   run_key
-- owner: ml-platform

with

known as (
    select list(tags) as tag_sets
    from seeds.run_tags
),

states as (
    select
        x_source,
        repository,
        stage,
        digest,
        repository || '/' || stage || '@' || digest as native_id,
        arg_max(tags, row(x_version_at, x_unit)) as tags  -- metrics may be told of later than their stage
    from raw.dvc__stages
    where cardinality(tags) > 0
    group by all
)

select
    run_key_of(states.x_source, states.native_id, 1) as run_key,
    states.x_source as source,
    states.native_id,
    states.repository,
    states.stage,
    states.digest,
    states.tags
from states
cross join known
where names_runs(states.tags, known.tag_sets)
