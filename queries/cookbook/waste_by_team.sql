-- What is wasted a month, by team, most first: open findings, each dollar counted once.
--
-- grain: one row per billing currency and team
-- key:   billing_currency, team

select
    billing_currency,
    coalesce(owner_team, 'nobody') as team,
    count(*) as finding_count,
    coalesce(sum(monthly_waste) filter (where is_counted), 0) as monthly_waste,  -- net price billed
    arg_max(detector, (monthly_waste, finding_id)) filter (where is_counted) as largest_detector,
    arg_max(resource_id, (monthly_waste, finding_id)) filter (where is_counted) as largest_resource
from marts.findings
where state = 'open'
group by billing_currency, coalesce(owner_team, 'nobody')
order by billing_currency asc, monthly_waste desc, team asc
