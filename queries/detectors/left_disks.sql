-- Machines that were switched off long ago, whose disks and addresses are still billed.
--
-- fix:   snapshot and delete the machine with its disks, or start it again; a tag `keep` silences this
-- param: min_days = 14    -- switched off
-- param: min_waste = 1.0  -- a month, in the bill's currency
-- owner: ml-platform

with

machines as (
    select
        resource_id,
        resource_name,
        provider,
        region_id,
        instance_type,
        state_since is not null as is_since_known,
        cast(coalesce(state_since, last_used_at, created_at) as date) as since
    from staging.inventory
    where
        resource_type = 'instance'
        and state = 'deallocated'
        and not coalesce(list_contains(list_transform(map_keys(tags), lambda key: lower(key)), 'keep'), false)
    qualify row_number() over (partition by resource_key(resource_id) order by observed_at desc, source asc) = 1
),

attached as (
    select distinct
        resource_key(resource_id) as thing_key,
        resource_key(related_id) as machine_key
    from staging.inventory_links
    where relation = 'attached_to'
),

costs as (
    select
        machines.resource_id,
        machines.resource_name,
        machines.provider,
        machines.region_id,
        machines.instance_type,
        machines.is_since_known,
        machines.since,
        things.billing_currency,
        min(things.as_of) as as_of,
        min(things.owner_user) as owner_user,
        min(things.owner_team) as owner_team,
        count(*) as thing_count,
        sum(things.monthly_cost) as monthly_waste
    from machines
    inner join attached
        on resource_key(machines.resource_id) = attached.machine_key
    inner join attribution.present_things as things
        on attached.thing_key = things.resource_key
    where things.resource_type in ('volume', 'address')
    group by all
)

select
    resource_id,
    resource_name,
    provider,
    region_id,
    owner_user,
    owner_team,
    since,
    cast(monthly_waste as decimal(38, 12)) as monthly_waste,
    billing_currency,
    case when is_since_known then 'high' else 'medium' end as confidence,
    coalesce(instance_type, 'a machine') || ' was switched off ' || (as_of - since) || ' days ago; '
    || thing_count || ' disks and addresses of it are billed' as evidence,
    'machine ' || resource_key(resource_id) as conflict_key
from costs
where as_of - since >= $min_days and monthly_waste >= $min_waste
