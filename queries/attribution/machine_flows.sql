-- One row is about bytes that a machine moved in an hour for which bills charge, as logs of the network
-- have them: between zones, through a NAT gateway, to the internet.
--
-- A machine is the one that the log names, else the one that the inventory says has the interface; what
-- interfaces of nothing but gateways and balancers moved is not counted again.
--   zone:     sent or taken, where both addresses are logged with their zones, and these differ;
--   nat:      sent through a gateway, and taken from beyond the network by an interface that sent more
--             through gateways than without;
--   internet: sent beyond the network, through a gateway or not, but for services of the provider's own.
--
-- grain: one row per machine, hour, region and where the bytes went
-- key:   charge_date, instance_id, slot, from_region, to_region
-- step:  charge_date
-- owner: ml-platform

with

interfaces as (
    select
        charge_date,
        related_key as interface_id,
        min(resource_key) as instance_id
    from attribution.volume_links
    where resource_type = 'instance'
    group by charge_date, related_key
),

flows as (
    select
        network_flows.charge_date,
        cast(hour(network_flows.charge_hour) as tinyint) as slot,
        network_flows.source,
        network_flows.region_id,
        network_flows.interface_id,
        coalesce(network_flows.instance_id, interfaces.instance_id) as instance_id,
        network_flows.zone_id,
        network_flows.local_address,
        network_flows.remote_address,
        network_flows.route,
        network_flows.is_sent,
        network_flows.byte_count
    from staging.network_flows
    left join interfaces
        on
            network_flows.charge_date = interfaces.charge_date
            and lower(network_flows.interface_id) = interfaces.interface_id
),

-- an address that stands in two networks of a region is no one's
zones as (
    select
        charge_date,
        source,
        region_id,
        local_address as remote_address,
        min(zone_id) as remote_zone_id
    from flows
    where zone_id is not null
    group by charge_date, source, region_id, local_address
    having min(zone_id) = max(zone_id)
),

gateway_users as (
    select
        charge_date,
        interface_id,
        coalesce(sum(byte_count) filter (where route = 'nat'), 0)
        > coalesce(sum(byte_count) filter (where route = 'internet'), 0) as is_behind_gateway
    from flows
    where is_sent
    group by charge_date, interface_id
),

moved as (
    select
        flows.*,
        case
            when flows.route = 'private' and flows.zone_id <> zones.remote_zone_id then [flows.region_id]
            when flows.route = 'nat' then ['nat', 'internet']
            when flows.route = 'internet' and flows.is_sent then ['internet']
            when flows.route = 'internet' and gateway_users.is_behind_gateway then ['nat']
        end as targets
    from flows
    left join zones
        on
            flows.charge_date = zones.charge_date
            and flows.source = zones.source
            and flows.region_id = zones.region_id
            and flows.remote_address = zones.remote_address
    left join gateway_users
        on flows.charge_date = gateway_users.charge_date and flows.interface_id = gateway_users.interface_id
    where flows.instance_id is not null
)

select
    charge_date,
    slot,  -- hour of the day
    instance_id,  -- in lower case
    region_id as from_region,
    to_region,  -- the same region: between its zones; 'nat', 'internet'
    cast(sum(byte_count) as bigint) as byte_count
from (
    select
        * exclude (targets),
        unnest(targets) as to_region
    from moved
) as charged
where region_id is not null
group by charge_date, slot, instance_id, region_id, to_region
