-- What is wasted and still there: findings, the dearest first.
--
-- Findings on the same money count once in a total: the one with is_counted.
--
-- grain: one row per open finding
-- key:   finding_id
-- param: team = null  -- one team's findings; null: everybody's

select
    findings.billing_currency,
    findings.finding_id,
    findings.detector,
    findings.resource_id,
    findings.resource_name,
    findings.provider,
    findings.region_id,
    coalesce(members.member_name, findings.owner_user) as owner_name,
    findings.owner_team,
    findings.since,
    findings.opened_date,
    findings.monthly_waste,
    findings.is_counted,
    findings.confidence,
    findings.evidence,
    findings.fix
from marts.findings
left join marts.members on members.dimension = 'user' and findings.owner_user = members.member
where findings.state = 'open' and ($team is null or findings.owner_team = $team)
order by findings.billing_currency asc, findings.monthly_waste desc, findings.finding_id asc
