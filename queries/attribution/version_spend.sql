-- One row is about what a version of a model or dataset cost on a day; null: what no version is known for.
--
-- What a member of the dimension cost in `member_spend` is cut among its versions:
--   what a run cost goes in equal parts to the versions of its models, and of datasets to those that it wrote
--   (`run_versions`);
--   what a serving pod cost, to the version that its server says it served;
--   what is stored of a dataset costs the version that lies there alone (`stored_shares`), and so does what logs say
--   was read there (`read_shares`);
--   what a run's reads of it cost, as trackers tell them, goes to the versions that it read, and what else the dataset
--   itself cost (others' reads) to the one that is registered alone (`dataset_versions`);
--   all else has none: a pod whose label names its model, a service that bills for one, replicas that nobody
--   asked, and the members that stand for nobody.
-- Groups of postings are those of `member_spend`, made from the same `work_days` and cut at the same shares and
-- between them, so that versions add up to their member to the last digit.
--
-- grain: one row per day, bill, dimension, member, version, kind of cost and service
-- key: charge_date, source, billing_period, billing_currency, dimension, member, version, cost_kind, service_name
-- partition: charge_date
-- owner: ml-platform

with

model_days as (
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        run_id,
        model,
        served_version,
        dataset,
        cost_kind,
        service_name,
        sum(gpu_hours) as gpu_hours,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost
    from attribution.work_days
    group by all
),

model_parts as (
    select
        model_days.*,
        'model' as dimension,
        member_or_kind(
            coalesce(model_days.model, run_versions.member), model_days.cost_kind, 'not a model''s'
        ) as member,
        coalesce(model_days.served_version, run_versions.version) as version,
        coalesce(run_versions.share_from, 0.0) as share_from,
        coalesce(run_versions.share_to, 1.0) as share_to
    from model_days
    left join attribution.run_versions
        on
            model_days.model is null
            and run_versions.dimension = 'model'
            and model_days.charge_date = run_versions.charge_date
            and model_days.run_id = run_versions.run_id
),

dataset_days as (
    select
        charge_date,
        source,
        billing_period,
        billing_currency,
        run_id,
        model,
        dataset,
        dataset_version,
        reader_id,
        cost_kind,
        service_name,
        sum(gpu_hours) as gpu_hours,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost
    from attribution.work_days
    group by all
),

read_versions as (
    select *
    from attribution.dataset_versions
    where run_id <> ''
),

only_versions as (
    select *
    from attribution.dataset_versions
    where run_id = ''
),

dataset_parts as (
    select
        dataset_days.*,
        'dataset' as dimension,
        member_or_kind(
            coalesce(dataset_days.dataset, run_versions.member), dataset_days.cost_kind, 'not a dataset''s'
        ) as member,
        coalesce(
            dataset_days.dataset_version, read_versions.version, only_versions.version, run_versions.version
        ) as version,
        coalesce(read_versions.share_from, run_versions.share_from, 0.0) as share_from,
        coalesce(read_versions.share_to, run_versions.share_to, 1.0) as share_to
    from dataset_days
    left join read_versions
        on
            dataset_days.dataset_version is null
            and dataset_days.charge_date = read_versions.charge_date
            and dataset_days.reader_id = read_versions.run_id
            and dataset_days.dataset = read_versions.dataset
    left join only_versions
        on
            dataset_days.charge_date = only_versions.charge_date
            and dataset_days.dataset = only_versions.dataset
    left join attribution.run_versions
        on
            dataset_days.dataset is null
            and run_versions.dimension = 'dataset'
            and dataset_days.charge_date = run_versions.charge_date
            and dataset_days.run_id = run_versions.run_id
),

parts as (
    select *
    from model_parts
    union all by name
    select *
    from dataset_parts
)

select
    charge_date,
    source,
    billing_period,
    billing_currency,
    dimension,  -- model or dataset
    member,
    version,  -- null: nobody knows, or it is of none
    cost_kind,
    service_name,
    sum(cut(gpu_hours, share_from, share_to)) as gpu_hours,
    sum(cut(effective_cost, share_from, share_to)) as effective_cost,
    sum(cut(billed_cost, share_from, share_to)) as billed_cost
from parts
group by all
