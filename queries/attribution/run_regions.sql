-- One row is about a region in which a run was billed on a day.
--
-- grain: one row per run, region and day
-- key:   charge_date, run_id, region_id
-- step:  charge_date
-- owner: ml-platform

select distinct
    machine_shares.charge_date,
    machine_shares.run_id,
    machine_hours.region_id
from attribution.machine_shares
inner join attribution.machine_hours using (charge_date, instance_id, slot)
where machine_shares.run_id is not null and machine_hours.region_id is not null
union
select distinct
    line_groups.charge_date,
    run_days.run_id,
    line_groups.region_id
from attribution.line_groups
inner join attribution.run_days
    on
        line_groups.charge_date = run_days.charge_date
        and line_groups.resource_id = run_days.cloud_job_arn
where line_groups.x_line_class = 'managed_job' and line_groups.region_id is not null
