-- One row is about transfers between two regions, two zones of one, or through a NAT gateway, on a day: of
-- the bytes billed, how many were logged.
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
    to_region,  -- a region, the same one between its zones, 'internet' or 'nat'
    container,  -- bucket, machine or gateway; '' where the bill names none
    billed_bytes,  -- null where the bill does not say
    logged_bytes,  -- by logs of the store, or of the network: gateways of a region share its machines' bytes
    case
        when billed_bytes > 0
            then least(cast(logged_bytes as double) / cast(billed_bytes as double), 1)
    end as logged_share,  -- of the bytes billed, 0 to 1; null where the bill does not say
    told_by  -- what the cost was shared by: access_log, flow_log, tracker (its bytes or sizes), mixed, or none
from attribution.egress_days
