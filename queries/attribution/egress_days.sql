-- One row is about transfers between two regions, or through a NAT gateway, on a day, and how much of them
-- logs explain.
--
-- grain:     one row per day, pair of regions and container
-- key:       charge_date, from_region, to_region, container
-- partition: charge_date
-- owner:     ml-platform

with

reads as (
    select
        charge_date,
        from_region,
        to_region,
        scope,
        bool_and(is_logged) as is_logged,
        cast(sum(read_bytes) filter (where is_logged and dataset <> '(unattributed egress)') as bigint)
            as logged_bytes
    from attribution.read_shares
    group by charge_date, from_region, to_region, scope
),

-- machines share the lines that name no machine: each line tells the bytes of all of them
flows as (
    select
        charge_date,
        from_region,
        to_region,
        resource as scope,
        cast(sum(byte_count) filter (where dataset is null) as bigint) as logged_bytes
    from (
        select distinct
            charge_date,
            from_region,
            to_region,
            resource,
            run_no,
            pod_no,
            unheld_id,
            dataset,
            byte_count
        from attribution.flow_users
    ) as told
    group by charge_date, from_region, to_region, resource
)

select
    billed_transfers.charge_date,
    billed_transfers.from_region,
    billed_transfers.to_region,
    billed_transfers.scope as container,
    billed_transfers.billed_bytes,
    coalesce(
        case when reads.is_logged then reads.logged_bytes end, flows.logged_bytes, reads.logged_bytes, 0
    ) as logged_bytes,
    case
        when reads.is_logged then 'access_log'
        when flows.scope is not null then 'flow_log'
        when reads.logged_bytes is not null then 'mixed'
        when reads.scope is not null then 'tracker'
        else 'none'
    end as told_by
from attribution.billed_transfers
left join reads using (charge_date, from_region, to_region, scope)
left join flows using (charge_date, from_region, to_region, scope)
