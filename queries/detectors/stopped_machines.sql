-- Machines that are switched off and billed as if they ran: stopped, not given back.
--
-- Azure and Alibaba Cloud bill a machine that was shut down from within until it is deallocated.
--
-- fix:   deallocate the machine, or delete it
-- param: min_days = 1     -- stopped
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
    coalesce(instance_type, 'a machine') || ', stopped for ' || (as_of - since_date)
    || ' days, is billed as if it ran' as evidence,
    'machine ' || resource_key as conflict_key
from attribution.present_things
where
    resource_type = 'instance'
    and state = 'stopped'
    and not is_kept
    and as_of - since_date >= $min_days
    and monthly_cost >= $min_waste
