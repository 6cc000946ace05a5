-- One row is about a run that reads a dataset on a day, and how much of it.
--
-- Bytes that the tracker counted for the whole run are spread over its days by time. Where it did
-- not count, the dataset's size of that day stands in, and where that is unknown too, one byte:
-- then all readers weigh the same.
--
-- grain:  one row per run, dataset, container and day
-- hashed: charge_date
-- owner:  ml-platform

with

run_lengths as (
    select
        run_id,
        sum(run_us) as total_us
    from attribution.run_spells
    group by run_id
),

dataset_sizes as (
    select
        charge_date,
        container,
        dataset,
        cast(sum(size_bytes) as bigint) as size_bytes
    from attribution.stored_shares
    where storage_class = ''
    group by charge_date, container, dataset
),

reads as (
    select
        run_id,
        dataset,
        container,
        region_id,
        cast(sum(bytes_read) as bigint) as bytes_read
    from attribution.run_datasets
    where direction = 'read'
    group by run_id, dataset, container, region_id
)

select
    reads.run_id,
    run_spells.charge_date,
    coalesce(reads.dataset, '(unregistered)') as dataset,
    reads.container,
    reads.region_id,  -- where the registry says that the data lies; null: ask the bill
    greatest(
        coalesce(
            case
                when run_lengths.total_us > 0
                    then whole_upto(reads.bytes_read, run_spells.run_us, run_lengths.total_us)
            end,
            dataset_sizes.size_bytes,
            1
        ),
        1
    ) as read_bytes  -- on this day, 1 at least
from reads
inner join attribution.run_spells using (run_id)
inner join run_lengths using (run_id)
left join dataset_sizes
    on
        run_spells.charge_date = dataset_sizes.charge_date
        and reads.container = dataset_sizes.container
        and reads.dataset = dataset_sizes.dataset
where run_spells.run_us > 0
