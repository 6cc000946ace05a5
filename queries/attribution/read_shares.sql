-- One row is about a run's share of the bytes that left one region for another on a day.
--
-- A run is a candidate for a transfer line if it read, from the region that the line comes from,
-- data while it ran in the region that the line goes to: share = bytes it read / bytes read by all
-- candidates. A line that names a container is shared among the readers of that container alone
-- (`scope` is the container), one that names no resource among all (`scope` is ''). A run in a region
-- that the container's bill does not have is on somebody else's machines: it reads over the internet.
--   no candidate: no row, and the line goes by stored bytes or by its own tags.
--
-- Bytes are those of the first that has any for the container and the regions: the store's own logs,
-- the tracker's count, the dataset's size. Where any of them were logged, all are held against the
-- bytes that the bill has: what was billed and is not known is the member '(unattributed egress)', and
-- goes by the line's own rules and tags. Where more is known than billed, the shares run to 1.
--
-- Known drawback: without logs, readers that no tracker knows are paid by those it does.
--
-- grain: one row per pair of regions, scope, run or person, dataset and version
-- key:   charge_date, from_region, to_region, scope, run_id, reader_user, dataset, dataset_version
-- step:  charge_date
-- owner: ml-platform

with

kind_days as (
    select distinct
        charge_date,
        kind_no
    from attribution.line_groups
),

container_regions as (
    select
        kind_days.charge_date,
        line_kinds.container,
        min(line_kinds.source) as source,
        min(line_kinds.region_id) as region_id
    from kind_days
    inner join attribution.line_kinds using (kind_no)
    where line_kinds.x_line_class = 'object_storage' and line_kinds.resource_id is not null
    group by kind_days.charge_date, line_kinds.container
),

billed_regions as (
    select distinct
        kind_days.charge_date,
        line_kinds.source,
        line_kinds.region_id
    from kind_days
    inner join attribution.line_kinds using (kind_no)
    where line_kinds.region_id is not null
),

registered as (
    select
        container,
        min(region_id) as region_id
    from attribution.dataset_roots
    group by container
),

candidates as (
    select
        run_reads.charge_date,
        coalesce(run_reads.region_id, container_regions.region_id) as from_region,
        run_regions.region_id as to_region,
        run_reads.container,
        run_reads.run_id,
        '' as reader_user,
        run_reads.dataset,
        '' as dataset_version,
        run_reads.read_bytes,
        false as is_logged
    from attribution.run_reads
    inner join attribution.run_regions using (charge_date, run_id)
    left join container_regions using (charge_date, container)
    union all
    select
        logged_reads.charge_date,
        coalesce(container_regions.region_id, registered.region_id) as from_region,
        logged_reads.to_region,
        logged_reads.container,
        logged_reads.run_id,
        logged_reads.reader_user,
        logged_reads.dataset,
        logged_reads.dataset_version,
        logged_reads.read_bytes,
        true as is_logged
    from attribution.logged_reads
    left join container_regions using (charge_date, container)
    left join registered using (container)
),

crossings as (
    select
        candidates.* replace (
            case
                when container_regions.source is not null and billed_regions.region_id is null then 'internet'
                else candidates.to_region
            end as to_region
        )
    from candidates
    left join container_regions using (charge_date, container)
    left join billed_regions
        on
            candidates.charge_date = billed_regions.charge_date
            and container_regions.source = billed_regions.source
            and candidates.to_region = billed_regions.region_id
    where candidates.from_region <> candidates.to_region
),

reads as (
    select *
    from crossings
    qualify
        is_logged
        = bool_or(is_logged) over (partition by charge_date, from_region, to_region, container)
),

scoped_reads as (
    select
        charge_date,
        from_region,
        to_region,
        container as scope,
        run_id,
        reader_user,
        dataset,
        dataset_version,
        bool_and(is_logged) as is_logged,
        cast(sum(read_bytes) as bigint) as read_bytes
    from reads
    where container <> ''
    group by charge_date, from_region, to_region, container, run_id, reader_user, dataset, dataset_version
    union all
    select
        charge_date,
        from_region,
        to_region,
        '' as scope,
        run_id,
        reader_user,
        dataset,
        dataset_version,
        bool_and(is_logged) as is_logged,
        cast(sum(read_bytes) as bigint) as read_bytes
    from reads
    group by charge_date, from_region, to_region, run_id, reader_user, dataset, dataset_version
),

logged as (
    select
        charge_date,
        from_region,
        to_region,
        scope,
        cast(sum(read_bytes) as bigint) as logged_bytes
    from scoped_reads
    group by charge_date, from_region, to_region, scope
    having bool_or(is_logged)
),

whole_reads as (
    select *
    from scoped_reads
    union all by name
    select
        logged.charge_date,
        logged.from_region,
        logged.to_region,
        logged.scope,
        '' as run_id,
        '' as reader_user,
        '(unattributed egress)' as dataset,
        '' as dataset_version,
        true as is_logged,
        billed_transfers.billed_bytes - logged.logged_bytes as read_bytes
    from logged
    inner join attribution.billed_transfers using (charge_date, from_region, to_region, scope)
    where billed_transfers.billed_bytes > logged.logged_bytes
),

running as (
    select
        *,
        sum(read_bytes) over up_to as upto_bytes,
        sum(read_bytes) over (partition by charge_date, from_region, to_region, scope) as total_bytes
    from whole_reads
    window up_to as (
        partition by charge_date, from_region, to_region, scope
        order by run_id, dataset, reader_user, dataset_version
        rows between unbounded preceding and current row
    )
)

select
    charge_date,
    from_region,
    to_region,
    scope,  -- the container, or '' for lines that name none
    run_id,  -- '' where no run is known
    reader_user,  -- a person without a run, as the log names it, or ''
    dataset,
    dataset_version,  -- that alone lies where the log says it was read; '': none does, or a tracker told
    is_logged,  -- the bytes are those of the store's own logs
    cast(read_bytes as bigint) as read_bytes,
    share_of(upto_bytes - read_bytes, total_bytes) as share_from,
    share_of(upto_bytes, total_bytes) as share_to
from running
