-- One row is about postings that are in the full cost of a model or dataset, each posting once in each.
--
-- Whole, never a share: of two models that one run made, either would have cost as much alone. So these
-- costs must not be added up over models or datasets.
--   what its own dimension gives it: serving; storage and transfers of the dataset, whoever reads;
--   the runs without which it would not be (`full_cost_groups`), with what they caused to be transferred;
--   storage of the data that it was made from, up to the day on which it was last made.
--
-- grain:  one row per model or dataset, and group of postings
-- inline: yes
-- owner:  ml-platform

with

units as (
    select
        *,
        case when model = '(idle replicas)' then served_model else model end as own_model
    from attribution.full_cost_units
),

own as (
    select
        'model' as dimension,
        own_model as member,
        case when model = '(idle replicas)' then 'idle_replicas' else 'serving' end as part,
        units.*
    from units
    where model is not null
    union all
    select
        'dataset' as dimension,
        dataset as member,
        case when kind = 'reads' then 'transfer' else 'storage' end as part,
        units.*
    from units
    where dataset not in ('(unregistered)', '(orphaned artefacts)', '(unattributed egress)')
),

of_runs as (
    select
        groups.dimension,
        groups.member,
        case
            when units.kind = 'reads' then 'transfer'
            when groups.dimension = 'model' and groups.depth = 0 then 'training'
            else 'production'
        end as part,
        groups.depth,
        groups.data,
        groups.path,
        units.*
    from attribution.full_cost_groups as groups
    inner join units
        on groups.group_no = units.group_no and groups.until_date >= units.started_date
    where
        not coalesce(
            case when groups.dimension = 'dataset' then units.dataset else units.own_model end = groups.member,
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
    inner join units
        on
            made_from.data = units.dataset
            and made_from.until_date >= units.stored_date
            and units.kind = 'stored_bytes'
    where
        -- a line of storage may itself say whose model it is
        not coalesce(made_from.dimension = 'model' and units.own_model = made_from.member, false)
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
    kind,
    group_no,
    started_date,
    dataset,
    model,
    served_model,
    stored_date,
    run_count,
    gpu_hours,
    effective_cost,
    billed_cost
from all_lines
