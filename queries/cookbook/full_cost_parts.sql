-- What the full cost of a model or dataset is made of, nearest first, with the way that led there.
--
-- The rows of one member and currency add up; those of several members must not be added.
--
-- grain: one row per billing currency, member, part, depth and input_data
-- key:   billing_currency, member, part, depth, input_data
-- param: dimension = 'model'  -- model or dataset
-- param: member = null        -- which one; null: the dearest
-- param: top = 50             -- how many members of each currency

with

parts as (
    select
        'model' as dimension,
        model as member,
        * exclude (model)
    from marts.model_full_cost
    union all by name
    select
        'dataset' as dimension,
        dataset as member,
        * exclude (dataset)
    from marts.dataset_full_cost
),

dearest as (
    select
        billing_currency,
        member
    from parts
    where dimension = $dimension and member = coalesce($member, member)
    group by billing_currency, member
    qualify
        row_number() over (
            partition by billing_currency order by sum(non_additive_cost) desc, member asc
        ) <= $top
)

select
    billing_currency,
    member,
    depth,
    part,
    lineage_path,
    input_data,
    run_count,
    gpu_hours,
    non_additive_cost,
    non_additive_billed_cost
from parts
inner join dearest using (billing_currency, member)
where dimension = $dimension
order by billing_currency asc, member asc, depth asc, non_additive_cost desc, part asc, input_data asc
