-- One row is about a cluster on a day: of the GPU hours that pods held, how many telemetry can judge.
--
-- What it cannot judge is unknown: detectors neither call it idle nor busy. The newest 14 days.
--
-- grain: one row per cluster and day
-- key:   charge_date, cluster
-- owner: ml-platform

select
    charge_date,
    cluster,
    cast(sum(gpu_units * held_seconds) / 3600 as decimal(18, 6)) as held_gpu_hours,
    cast(sum(case when seen_share >= 0.9 then gpu_units * held_seconds else 0 end) / 3600 as decimal(18, 6))
        as known_gpu_hours,  -- at least 90 % of the samples are there
    cast(sum(case when seen_share < 0.9 then gpu_units * held_seconds else 0 end) / 3600 as decimal(18, 6))
        as unknown_gpu_hours
from attribution.gpu_holder_hours
group by charge_date, cluster
