-- One row is about a cluster on a day: of the GPU hours that pods held, how many telemetry can judge.
--
-- What it cannot judge is unknown: detectors neither call it idle nor busy. Hours of machines in which
-- there is no sample at all are lost: their cost is unattributed. The newest 14 days.
--
-- grain: one row per cluster and day
-- key:   charge_date, cluster
-- owner: ml-platform

with

held as (
    select
        charge_date,
        cluster,
        sum(gpu_seconds) as held_seconds,
        sum(known_gpu_seconds) as known_seconds
    from attribution.gpu_pod_days
    group by charge_date, cluster
),

-- a machine billed in two currencies has a row for each
machines as (
    select distinct
        charge_date,
        cluster,
        instance_id,
        up_hours,
        lost_hours
    from attribution.machine_days
    semi join attribution.recent_days using (charge_date)
    where cluster is not null
),

watched as (
    select
        charge_date,
        cluster,
        sum(up_hours) as up_hours,
        sum(lost_hours) as lost_hours
    from machines
    group by charge_date, cluster
)

select
    charge_date,
    cluster,
    cast(coalesce(held.held_seconds, 0) / 3600 as decimal(18, 6)) as held_gpu_hours,
    cast(coalesce(held.known_seconds, 0) / 3600 as decimal(18, 6))
        as known_gpu_hours,  -- at least 90 % of the samples are there
    cast(coalesce(held.held_seconds - held.known_seconds, 0) / 3600 as decimal(18, 6)) as unknown_gpu_hours,
    cast(coalesce(watched.up_hours, 0) as decimal(18, 6)) as machine_hours,  -- of billed machines that it watches
    cast(coalesce(watched.lost_hours, 0) as decimal(18, 6)) as lost_machine_hours  -- of these, without any sample
from held
full outer join watched using (charge_date, cluster)
