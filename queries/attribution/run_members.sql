-- One row is about a model that a run was for, or a dataset that it produced, on each of its days, and
-- on those on which files of the run are stored.
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
        model as member,
        weight,
        rule
    from attribution.run_models
    union all
    select
        run_id,
        'dataset' as dimension,
        dataset as member,
        1 as weight,
        'wrote' as rule
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
        rule,
        sum(weight) over up_to as upto_weight,
        sum(weight) over (partition by run_id, dimension) as total_weight
    from weighed
    window up_to as (
        partition by run_id, dimension order by member
        rows between unbounded preceding and current row
    )
),

run_days as (
    select
        run_id,
        charge_date
    from attribution.run_dates
    union
    select
        run_id,
        charge_date
    from attribution.stored_shares
    where run_id <> ''
)

select
    run_days.charge_date,
    shares.run_id,
    shares.dimension,  -- model or dataset
    shares.member,
    share_of(shares.upto_weight - shares.weight, shares.total_weight) as share_from,
    share_of(shares.upto_weight, shares.total_weight) as share_to,
    shares.rule  -- how it is known: of a model as in run_models, of a dataset `wrote`
from shares
inner join run_days using (run_id)
