-- One row is about postings that are in the full cost of a model or dataset, each posting once in each.
--
-- Whole, never a share: of two models that one run made, either would have cost as much alone. So these
-- costs must not be added up over models or datasets.
--   what its own dimension gives it: serving; storage and transfers of the dataset, whoever reads;
--   the runs without which it would not be (`full_cost_runs`), with what they caused to be transferred;
--   storage of the data that it was made from, up to the day on which it was last made.
--
-- grain:  one row per model or dataset, and group of postings
-- inline: yes
-- owner:  ml-platform

with

own as (
    select
        'model' as dimension,
        case when model = '(idle replicas)' then served_model else model end as member,
        case when model = '(idle replicas)' then 'idle_replicas' else 'serving' end as part,
        full_cost_units.*
    from attribution.full_cost_units
    where model is not null
    union all
    select
        'dataset' as dimension,
        dataset as member,
        case when method = 'reads' then 'transfer' else 'storage' end as part,
        full_cost_units.*
    from attribution.full_cost_units
    where dataset not in ('(unregistered)', '(unattributed egress)')
),

of_runs as (
    select
        runs.dimension,
        runs.member,
        case
            when units.method = 'reads' then 'transfer'
            when runs.dimension = 'model' and runs.depth = 0 then 'training'
            else 'production'
        end as part,
        runs.depth,
        runs.data,
        runs.path,
        units.*
    from attribution.full_cost_runs as runs
    inner join attribution.full_cost_units as units using (run_id)
    where
        not coalesce(
            case
                when runs.dimension = 'dataset' then units.dataset = runs.member
                when units.model = '(idle replicas)' then units.served_model = runs.member
                else units.model = runs.member
            end,
            false
        )
),

of_data as (
    select
        made_from.dimension,
        made_from.member,
        'storage' as part,
        made_from.depth,
        made_from.data,
        made_from.path,
        units.*
    from attribution.full_cost_data as made_from
    inner join attribution.full_cost_units as units
        on
            made_from.data = units.dataset
            and units.method = 'stored_bytes'
            and units.run_id is null  -- what a run has is the run's
            and units.stored_date <= cast(made_from.until_at as date)
    where
        -- a line of storage may itself say whose model it is
        not coalesce(made_from.dimension = 'model' and units.model = made_from.member, false)
),

all_lines as (
    select
        0 as depth,
        cast(null as varchar) as data,
        cast(null as varchar) as path,
        own.*
    from own
    where member is not null
    union all by name
    select *
    from of_runs
    union all by name
    select *
    from of_data
)

select
    dimension,  -- of the member: model or dataset
    member,
    part,  -- training, production, storage, transfer, serving or idle_replicas
    depth,  -- 0: the member itself; 1: data that what made it read; ...
    data,  -- that was made, stored or moved; null: the member
    path,  -- from the member back to the data: `features <- raw`; null: the member
    billing_currency,
    run_id,
    method,
    dataset,
    model,
    served_model,
    stored_date,
    gpu_hours,
    effective_cost,
    billed_cost
from all_lines
