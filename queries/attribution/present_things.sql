-- One row is about a thing that an inventory of the last week lists: its state, its age, what it costs.
--
-- A thing without a line on the bill has no cost here, and no row. Where it came into its state
-- within the bill's 30 days, the bill's last whole day is taken for what it costs, because the days
-- before knew it in another state. Tags that say `keep` are a person's word: `is_kept`.
--
-- grain: one row per thing and currency
-- key:   resource_type, resource_key, billing_currency
-- owner: ml-platform

with

bills as (
    select
        resource_key,
        billing_currency,
        min(provider) as provider,
        min(owner_user) as owner_user,
        min(owner_team) as owner_team,
        min(as_of) as as_of,
        min(first_date) as first_date,
        sum(monthly_cost) as monthly_cost,
        sum(present_cost) as present_cost
    from attribution.resource_costs
    group by resource_key, billing_currency
)

select
    inventory.resource_type,
    bills.resource_key,
    inventory.resource_id,
    inventory.resource_name,
    coalesce(inventory.provider, bills.provider) as provider,
    inventory.sub_account_id,
    inventory.region_id,
    inventory.state,
    inventory.is_protected,
    coalesce(
        list_contains(list_transform(map_keys(inventory.tags), lambda key: lower(key)), 'keep'), false
    ) as is_kept,
    inventory.size_gib,
    inventory.instance_type,
    inventory.state_since is not null as is_since_known,
    cast(inventory.created_at as date) as created_date,
    cast(coalesce(inventory.state_since, inventory.last_used_at, inventory.created_at) as date) as since_date,
    bills.as_of,
    bills.owner_user,
    bills.owner_team,
    bills.billing_currency,
    case
        when cast(coalesce(inventory.state_since, inventory.created_at) as date) > bills.as_of - 30
            then bills.present_cost
        else bills.monthly_cost
    end as monthly_cost
from staging.inventory
inner join bills on resource_key(inventory.resource_id) = bills.resource_key
where cast(inventory.observed_at as date) >= bills.as_of - 7
qualify
    row_number() over (
        partition by inventory.resource_type, bills.resource_key, bills.billing_currency
        order by
            inventory.observed_at desc, inventory.source asc, inventory.sub_account_id asc,
            inventory.region_id asc, inventory.resource_id asc
    ) = 1
