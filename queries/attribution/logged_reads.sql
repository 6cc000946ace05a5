-- One row is about logged bytes of a dataset on a day, and the run or person that read them.
--
-- Whose bytes they are is told by the first of these that knows:
--   the machine that the session is called after: its runs of that day;
--   the person: those of its runs that a tracker saw read the dataset, else the person;
--   else the runs that a tracker saw read the dataset; else nobody.
-- Runs share by the bytes that the tracker has of them, equally where it has none. Reads from within
-- the container's own region, by a private address or by a run there, are left out: they cost nothing.
--
-- grain: one row per day, container, dataset, version, run, person and region read in
-- key:   charge_date, container, dataset, dataset_version, run_id, reader_user, to_region
-- step:  charge_date
-- owner: ml-platform

with

reads as (
    select
        row_number() over () as read_no,
        charge_date,
        container,
        dataset,
        dataset_version,
        instance_id,
        reader_user,
        read_bytes
    from attribution.dataset_reads
    where not is_local
),

tracked as (
    select
        charge_date,
        container,
        dataset,
        run_id,
        cast(sum(read_bytes) as bigint) as read_bytes
    from attribution.run_reads
    group by charge_date, container, dataset, run_id
),

machine_runs as (
    select distinct
        machine_hours.charge_date,
        machine_hours.instance_id,
        day_runs.run_id
    from attribution.held_hours
    inner join attribution.machine_hours using (machine_hour_no)
    inner join attribution.day_runs on held_hours.run_no = day_runs.run_no
),

candidates as (
    select
        reads.read_no,
        machine_runs.run_id,
        1 as level,
        coalesce(tracked.read_bytes, 1) as weight
    from reads
    inner join machine_runs using (charge_date, instance_id)
    left join tracked
        on
            reads.charge_date = tracked.charge_date
            and reads.container = tracked.container
            and reads.dataset = tracked.dataset
            and machine_runs.run_id = tracked.run_id
    where reads.instance_id <> ''
    union all
    select
        reads.read_no,
        tracked.run_id,
        2 as level,
        tracked.read_bytes as weight
    from reads
    inner join tracked using (charge_date, container, dataset)
    inner join attribution.run_days using (charge_date, run_id)
    where reads.reader_user = '' or lower(reads.reader_user) = lower(run_days.user_raw)
),

nearest as (
    select *
    from candidates
    qualify level = min(level) over (partition by read_no)
),

chosen as (
    select
        read_no,
        run_id,
        sum(weight) over up_to as upto_weight,
        sum(weight) over up_to - weight as before_weight,
        sum(weight) over (partition by read_no) as total_weight
    from nearest
    window up_to as (
        partition by read_no order by run_id rows between unbounded preceding and current row
    )
),

shares as (
    select
        reads.charge_date,
        reads.container,
        reads.dataset,
        reads.dataset_version,
        coalesce(chosen.run_id, '') as run_id,
        case when chosen.run_id is null then reads.reader_user else '' end as reader_user,
        case
            when chosen.run_id is null then reads.read_bytes
            else
                whole_upto(reads.read_bytes, chosen.upto_weight, chosen.total_weight)
                - whole_upto(reads.read_bytes, chosen.before_weight, chosen.total_weight)
        end as read_bytes
    from reads
    left join chosen using (read_no)
)

select
    shares.charge_date,
    shares.container,
    shares.dataset,
    shares.dataset_version,
    shares.run_id,  -- '' where no run is known
    shares.reader_user,  -- where no run is known: the person, or ''
    -- nothing is known of where a reader without a run is
    case when shares.run_id = '' then 'internet' else run_regions.region_id end as to_region,
    cast(sum(shares.read_bytes) as bigint) as read_bytes
from shares
left join attribution.run_regions
    on shares.charge_date = run_regions.charge_date and shares.run_id = run_regions.run_id
where shares.run_id = '' or run_regions.region_id is not null
group by all
having sum(shares.read_bytes) > 0
