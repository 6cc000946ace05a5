-- One row is about data that a model or dataset was made from, however far back.
--
-- What made it read data, which other runs made, which read data before; until nobody made what was read.
-- Nothing that began after the last run that made the model or dataset itself had ended counts: today's
-- data are not in yesterday's model. Data that come from themselves are met once, at the least depth.
--
-- grain: one row per model or dataset, and data
-- key:   dimension, member, data
-- owner: ml-platform

with recursive

targets as (
    select
        dimension,
        thing as member,
        max(ended_at) as until_at
    from attribution.makers
    where is_member
    group by dimension, thing
),

sources as (
    select
        makers.dimension,
        makers.thing,
        run_data.data,
        min(makers.started_at) as first_at
    from attribution.makers
    inner join attribution.run_data using (run_id)
    where
        run_data.direction = 'read'
        and not (makers.dimension = 'dataset' and makers.thing = run_data.data)
    group by makers.dimension, makers.thing, run_data.data
),

-- one row per target and depth: what is met for the first time, and all that was met before
steps as (
    select
        targets.dimension,
        targets.member,
        targets.until_at,
        1 as depth,
        list(sources.data) as met,
        -- a dataset is not made from itself
        case when targets.dimension = 'dataset' then [targets.member] else cast([] as varchar[]) end as known
    from targets
    inner join sources on targets.dimension = sources.dimension and targets.member = sources.thing
    where sources.first_at <= targets.until_at
    group by targets.dimension, targets.member, targets.until_at
    union all
    (
        with

        nearer as (
            select
                dimension,
                member,
                until_at,
                depth,
                unnest(met) as thing
            from steps
        ),

        seen as (
            select
                dimension,
                member,
                unnest(list_concat(known, met)) as data
            from steps
        ),

        fresh as (
            select distinct
                nearer.dimension,
                nearer.member,
                sources.data
            from nearer
            inner join sources
                on
                    nearer.thing = sources.thing
                    and nearer.until_at >= sources.first_at
                    and sources.dimension = 'dataset'
            anti join seen
                on
                    nearer.dimension = seen.dimension
                    and nearer.member = seen.member
                    and sources.data = seen.data
        ),

        further as (
            select
                dimension,
                member,
                list(data) as met
            from fresh
            group by dimension, member
        )

        select
            steps.dimension,
            steps.member,
            steps.until_at,
            steps.depth + 1 as depth,
            further.met,
            list_concat(steps.known, steps.met) as known
        from steps
        inner join further using (dimension, member)
    )
),

met as (
    select
        dimension,
        member,
        until_at,
        depth,
        unnest(met) as data
    from steps
),

-- the data of the depth before that were made from it; of several the first by name
needs as (
    select
        met.dimension,
        met.member,
        met.data,
        met.depth,
        min(nearer.data) as needed_for
    from met
    inner join sources on met.data = sources.data and met.until_at >= sources.first_at
    inner join met as nearer
        on
            sources.thing = nearer.data
            and met.dimension = nearer.dimension
            and met.member = nearer.member
            and met.depth = nearer.depth + 1
    where sources.dimension = 'dataset'
    group by met.dimension, met.member, met.data, met.depth
),

paths as (
    select
        dimension,
        member,
        data,
        depth,
        data as path
    from met
    where depth = 1
    union all
    select
        needs.dimension,
        needs.member,
        needs.data,
        needs.depth,
        paths.path || ' <- ' || needs.data as path
    from paths
    inner join needs
        on
            paths.dimension = needs.dimension
            and paths.member = needs.member
            and paths.data = needs.needed_for
            and paths.depth + 1 = needs.depth
)

select
    dimension,  -- of the member: model or dataset
    member,
    data,  -- a registered dataset, or a location
    depth,  -- 1: what made the member read it
    paths.path,  -- `features <- raw`: the member was made from features, and those from these data
    met.until_at  -- nothing that began later counts
from met
inner join paths using (dimension, member, data, depth)
