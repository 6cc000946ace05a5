-- One row is about a version of a model that a run was for, or of a dataset that it wrote, on each of the run's days
-- in `run_members`.
--
-- A model's count each as often as in `run_models`, a dataset's the same: nobody tells the bytes of one. What records
-- of the run say without a version counts where none of them says one; it is null. The shares of a run and dimension
-- run from 0 to 1 over its members as in `run_members`, and meet there: versions are parts of their member's share.
--
-- grain:  one row per run, dimension, member, version and day
-- key:    charge_date, run_id, dimension, member, version
-- hashed: charge_date
-- owner:  ml-platform

with

counted as (
    select
        run_id,
        model,
        unnest(versions) as version
    from attribution.run_models
),

weighed as (
    select
        run_id,
        model,
        version,
        count(*) as weight
    from counted
    group by run_id, model, version
),

written as (
    select
        run_id,
        dataset,
        unnest(versions) as version
    from attribution.run_datasets
    where direction = 'written' and dataset is not null
),

written_versions as (
    select distinct
        run_id,
        dataset,
        coalesce(version, '') as version
    from written
    qualify version <> '' or max(coalesce(version, '')) over (partition by run_id, dataset) = ''
),

numbered as (
    select
        run_id,
        dataset,
        version,
        dense_rank() over (partition by run_id order by dataset) as dataset_no,
        row_number() over (partition by run_id, dataset order by version) as version_no,
        count(*) over (partition by run_id, dataset) as version_count
    from written_versions
),

model_shares as (
    select
        run_id,
        'model' as dimension,
        model as member,
        version,
        sum(weight) over up_to - weight as before_weight,
        sum(weight) over up_to as upto_weight,
        sum(weight) over (partition by run_id) as total_weight
    from weighed
    window up_to as (
        partition by run_id order by model, version
        rows between unbounded preceding and current row
    )
),

shares as (
    select *
    from model_shares
    union all
    select
        run_id,
        'dataset' as dimension,
        dataset as member,
        version,
        (dataset_no - 1) * version_count + version_no - 1 as before_weight,
        (dataset_no - 1) * version_count + version_no as upto_weight,
        max(dataset_no) over (partition by run_id) * version_count as total_weight
    from numbered
),

run_days as (
    select distinct
        charge_date,
        run_id
    from attribution.run_members
)

select
    run_days.charge_date,
    shares.run_id,
    shares.dimension,  -- model or dataset
    shares.member,
    nullif(shares.version, '') as version,  -- null: nobody knows
    share_of(shares.before_weight, shares.total_weight) as share_from,
    share_of(shares.upto_weight, shares.total_weight) as share_to
from shares
inner join run_days using (run_id)
