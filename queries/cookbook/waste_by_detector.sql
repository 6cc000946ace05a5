-- What is wasted a month, by detector, most first: open findings, each dollar counted once.
--
-- Findings that are reported only, or that are about the same dollars as a larger one, are in
-- `finding_count` and not in the waste.
--
-- grain: one row per billing currency and detector
-- key:   billing_currency, detector
-- param: team = null  -- findings of one team; null: all

select
    billing_currency,
    detector,
    count(*) as finding_count,
    count(*) filter (where is_counted) as counted_count,
    coalesce(sum(monthly_waste) filter (where is_counted), 0) as monthly_waste,  -- net price billed
    max(monthly_waste) as largest_waste,
    min(since) as since
from marts.findings
where state = 'open' and ($team is null or owner_team = $team)
group by billing_currency, detector
order by billing_currency asc, monthly_waste desc, detector asc
