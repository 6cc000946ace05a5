-- One row is about transfers between two regions on a day: of the bytes billed, how many were logged.
--
-- What is logged goes to its readers, at most all of it; what is not is '(unattributed egress)'. Where
-- no log tells of a transfer, its cost goes to the readers that a tracker knows, whatever they read.
--
-- grain: one row per day, pair of regions and container
-- key:   charge_date, from_region, to_region, container
-- owner: ml-platform

select
    charge_date,
    from_region,
    to_region,  -- a region or 'internet'
    container,  -- bucket; '' where the bill names none
    billed_bytes,  -- null where the bill does not say
    logged_bytes,  -- by the store's own logs, without reads within the region
    case
        when billed_bytes > 0
            then least(cast(logged_bytes as double) / cast(billed_bytes as double), 1)
    end as logged_share,  -- of the bytes billed, 0 to 1; null where the bill does not say
    told_by  -- what the cost was shared by: access_log, tracker (its bytes or sizes), mixed, or none
from attribution.egress_days
