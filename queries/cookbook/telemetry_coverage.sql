-- How much of each cluster telemetry saw: GPU hours that it can judge, and machine hours that it lost.
--
-- The newest 14 days. What is not judged is neither called idle nor busy; what machines cost in lost hours
-- is unattributed (`lost_telemetry`), as far as no run is known to have held them.
--
-- grain: one row per cluster and day
-- key:   charge_date, cluster

select
    charge_date,
    cluster,
    held_gpu_hours,
    known_gpu_hours,
    unknown_gpu_hours,
    machine_hours,
    lost_machine_hours,
    round(cast(lost_machine_hours as double) / nullif(cast(machine_hours as double), 0), 6)
        as lost_share  -- of the machine hours billed, 0 to 1
from marts.telemetry_coverage
order by charge_date asc, cluster asc
