-- One row is about a model that a run trained, or a dataset that it produced, on each of its days.
--
-- A run that registered several versions costs each the same; versions of one model add up. A run
-- that wrote several registered datasets costs each the same. The shares of a run and dimension
-- run from 0 to 1, so nothing is left over; a run without any has no row here.
--
-- grain:  one row per run, dimension, member and day
-- key:    charge_date, run_id, dimension, member
-- hashed: charge_date
-- owner:  ml-platform

with

weighed as (
    select
        run_id,
        'model' as dimension,
        model_name as member,
        count(distinct coalesce(model_version, '')) as weight
    from staging.run_models
    inner join attribution.run_links using (run_key)
    where model_name is not null
    group by run_id, model_name
    union all
    select
        run_id,
        'dataset' as dimension,
        dataset as member,
        1 as weight
    from attribution.run_datasets
    where direction = 'written' and dataset is not null
    group by run_id, dataset
),

shares as (
    select
        run_id,
        dimension,
        member,
        weight,
        sum(weight) over up_to as upto_weight,
        sum(weight) over (partition by run_id, dimension) as total_weight
    from weighed
    window up_to as (
        partition by run_id, dimension order by member
        rows between unbounded preceding and current row
    )
),

run_days as (
    select distinct
        run_id,
        charge_date
    from attribution.run_dates
)

select
    run_days.charge_date,
    shares.run_id,
    shares.dimension,  -- model or dataset
    shares.member,
    share_of(shares.upto_weight - shares.weight, shares.total_weight) as share_from,
    share_of(shares.upto_weight, shares.total_weight) as share_to
from shares
inner join run_days using (run_id)
