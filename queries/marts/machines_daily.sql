-- One row is about a machine on a day: what it offered, what was held of it, what it cost.
--
-- In the reporting currency each row is converted by itself, so that sums may be off by a unit in the twelfth place.
--
-- grain: one row per machine, currency and day
-- key:   charge_date, instance_id, billing_currency
-- owner: ml-platform

select
    machine_days.charge_date,
    machine_days.instance_id,  -- in lower case
    machine_days.instance_type,
    machine_days.region_id,
    machine_days.billing_currency,
    machine_days.gpu_count,  -- GPUs in the machine
    machine_days.up_hours,
    machine_days.gpu_hours_held,  -- by runs and pods
    machine_days.effective_cost,
    machine_days.idle_cost,  -- watched, and held by nobody
    cast(converted(machine_days.effective_cost, rates.rate_times, rates.rate_over) as decimal(38, 12))
        as reporting_cost,  -- null: no reporting currency is set, or its rate is not known
    cast(converted(machine_days.idle_cost, rates.rate_times, rates.rate_over) as decimal(38, 12))
        as reporting_idle_cost,
    rates.reporting_currency,
    machine_days.lost_hours,  -- hours of a watched machine of which telemetry saw nothing
    machine_days.lost_cost,  -- what nobody is known to have held in those hours: unattributed, not idle
    cast(converted(machine_days.lost_cost, rates.rate_times, rates.rate_over) as decimal(38, 12))
        as reporting_lost_cost
from attribution.machine_days
left join attribution.reporting_rates as rates
    on
        machine_days.charge_date = rates.charge_date
        and machine_days.billing_currency = rates.billing_currency
        and rates.rate_times is not null
