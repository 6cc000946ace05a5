-- One row is about runs without which a model or dataset would not be: a group of those that made the same.
--
-- Those are the runs that made it, and those that made the data it was made from (`full_cost_data`), as far as
-- they began no later than its last day. A group that did both, or made several data, has one row: the nearest,
-- then the first by name.
--
-- grain: one row per model or dataset, and group of runs
-- key:   dimension, member, group_no
-- owner: ml-platform

with

made as (
    select distinct
        makers.dimension,
        makers.thing,
        makers.is_member,
        maker_groups.group_no
    from attribution.makers
    inner join attribution.maker_groups using (run_id)
),

last_days as (
    select
        dimension,
        thing,
        cast(max(ended_at) as date) as until_date
    from attribution.makers
    group by dimension, thing
),

ways as (
    select
        made.dimension,
        made.thing as member,
        made.group_no,
        last_days.until_date,
        0 as depth,
        null as data,
        null as path
    from made
    inner join last_days using (dimension, thing)
    where made.is_member
    union all
    select
        made_from.dimension,
        made_from.member,
        made.group_no,
        made_from.until_date,
        made_from.depth,
        made_from.data,
        made_from.path
    from attribution.full_cost_data as made_from
    inner join made on made_from.data = made.thing and made.dimension = 'dataset'
)

select
    dimension,  -- of the member: model or dataset
    member,
    group_no,
    until_date,  -- of the group those runs that began no later
    min(depth) as depth,  -- 0: they made the member itself
    case when min(depth) > 0 then arg_min(data, (depth, data)) end as data,  -- what they made; null: the member
    case when min(depth) > 0 then arg_min(path, (depth, data)) end as path
from ways
group by dimension, member, group_no, until_date
