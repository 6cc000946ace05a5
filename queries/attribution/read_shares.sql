-- One row is about a run's share of the bytes that left one region for another on a day.
--
-- A run is a candidate for a transfer line if it read, from the region that the line comes from,
-- data while it ran in the region that the line goes to: share = bytes it read / bytes read by all
-- candidates. A line that names a container is shared among the readers of that container alone
-- (`scope` is the container), one that names no resource among all (`scope` is ''). A run in a region
-- that the container's bill does not have is on somebody else's machines: it reads over the internet.
--   no candidate: no row, and the line goes by stored bytes or by its own tags.
--
-- Known drawback: logged bytes are not held against billed bytes, so readers that no tracker knows
-- are paid by those it does.
--
-- grain: one row per pair of regions, scope, run and dataset
-- key:   charge_date, from_region, to_region, scope, run_id, dataset
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

reads as (
    select
        run_reads.charge_date,
        coalesce(run_reads.region_id, container_regions.region_id) as from_region,
        case
            when container_regions.source is not null and billed_regions.region_id is null then 'internet'
            else run_regions.region_id
        end as to_region,
        run_reads.container,
        run_reads.run_id,
        run_reads.dataset,
        run_reads.read_bytes
    from attribution.run_reads
    inner join attribution.run_regions using (charge_date, run_id)
    left join container_regions using (charge_date, container)
    left join billed_regions
        on
            run_reads.charge_date = billed_regions.charge_date
            and container_regions.source = billed_regions.source
            and run_regions.region_id = billed_regions.region_id
    where coalesce(run_reads.region_id, container_regions.region_id) <> run_regions.region_id
),

scoped_reads as (
    select
        charge_date,
        from_region,
        to_region,
        container as scope,
        run_id,
        dataset,
        cast(sum(read_bytes) as bigint) as read_bytes
    from reads
    where container <> ''
    group by charge_date, from_region, to_region, container, run_id, dataset
    union all
    select
        charge_date,
        from_region,
        to_region,
        '' as scope,
        run_id,
        dataset,
        cast(sum(read_bytes) as bigint) as read_bytes
    from reads
    group by charge_date, from_region, to_region, run_id, dataset
),

running as (
    select
        *,
        sum(read_bytes) over up_to as upto_bytes,
        sum(read_bytes) over (partition by charge_date, from_region, to_region, scope) as total_bytes
    from scoped_reads
    window up_to as (
        partition by charge_date, from_region, to_region, scope order by run_id, dataset
        rows between unbounded preceding and current row
    )
)

select
    charge_date,
    from_region,
    to_region,
    scope,  -- the container, or '' for lines that name none
    run_id,
    dataset,
    share_of(upto_bytes - read_bytes, total_bytes) as share_from,
    share_of(upto_bytes, total_bytes) as share_to
from running
