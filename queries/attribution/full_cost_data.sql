-- One row is about data that a model or dataset was made from, however far back.
--
-- What made it read data, which other runs made, which read data before; until nobody made what was read.
-- No run counts that began after the day on which the last run ended that made the model or dataset itself:
-- today's data are not in yesterday's model. Data that come from themselves are met once, at the least depth.
--
-- grain: one row per model or dataset, and data
-- key:   dimension, member, data
-- owner: ml-platform

with recursive

targets as (
    select
        row_number() over (order by dimension, thing) as target_no,
        dimension,
        thing as member,
        cast(max(ended_at) as date) as until_date
    from attribution.makers
    where is_member
    group by dimension, thing
),

numbers as (
    select
        data,
        row_number() over (order by data) as data_no
    from attribution.run_data
    group by data
),

sources as (
    select
        makers.dimension,
        makers.thing,
        things.data_no as thing_no,
        numbers.data_no,
        cast(min(makers.started_at) as date) as first_date
    from attribution.makers
    inner join attribution.run_data using (run_id)
    inner join numbers using (data)
    left join numbers as things on makers.thing = things.data and makers.dimension = 'dataset'
    where run_data.direction = 'read' and numbers.data_no is distinct from things.data_no
    group by makers.dimension, makers.thing, things.data_no, numbers.data_no
),

-- one row per target and depth: what is met for the first time, and all that was met before
steps as (
    select
        targets.target_no,
        targets.until_date,
        1 as depth,
        list(sources.data_no) as met,
        -- a dataset is not made from itself
        list_distinct(list(sources.thing_no)) as known
    from targets
    inner join sources on targets.dimension = sources.dimension and targets.member = sources.thing
    where sources.first_date <= targets.until_date
    group by targets.target_no, targets.until_date
    union all
    (
        with

        nearer as (
            select
                target_no,
                until_date,
                unnest(met) as thing_no
            from steps
        ),

        seen as (
            select
                target_no,
                unnest(list_concat(known, met)) as data_no
            from steps
        ),

        fresh as (
            select distinct
                nearer.target_no,
                sources.data_no
            from nearer
            inner join sources
                on nearer.thing_no = sources.thing_no and nearer.until_date >= sources.first_date
            anti join seen
                on nearer.target_no = seen.target_no and sources.data_no = seen.data_no
        ),

        further as (
            select
                target_no,
                list(data_no) as met
            from fresh
            group by target_no
        )

        select
            steps.target_no,
            steps.until_date,
            steps.depth + 1 as depth,
            further.met,
            list_concat(steps.known, steps.met) as known
        from steps
        inner join further using (target_no)
    )
),

met as (
    select
        target_no,
        until_date,
        depth,
        unnest(met) as data_no
    from steps
),

-- the data of the depth before that were made from it; of several the first by name
needs as (
    select
        met.target_no,
        met.data_no,
        met.depth,
        min(nearer.data_no) as needed_no
    from met
    inner join sources on met.data_no = sources.data_no and met.until_date >= sources.first_date
    inner join met as nearer
        on
            sources.thing_no = nearer.data_no
            and met.target_no = nearer.target_no
            and met.depth = nearer.depth + 1
    group by met.target_no, met.data_no, met.depth
),

-- the way to data: its first steps, and those behind them
ways as (
    select
        met.target_no,
        met.data_no,
        met.depth,
        numbers.data as path
    from met
    inner join numbers using (data_no)
    where met.depth = 1
    union all
    select
        needs.target_no,
        needs.data_no,
        needs.depth,
        case
            when needs.depth <= 6 then ways.path || ' <- ' || numbers.data
            when needs.depth = 7 then ways.path || ' <- ...'
            else ways.path
        end as path
    from ways
    inner join needs
        on
            ways.target_no = needs.target_no
            and ways.data_no = needs.needed_no
            and ways.depth + 1 = needs.depth
    inner join numbers on needs.data_no = numbers.data_no
)

select
    targets.dimension,  -- of the member: model or dataset
    targets.member,
    numbers.data,  -- a registered dataset, or a location
    ways.depth,  -- 1: what made the member read it
    -- `features <- raw`: the member was made from features, and those from these data; `...`: many more between
    case when ways.depth > 6 then ways.path || ' <- ' || numbers.data else ways.path end as path,
    targets.until_date  -- nothing that began on a later day counts
from ways
inner join targets using (target_no)
inner join numbers using (data_no)
