-- One row is about a dataset version's or run's share of the bytes in a container, a bucket or volume, on a day:
-- of all its bytes, and of those of each storage class.
--
-- share = bytes under the dataset's places / bytes in the container, from the inventory in force.
-- A folder that a tracker gave to a run for its files (checkpoints, models) is the run's, unless a
-- dataset is registered as deep or deeper; its owners are those of the run's last day. Folders of less
-- than `artefact_gib` stay with the rest, as a run's files for a few cents are not worth a row a day.
-- A folder of no run, where a tracker knows all that there were, is '(orphaned artefacts)'.
-- An inventory holds until the next one of its container, and the first also for the days before
-- it, both for `inventory_days` at most.
--   all bytes under registered places: the datasets share the container's bill;
--   some: the rest of it is the member '(unregistered)';
--   none, or no inventory: no row, and the bill goes by the container's own tags.
-- Versions share what their dataset has by the bytes under the place of each, as on the inventory's day; what lies
-- beside them, or where several lie, is of none.
--
-- Known drawbacks: the tiers of intelligent tiering are added up, though their prices differ; old
-- versions and unfinished uploads are paid by the dataset under whose place they lie.
--
-- grain:  one row per container, storage class, dataset, version, run and day
-- key:    charge_date, container, storage_class, dataset, dataset_version, run_id
-- hashed: charge_date
-- param:  inventory_days = 35  -- days for which an inventory stands where there is none
-- param:  artefact_gib = 1.0   -- a run's folder is told apart from this size on
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

registered as (
    select
        prefixes.container,
        prefixes.charge_date,
        prefixes.key_path,
        prefixes.storage_class,
        prefixes.size_bytes,
        length(dataset_roots.key_path) as root_length,
        dataset_roots.dataset,
        version_dates.version as dataset_version,
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
    left join attribution.version_dates
        on
            dataset_roots.container = version_dates.container
            and dataset_roots.key_path = version_dates.key_path
            and dataset_roots.dataset = version_dates.dataset
            and prefixes.charge_date >= version_dates.from_date
            and prefixes.charge_date < version_dates.to_date
    qualify
        row_number() over (
            partition by
                prefixes.container, prefixes.charge_date, prefixes.storage_class, prefixes.key_path
            order by length(dataset_roots.key_path) desc nulls last
        ) = 1
),

sized as (
    select
        registered.*,
        folders.run_id,
        folders.is_orphan,
        folders.key_path as folder_path,
        sum(registered.size_bytes) filter (where registered.storage_class = '') over (
            partition by registered.container, registered.charge_date, folders.key_path
        ) as folder_bytes
    from registered
    left join attribution.artefact_prefixes as folders
        on
            registered.container = folders.container
            and registered.key_path = folders.prefix
            and length(folders.key_path) > coalesce(registered.root_length, -1)
),

prefix_datasets as (
    select
        sized.container,
        sized.charge_date,
        sized.storage_class,
        sized.size_bytes,
        case
            when owned.run_id is not null then '(artefacts)'
            when sized.is_orphan then '(orphaned artefacts)'
            else coalesce(sized.dataset, '(unregistered)')
        end as dataset,
        case when owned.run_id is null and not coalesce(sized.is_orphan, false) then sized.dataset_version end
            as dataset_version,
        coalesce(owned.run_id, '') as run_id,
        case when owned.run_id is null then sized.owner_user else owned.user_raw end as owner_user,
        case when owned.run_id is null then sized.owner_team else owned.team_raw end as owner_team,
        case when owned.run_id is null then sized.project else owned.project_raw end as project,
        owned.rule_rank
    from sized
    left join attribution.last_run_days as owned
        on sized.run_id = owned.run_id and sized.folder_bytes >= cast($artefact_gib as double) * 1073741824
),

dataset_bytes as (
    select
        container,
        charge_date as inventory_date,
        storage_class,
        dataset,
        coalesce(dataset_version, '') as dataset_version,
        run_id,
        min(owner_user) as owner_user,
        min(owner_team) as owner_team,
        min(project) as project,
        min(rule_rank) as rule_rank,
        cast(sum(size_bytes) as bigint) as size_bytes
    from prefix_datasets
    group by container, charge_date, storage_class, dataset, coalesce(dataset_version, ''), run_id
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
        dataset_version,
        run_id,
        owner_user,
        owner_team,
        project,
        rule_rank,
        size_bytes,
        cast(sum(size_bytes) over up_to as bigint) as upto_bytes,
        cast(
            sum(size_bytes) over (partition by container, inventory_date, storage_class) as bigint
        ) as total_bytes
    from dataset_bytes
    window up_to as (
        partition by container, inventory_date, storage_class order by dataset, dataset_version, run_id
        rows between unbounded preceding and current row
    )
)

select
    inventory_days.charge_date,
    shares.container,  -- as last_part() writes it
    shares.storage_class,  -- as the inventory names it, in capitals; '' is all of them
    shares.dataset,  -- or '(unregistered)', '(artefacts)' of a run, '(orphaned artefacts)'
    shares.dataset_version,  -- '' where none lies alone
    shares.run_id,  -- whose folder it is; '' for everything else
    shares.owner_user,  -- of the registry, or the run's
    shares.owner_team,
    shares.project,
    shares.rule_rank,  -- the first ownership rule that matches the run
    shares.size_bytes,  -- billable
    share_of(shares.upto_bytes - shares.size_bytes, shares.total_bytes) as share_from,
    share_of(shares.upto_bytes, shares.total_bytes) as share_to
from shares
inner join inventory_days using (container, inventory_date)
where shares.total_bytes > 0
