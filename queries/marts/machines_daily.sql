-- One row is about a machine on a day: what it offered, what was held of it, what it cost.
--
-- grain: one row per machine, currency and day
-- key:   charge_date, instance_id, billing_currency
-- owner: ml-platform

select
    charge_date,
    instance_id,  -- in lower case
    instance_type,
    region_id,
    billing_currency,
    gpu_count,  -- GPUs in the machine
    up_hours,
    gpu_hours_held,  -- by runs and pods
    effective_cost,
    idle_cost  -- watched, and held by nobody
from attribution.machine_days
