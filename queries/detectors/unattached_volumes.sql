-- Disks that no machine has, and that are still billed.
--
-- Where the provider does not say since when, the day it was last used or made stands in, and the
-- finding is less sure.
--
-- fix:   snapshot the disk if somebody may want it, then delete it; a tag `keep` silences this
-- param: min_days = 7     -- without a machine
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
    'a disk' || coalesce(' of ' || cast(size_gib as bigint) || ' GiB', '') || ' that no machine has had for '
    || (as_of - since_date) || ' days' || case when is_since_known then '' else ' at most' end as evidence,
    'volume ' || resource_key as conflict_key
from attribution.present_things
where
    resource_type = 'volume'
    and state = 'unattached'
    and not coalesce(is_protected, false)
    and not is_kept
    and as_of - since_date >= $min_days
    and monthly_cost >= $min_waste
