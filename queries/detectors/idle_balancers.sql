-- Load balancers behind which nothing stands.
--
-- Only where all balancers of the account and region were listed, whole, with what stands behind
-- them: what an inventory may not ask is not known to be nothing.
--
-- fix:   delete the balancer; a tag `keep` silences this
-- param: min_days = 14    -- since it was made
-- param: min_waste = 1.0  -- a month, in the bill's currency
-- owner: ml-platform

with

backed as (
    select resource_key(resource_id) as resource_key
    from staging.inventory_links
    where relation = 'backend'
)

select
    things.resource_id,
    things.resource_name,
    things.provider,
    things.region_id,
    things.owner_user,
    things.owner_team,
    things.created_date as since,
    things.monthly_cost as monthly_waste,
    things.billing_currency,
    'high' as confidence,
    'nothing stands behind it, ' || (things.as_of - things.created_date) || ' days after it was made' as evidence,
    'balancer ' || things.resource_key as conflict_key
from attribution.present_things as things
semi join staging.inventory_scopes as scopes
    on
        scopes.resource_type = 'load_balancer'
        and things.provider = scopes.provider
        and things.sub_account_id = scopes.sub_account_id
        and things.region_id = scopes.region_id
        and cast(scopes.observed_at as date) >= things.as_of - 7
anti join backed using (resource_key)
where
    things.resource_type = 'load_balancer'
    and not coalesce(things.is_protected, false)
    and not things.is_kept
    and things.as_of - things.created_date >= $min_days
    and things.monthly_cost >= $min_waste
