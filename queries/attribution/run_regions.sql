-- One row is about a region in which a run was billed on a day.
--
-- Only runs that read data have rows: transfers are shared among readers, and nobody else asks. A log of
-- reads may name any machine, so on its days every run has.
--
-- grain: one row per run, region and day
-- key:   charge_date, run_id, region_id
-- step:  charge_date
-- owner: ml-platform

with

logged_days as (
    select charge_date
    from attribution.dataset_reads
    where not is_local
),

readers as (
    select
        charge_date,
        run_id,
        run_no
    from attribution.day_runs
    semi join attribution.run_reads using (charge_date, run_id)
    union
    select
        charge_date,
        run_id,
        run_no
    from attribution.day_runs
    semi join logged_days using (charge_date)
)

select
    readers.charge_date,
    readers.run_id,
    machine_hours.region_id
from readers
inner join attribution.held_hours using (run_no)
inner join attribution.machine_hours using (machine_hour_no)
where machine_hours.region_id is not null
union
select
    line_groups.charge_date,
    run_days.run_id,
    line_kinds.region_id
from attribution.line_groups
inner join attribution.line_kinds using (kind_no)
inner join attribution.run_days
    on
        line_groups.charge_date = run_days.charge_date
        and line_kinds.resource_id = run_days.cloud_job_arn
semi join readers
    on run_days.charge_date = readers.charge_date and run_days.run_id = readers.run_id
where line_kinds.x_line_class = 'managed_job' and line_kinds.region_id is not null
