-- One row is about postings of a day that go to the same models, datasets and versions: what `member_spend` and
-- `version_spend` cut.
--
-- Runs count one by one only where they have models or datasets in `run_members`.
--
-- grain: one row per day, bill, run, model, version served, dataset, its version, reader, kind of cost and service
-- step:  charge_date
-- owner: ml-platform

with

bridged_runs as (
    select distinct
        charge_date,
        run_id
    from attribution.run_members
)

select
    postings.charge_date,
    postings.source,
    postings.billing_period,
    postings.billing_currency,
    bridged_runs.run_id,  -- null: of no model nor dataset
    postings.model,
    case when postings.model = postings.served_model then postings.model_version end as served_version,
    postings.dataset,
    postings.dataset_version,
    case when postings.dataset is not null then coalesce(postings.run_id, '') end as reader_id,  -- '': of no run
    postings.cost_kind,
    postings.service_name,
    sum(postings.gpu_hours) as gpu_hours,
    sum(postings.effective_cost) as effective_cost,
    sum(postings.billed_cost) as billed_cost
from attribution.postings
left join bridged_runs using (charge_date, run_id)
group by all
