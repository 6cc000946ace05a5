-- One row is about a dataset's share of the bytes in a container, a bucket or volume, on a day: of all
-- its bytes, and of those of each storage class.
--
-- share = bytes under the dataset's places / bytes in the container, from the inventory in force.
-- An inventory holds until the next one of its container, and the first also for the days before
-- it, both for `inventory_days` at most.
--   all bytes under registered places: the datasets share the container's bill;
--   some: the rest of it is the member '(unregistered)';
--   none, or no inventory: no row, and the bill goes by the container's own tags.
--
-- Known drawbacks: the tiers of intelligent tiering are added up, though their prices differ; old
-- versions and unfinished uploads are paid by the dataset under whose place they lie.
--
-- grain:  one row per container, storage class, dataset and day
-- key:    charge_date, container, storage_class, dataset
-- hashed: charge_date
-- param:  inventory_days = 35  -- days for which an inventory stands where there is none
-- owner:  ml-platform

with

inventories as (
    select
        last_part(container) as container,
        charge_date,
        trim(prefix, '/') as key_path,
        upper(storage_class) as storage_class,
        -- infrequent-access classes bill an object as 128 KiB at least
        case
            when upper(storage_class) in ('STANDARD_IA', 'ONEZONE_IA', 'GLACIER_IR')
                then greatest(size_bytes, coalesce(object_count, 0) * 131072)
            else size_bytes
        end as size_bytes
    from staging.stored_bytes
    where size_bytes >= 0
),

prefixes as (
    select
        container,
        charge_date,
        coalesce(key_path, '') as key_path,
        coalesce(storage_class, '') as storage_class,
        cast(sum(size_bytes) as bigint) as size_bytes
    from inventories
    group by
        grouping sets (
            (container, charge_date, key_path), (container, charge_date, key_path, storage_class)
        )
    having grouping(storage_class) = 1 or storage_class is not null
),

prefix_datasets as (
    select
        prefixes.container,
        prefixes.charge_date,
        prefixes.storage_class,
        prefixes.size_bytes,
        coalesce(dataset_roots.dataset, '(unregistered)') as dataset,
        dataset_roots.owner_user,
        dataset_roots.owner_team,
        dataset_roots.project
    from prefixes
    left join attribution.dataset_roots
        on
            prefixes.container = dataset_roots.container
            and (
                dataset_roots.key_path = ''
                or starts_with(prefixes.key_path || '/', dataset_roots.key_path || '/')
            )
    qualify
        row_number() over (
            partition by
                prefixes.container, prefixes.charge_date, prefixes.storage_class, prefixes.key_path
            order by length(dataset_roots.key_path) desc nulls last
        ) = 1
),

dataset_bytes as (
    select
        container,
        charge_date as inventory_date,
        storage_class,
        dataset,
        min(owner_user) as owner_user,
        min(owner_team) as owner_team,
        min(project) as project,
        cast(sum(size_bytes) as bigint) as size_bytes
    from prefix_datasets
    group by container, charge_date, storage_class, dataset
),

inventory_dates as (
    select distinct
        container,
        inventory_date
    from dataset_bytes
),

inventory_spans as (
    select
        container,
        inventory_date,
        case
            when lag(inventory_date) over by_date is null then inventory_date - $inventory_days
            else inventory_date
        end as from_date,
        least(
            coalesce(lead(inventory_date) over by_date, inventory_date + $inventory_days),
            inventory_date + $inventory_days
        ) as to_date
    from inventory_dates
    window by_date as (partition by container order by inventory_date)
),

inventory_days as (
    select
        container,
        inventory_date,
        cast(
            unnest(generate_series(from_date, to_date - interval 1 day, interval 1 day)) as date
        ) as charge_date
    from inventory_spans
),

shares as (
    select
        container,
        inventory_date,
        storage_class,
        dataset,
        owner_user,
        owner_team,
        project,
        size_bytes,
        cast(sum(size_bytes) over up_to as bigint) as upto_bytes,
        cast(
            sum(size_bytes) over (partition by container, inventory_date, storage_class) as bigint
        ) as total_bytes
    from dataset_bytes
    window up_to as (
        partition by container, inventory_date, storage_class order by dataset
        rows between unbounded preceding and current row
    )
)

select
    inventory_days.charge_date,
    shares.container,  -- as last_part() writes it
    shares.storage_class,  -- as the inventory names it, in capitals; '' is all of them
    shares.dataset,
    shares.owner_user,  -- of the registry
    shares.owner_team,
    shares.project,
    shares.size_bytes,  -- billable
    share_of(shares.upto_bytes - shares.size_bytes, shares.total_bytes) as share_from,
    share_of(shares.upto_bytes, shares.total_bytes) as share_to
from shares
inner join inventory_days using (container, inventory_date)
where shares.total_bytes > 0
