-- One row is about bytes that the bill says left a region for another on a day.
--
-- A gigabyte of AWS is 2^30 bytes. A line in a unit that is no bytes says nothing of them; lines
-- that cost nothing are the other side of a transfer, or free, and are not counted.
--
-- grain: one row per pair of regions and container
-- key:   charge_date, from_region, to_region, scope
-- step:  charge_date
-- owner: ml-platform

select
    charge_date,
    x_from_region as from_region,
    x_to_region as to_region,
    last_part(coalesce(resource_id, '')) as scope,  -- the container, or '' for lines that name none
    cast(
        sum(
            case
                when effective_cost > 0 or billed_cost > 0
                    then
                        cast(consumed_quantity as double) * case
                            when lower(consumed_unit) in ('byte', 'bytes') then 1
                            when lower(consumed_unit) in ('mb', 'mib', 'mebibyte') then 1048576
                            when lower(consumed_unit) in ('gb', 'gib', 'gibibyte', 'gigabytes') then 1073741824
                            when lower(consumed_unit) in ('tb', 'tib', 'tebibyte') then 1099511627776
                        end
            end
        ) as bigint
    ) as billed_bytes  -- null where the bill does not say
from staging.cost_lines
where x_line_class = 'transfer' and x_from_region is not null and x_to_region is not null
group by all
