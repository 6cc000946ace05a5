-- One row is about bytes that the bill says left a region for another, or went through a NAT gateway of
-- it, on a day.
--
-- A line in a unit that is no bytes says nothing of them; lines that cost nothing are the other side
-- of a transfer, or free, and are not counted (`line_sums`).
--
-- grain: one row per pair of regions and container
-- key:   charge_date, from_region, to_region, scope
-- step:  charge_date
-- owner: ml-platform

with

transfers as (
    select
        line_hash,
        any_value(case when x_line_class = 'nat' then region_id else x_from_region end) as from_region,
        any_value(case when x_line_class = 'nat' then 'nat' else x_to_region end) as to_region,
        any_value(last_part(coalesce(resource_id, ''))) as scope
    from attribution.line_texts
    where
        x_line_class = 'transfer' and x_from_region is not null and x_to_region is not null
        or x_line_class = 'nat' and region_id is not null and last_part(resource_id) like 'nat-%'
    group by line_hash
)

select
    line_sums.charge_date,
    transfers.from_region,
    transfers.to_region,
    transfers.scope,  -- the container, or '' for lines that name none
    cast(sum(line_sums.transferred_bytes) as bigint) as billed_bytes  -- null where the bill does not say
from attribution.line_sums
inner join transfers using (line_hash)
group by all
