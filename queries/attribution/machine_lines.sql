-- One row is about what one line group bills for a machine in the hours of a stint, to be cut among its holders.
--
-- The GPU time of a machine is counted once, on the dearest of its line groups of the hour, because a
-- bill may show one hour of one machine in several lines. A day's bill repeats the GPU time of the
-- hours that are billed one by one.
--
-- grain: one row per line group of the day and stint of a machine that is watched
-- key:   line_no, stint_no, has_gpu_time
-- step:  charge_date
-- owner: ml-platform

with

hour_lines as (
    select
        line_groups.line_no,
        line_groups.charge_date,
        line_groups.kind_no,
        line_methods.machine_hour_no,
        line_groups.effective_cost,
        line_groups.billed_cost,
        line_groups.list_cost
    from attribution.line_groups
    inner join attribution.line_methods using (line_no)
    where line_methods.method = 'machine_share'
),

several_lines as (
    select machine_hour_no
    from hour_lines
    group by machine_hour_no
    having count(*) > 1
),

cheaper_lines as (
    select line_no
    from hour_lines
    semi join several_lines using (machine_hour_no)
    qualify
        row_number() over (
            partition by machine_hour_no order by effective_cost desc, billed_cost desc, kind_no asc
        ) > 1
),

repeated_days as (
    select max(machine_hour_no) as machine_hour_no
    from attribution.machine_hours
    semi join attribution.machine_stints using (machine_hour_no)
    group by charge_date, machine_no
    having min(slot) < 24 and max(slot) = 24
),

-- the hours of a line group of the day are told by the number of one of them
day_lines as (
    select
        charge_date,
        kind_no,
        min(line_no) as line_no
    from hour_lines
    group by charge_date, kind_no
)

select
    day_lines.line_no,  -- of one of the day's hours
    machine_stints.stint_no,
    cheaper_lines.line_no is null and repeated_days.machine_hour_no is null
        as has_gpu_time,  -- the machine's GPU time is counted here
    count(*) as hour_count,
    sum(hour_lines.effective_cost) as effective_cost,
    sum(hour_lines.billed_cost) as billed_cost,
    sum(hour_lines.list_cost) as list_cost
from hour_lines
inner join attribution.machine_stints using (machine_hour_no)
inner join day_lines using (charge_date, kind_no)
left join cheaper_lines on hour_lines.line_no = cheaper_lines.line_no
left join repeated_days on hour_lines.machine_hour_no = repeated_days.machine_hour_no
group by
    day_lines.line_no,
    machine_stints.stint_no,
    cheaper_lines.line_no is null and repeated_days.machine_hour_no is null
