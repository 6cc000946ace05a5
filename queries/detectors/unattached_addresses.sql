-- Public addresses that no machine, balancer or gateway has, and that are billed.
--
-- fix:   release the address; a tag `keep` silences this
-- param: min_days = 3     -- unattached
-- param: min_waste = 1.0  -- a month, in the bill's currency
-- owner: ml-platform

select
    resource_id,
    resource_name,
    provider,
    region_id,
    owner_user,
    owner_team,
    since_date as since,
    monthly_cost as monthly_waste,
    billing_currency,
    case when is_since_known then 'high' else 'medium' end as confidence,
    'an address that nothing has had for ' || (as_of - since_date) || ' days'
    || case when is_since_known then '' else ' at most' end as evidence,
    'address ' || resource_key as conflict_key
from attribution.present_things
where
    resource_type = 'address'
    and state = 'unattached'
    and not coalesce(is_protected, false)
    and not is_kept
    and as_of - since_date >= $min_days
    and monthly_cost >= $min_waste
