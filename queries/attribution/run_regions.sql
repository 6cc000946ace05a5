-- One row is about a region in which a run was billed on a day.
--
-- grain: one row per run, region and day
-- key:   charge_date, run_id, region_id
-- step:  charge_date
-- owner: ml-platform

with

run_machines as (
    select distinct
        held_hours.run_no,
        machine_hours.region_id
    from attribution.held_hours
    inner join attribution.machine_hours using (machine_hour_no)
    where held_hours.run_no is not null and machine_hours.region_id is not null
)

select
    day_runs.charge_date,
    day_runs.run_id,
    run_machines.region_id
from run_machines
inner join attribution.day_runs using (run_no)
union
select distinct
    line_groups.charge_date,
    run_days.run_id,
    line_kinds.region_id
from attribution.line_groups
inner join attribution.line_kinds using (kind_no)
inner join attribution.run_days
    on
        line_groups.charge_date = run_days.charge_date
        and line_kinds.resource_id = run_days.cloud_job_arn
where line_kinds.x_line_class = 'managed_job' and line_kinds.region_id is not null
