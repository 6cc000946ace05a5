-- Bytes that a network interface sent or took in an hour, as VPC flow logs have them.
--
-- Addresses are those of the packets where they are logged, as a gateway puts its own in between.
-- Sent or taken is what `flow-direction` says, else what the interface's own address says: the one
-- that most of its records of the day have, on either side; where two have as many, nobody knows and
-- its records do not count. Beyond the network go addresses that are not private:
--   traffic-path 7 (an endpoint), or a service of AWS in the same region (S3, DynamoDB): service, it is free;
--   traffic-path 1 (another resource of the VPC), and sent: nat;
--   any other, or not logged: internet.
-- Of several flow logs of one interface the one with the most bytes of the day counts. Rejected
-- packets went nowhere. What AWS itself could not record (SKIPDATA) is missing here.
--
-- Known drawback: without traffic-path, what goes through a NAT gateway counts as sent to the internet, for
-- both lines alike.
--
-- grain:     one row per day of writing, interface, hour, addresses, route and direction
-- partition: charge_date
-- feeds:     network_flows
-- owner:     ml-platform

with

records as (
    select
        x_source as source,
        make_timestamp(start * 1000000) as started_at,
        coalesce(nullif(region, ''), file_region) as region_id,
        file_log,
        interface_id,
        instance_id,
        az_id as zone_id,
        coalesce(pkt_srcaddr, srcaddr) as from_address,
        coalesce(pkt_dstaddr, dstaddr) as to_address,
        flow_direction,
        traffic_path,
        coalesce(pkt_src_aws_service, '') in ('S3', 'DYNAMODB') as is_from_service,
        coalesce(pkt_dst_aws_service, '') in ('S3', 'DYNAMODB') as is_to_service,
        bytes as byte_count
    from raw.vpc_flow_logs__records
    where
        bytes > 0
        and start is not null
        and interface_id is not null
        and coalesce(action, 'ACCEPT') = 'ACCEPT'
        and coalesce(log_status, 'OK') = 'OK'
),

logs as (
    select
        source,
        cast(started_at as date) as charge_date,
        interface_id,
        file_log,
        sum(byte_count) as byte_count
    from records
    group by all
),

chosen_logs as (
    select *
    from logs
    qualify
        row_number() over (
            partition by source, charge_date, interface_id order by byte_count desc, file_log asc
        ) = 1
),

counted as (
    select
        records.*,
        chosen_logs.charge_date
    from records
    inner join chosen_logs
        on
            records.source = chosen_logs.source
            and cast(records.started_at as date) = chosen_logs.charge_date
            and records.interface_id = chosen_logs.interface_id
            and records.file_log = chosen_logs.file_log
),

sides as (
    select
        source,
        charge_date,
        interface_id,
        unnest([from_address, to_address]) as address
    from counted
    where flow_direction is null
),

own_addresses as (
    select
        source,
        charge_date,
        interface_id,
        address
    from (
        select
            source,
            charge_date,
            interface_id,
            address,
            count(*) as record_count
        from sides
        group by all
    ) as counts
    qualify
        record_count = max(record_count) over (partition by source, charge_date, interface_id)
        and count(*) over (partition by source, charge_date, interface_id, record_count) = 1
),

directed as (
    select
        counted.*,
        case
            when counted.flow_direction is not null then counted.flow_direction = 'egress'
            when own_addresses.address = counted.from_address then true
            when own_addresses.address = counted.to_address then false
        end as is_sent
    from counted
    left join own_addresses using (source, charge_date, interface_id)
),

routed as (
    select
        *,
        case when is_sent then from_address else to_address end as local_address,
        case when is_sent then to_address else from_address end as remote_address,
        case when is_sent then is_to_service else is_from_service end as is_service
    from directed
    where is_sent is not null
)

select
    source,
    charge_date,
    date_trunc('hour', started_at) as charge_hour,
    region_id,
    interface_id,
    lower(instance_id) as instance_id,
    zone_id,
    local_address,
    case when is_private_address(remote_address) then remote_address end as remote_address,
    case
        when is_private_address(remote_address) then 'private'
        when is_service or coalesce(traffic_path = 7, false) then 'service'
        when is_sent and traffic_path = 1 then 'nat'
        else 'internet'
    end as route,
    is_sent,
    cast(sum(byte_count) as bigint) as byte_count
from routed
group by all
