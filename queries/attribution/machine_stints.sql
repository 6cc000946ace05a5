-- One row is about an hour of a machine that is watched, and the first hour of the day that was like it.
--
-- A machine is watched where telemetry knows the hour, or somebody held it at another hour of the day, or a
-- scheduler tells that it gave it no work that day.
--
-- Hours of a day in which a machine offered the same and the same held the same of it are a stint: their
-- costs are cut alike, so shares are found for the first of them. What pods asked for stays as it is for as long
-- as they run, so most days have a few stints. An hour in which counters tell what a pod served is one of its own.
--
-- What was held is compared by the sum of hashes of 64 bits: that two hours of a machine with the same number
-- of holders were taken for alike has a chance of 1 in 10^10 in a month of 300,000 machine-days.
--
-- grain: one row per machine and hour, or day
-- key:   machine_hour_no
-- step:  charge_date
-- owner: ml-platform

with

held as (
    select
        machine_hour_no,
        count(*) as holder_count,
        sum(cast(hash(run_no, pod_no, gpu_us, cpu_us, memory_us) as hugeint)) as holders_hash
    from attribution.held_hours
    group by machine_hour_no
),

served as (
    select distinct machine_hour_no as served_hour_no
    from attribution.served_shares
),

offered as (
    select
        machine_hours.*,
        held.holder_count,
        held.holders_hash,
        served.served_hour_no,
        machine_hours.is_observed or held.holder_count is not null or free_machines.instance_id is not null
            as is_watched
    from attribution.machine_hours
    left join held using (machine_hour_no)
    left join served on machine_hours.machine_hour_no = served.served_hour_no
    left join attribution.free_machines
        on
            machine_hours.charge_date = free_machines.charge_date
            and machine_hours.instance_id = free_machines.instance_id
),

watched_machines as (
    select distinct
        charge_date,
        machine_no
    from offered
    where is_watched
),

stints as (
    select
        min(machine_hour_no) as stint_no,
        list(machine_hour_no) as machine_hour_nos
    from offered
    semi join watched_machines using (charge_date, machine_no)
    group by
        charge_date, machine_no, served_hour_no, holder_count, holders_hash, up_us, lost_us, gpu_us, cpu_us,
        memory_us
)

select
    unnest(machine_hour_nos) as machine_hour_no,
    stint_no  -- number of the first machine-hour of the stint
from stints
