-- One row is about postings that belong to the full cost of the same models and datasets.
--
-- Lineage asks nothing of a posting but its run's group and first day, its dataset and model, and the day
-- where it is storage. A run is counted in one of its rows of a kind. Runs that made nothing, and whose postings
-- name no dataset or model, are added up together and not counted: nothing asks for them.
--
-- grain:     one row per currency, kind, group of runs, their first day, dataset, model, model served, day of storage
-- conserves: effective_cost, billed_cost of attribution.postings by billing_currency
-- owner:     ml-platform

with

lineage_runs as (
    select run_id
    from attribution.maker_groups
    union
    select run_id
    from attribution.postings
    where run_id is not null and coalesce(dataset, model) is not null
),

run_costs as (
    select
        billing_currency,
        full_cost_kind(method, postings.run_id) as kind,
        lineage_runs.run_id,
        dataset,
        model,
        served_model,
        case when kind = 'stored_bytes' then charge_date end as stored_date,
        sum(gpu_hours) as gpu_hours,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost
    from attribution.postings
    left join lineage_runs on postings.run_id = lineage_runs.run_id
    group by all
),

-- of most runs there is one row
repeated as (
    select
        billing_currency,
        kind,
        run_id
    from run_costs
    where run_id is not null
    group by billing_currency, kind, run_id
    having count(*) > 1
),

counted as (
    select
        *,
        run_id is not null as is_counted
    from run_costs
    anti join repeated using (billing_currency, kind, run_id)
    union all
    select
        *,
        row_number() over (
            partition by billing_currency, kind, run_id
            order by model asc nulls first, dataset asc nulls first, served_model asc, stored_date asc
        ) = 1 as is_counted
    from run_costs
    semi join repeated using (billing_currency, kind, run_id)
)

select
    counted.billing_currency,
    counted.kind,  -- reads, stored_bytes or work
    maker_groups.group_no,  -- null: of no run that made anything
    maker_groups.started_date,
    counted.dataset,
    counted.model,
    counted.served_model,
    counted.stored_date,
    count_if(counted.is_counted) as run_count,
    sum(counted.gpu_hours) as gpu_hours,
    sum(counted.effective_cost) as effective_cost,
    sum(counted.billed_cost) as billed_cost
from counted
left join attribution.maker_groups using (run_id)
group by
    counted.billing_currency,
    counted.kind,
    maker_groups.group_no,
    maker_groups.started_date,
    counted.dataset,
    counted.model,
    counted.served_model,
    counted.stored_date
