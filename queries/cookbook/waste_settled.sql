-- What was found and is gone, and by how much the bill fell since, the newest first.
--
-- grain: one row per finding that is resolved or verified
-- key:   finding_id

select
    billing_currency,
    finding_id,
    detector,
    resource_id,
    resource_name,
    owner_team,
    state,
    opened_date,
    resolved_date,
    monthly_waste,
    verified_monthly_saving
from marts.findings
where state in ('resolved', 'verified')
order by billing_currency asc, resolved_date desc, monthly_waste desc, finding_id asc
