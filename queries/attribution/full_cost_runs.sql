-- One row is about a run without which a model or dataset would not be.
--
-- Those are the runs that made it, and those that made the data it was made from (`full_cost_data`). A run
-- that did both, or made several data, has one row: the nearest, then the first by name.
--
-- grain: one row per model or dataset, and run
-- key:   dimension, member, run_id
-- owner: ml-platform

with

ways as (
    select
        dimension,
        thing as member,
        run_id,
        0 as depth,
        null as data,
        null as path
    from attribution.makers
    where is_member
    union all
    select
        made_from.dimension,
        made_from.member,
        makers.run_id,
        made_from.depth,
        made_from.data,
        made_from.path
    from attribution.full_cost_data as made_from
    inner join attribution.makers
        on
            made_from.data = makers.thing
            and made_from.until_at >= makers.started_at
            and makers.dimension = 'dataset'
)

select
    dimension,  -- of the member: model or dataset
    member,
    run_id,
    min(depth) as depth,  -- 0: it made the member itself
    case when min(depth) > 0 then arg_min(data, (depth, data)) end as data,  -- what it made; null: the member
    case when min(depth) > 0 then arg_min(path, (depth, data)) end as path
from ways
group by dimension, member, run_id
