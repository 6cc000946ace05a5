-- One row is about what GPU-hours have cost a team lately, by the GPU that they were held on.
--
-- The last 28 days of charges. A GPU-hour costs what the holder pays for it under the idle policy
-- in force, its cores and memory with it; divide the cost by the hours.
--
-- grain: one row per team, GPU model and currency
-- key:   team, gpu_model, billing_currency
-- owner: ml-platform

with

held as (
    select
        named_postings.team,
        named_postings.billing_currency,
        named_postings.gpu_hours,
        named_postings.effective_cost,
        machine_days.instance_type
    from attribution.named_postings
    left join attribution.machine_days
        on
            named_postings.charge_date = machine_days.charge_date
            and lower(named_postings.resource_id) = machine_days.instance_id
            and named_postings.billing_currency = machine_days.billing_currency
    where
        named_postings.gpu_hours > 0
        and named_postings.charge_date > (select newest_day - 28 from marts.covered_days)
),

gpu_models as (
    select
        instance_type,
        min(gpu_model) as gpu_model
    from seeds.gpu_instances
    group by instance_type
)

select
    coalesce(held.team, 'unattributed') as team,
    coalesce(gpu_models.gpu_model, 'unknown') as gpu_model,  -- as the table of machine types names it
    held.billing_currency,
    cast(sum(held.gpu_hours) as decimal(38, 6)) as gpu_hours,  -- GPUs held x hours
    cast(sum(held.effective_cost) as decimal(38, 12)) as effective_cost  -- amortised
from held
left join gpu_models using (instance_type)
group by all
