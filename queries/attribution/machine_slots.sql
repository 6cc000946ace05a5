-- One row is about an hour of the day in which a billed machine may have been held.
--
-- A machine billed by the day takes what was held in each of its hours.
--
-- grain: one row per machine, hour and machine-hour (or day)
-- step:  charge_date
-- owner: ml-platform

with

hours as (
    select cast(unnest(range(24)) as tinyint) as slot
)

select
    charge_date,
    instance_id,
    slot,  -- hour of the day, 0 to 23
    machine_hour_no
from attribution.machine_hours
where slot < 24
union all
select
    charge_date,
    instance_id,
    hours.slot,
    machine_hour_no
from attribution.machine_hours
cross join hours
where machine_hours.slot = 24
