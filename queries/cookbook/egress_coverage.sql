-- How much of the transfers logs of reads and of the network explain, least known first.
--
-- grain: one row per container and pair of regions

select
    container,
    from_region,
    to_region,
    sum(billed_bytes) // 1073741824 as billed_gib,
    sum(logged_bytes) // 1073741824 as logged_gib,
    cast(sum(least(logged_bytes, billed_bytes)) as double)
    / nullif(cast(sum(billed_bytes) as double), 0) as logged_share,  -- of the bytes billed, 0 to 1
    count(*) filter (where told_by in ('access_log', 'flow_log')) as logged_days,
    count(*) as billed_days
from marts.egress_coverage
group by container, from_region, to_region
order by logged_share asc nulls first, billed_gib desc, container asc, from_region asc, to_region asc
