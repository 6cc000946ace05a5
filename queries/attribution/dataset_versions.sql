-- One row is about a version of a dataset that a run read, on each of the run's days, or that alone was there.
--
-- A run that read several reads them by bytes where a tracker counted those of each, else all the same. What
-- records of the run say without a digest counts where none of them says one. The shares of a run and dataset run
-- from 0 to 1.
-- run_id '': the version of a dataset that is registered under one version, or of one place, that alone was there
-- (`version_dates`), on days on which an inventory has it.
--
-- Known drawback: a registry that does not tell since when a version is there gives it all days before; and a run
-- may call a version by a digest, and the registry the same by a number.
--
-- grain:  one row per run, dataset, version and day
-- key:    charge_date, run_id, dataset, version
-- hashed: charge_date
-- owner:  ml-platform

with

told as (
    select
        run_id,
        dataset,
        unnest(versions) as version,
        case when len(versions) = 1 then nullif(bytes_read, 0) end as bytes_read
    from attribution.run_datasets
    where direction = 'read' and dataset is not null
),

read_versions as (
    select
        run_id,
        dataset,
        version,
        cast(case when count(bytes_read) = count(*) then sum(bytes_read) end as bigint) as bytes_read
    from told
    where version <> ''
    group by run_id, dataset, version
),

weighed as (
    select
        run_id,
        dataset,
        version,
        case
            when bool_and(bytes_read is not null) over (partition by run_id, dataset) then bytes_read
            else 1
        end as weight
    from read_versions
),

running as (
    select
        *,
        sum(weight) over up_to as upto_weight,
        sum(weight) over (partition by run_id, dataset) as total_weight
    from weighed
    window up_to as (
        partition by run_id, dataset order by version
        rows between unbounded preceding and current row
    )
),

-- of one version, or of one place: what is told of the place is told of the dataset
single as (
    select dataset
    from staging.datasets
    group by dataset
    having count(distinct coalesce(version, '')) = 1 or count(distinct uri) = 1
),

run_days as (
    select distinct
        charge_date,
        run_id
    from attribution.run_dates
),

stored as (
    select distinct
        charge_date,
        dataset
    from attribution.stored_shares
    where run_id = ''
),

stored_versions as (
    select
        stored.charge_date,
        stored.dataset,
        min(version_dates.version) as version
    from stored
    inner join single using (dataset)
    inner join attribution.version_dates
        on
            stored.dataset = version_dates.dataset
            and stored.charge_date >= version_dates.from_date
            and stored.charge_date < version_dates.to_date
    group by stored.charge_date, stored.dataset
    having count(distinct version_dates.version) = 1
)

select
    run_days.charge_date,
    running.run_id,
    running.dataset,
    running.version,
    share_of(running.upto_weight - running.weight, running.total_weight) as share_from,
    share_of(running.upto_weight, running.total_weight) as share_to
from running
inner join run_days using (run_id)
union all
select
    charge_date,
    '' as run_id,
    dataset,
    version,
    0.0 as share_from,
    1.0 as share_to
from stored_versions
