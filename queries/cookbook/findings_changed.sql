-- Findings that are new and those that are gone, dearest first, between two days of the bill.
--
-- grain: one row per finding and what happened to it
-- key:   finding_id, change
-- param: from_date = null  -- first day; null: six days before the newest there is
-- param: to_date = null    -- last day, inclusive; null: the newest

with

newest as (
    select max(greatest(seen_date, coalesce(resolved_date, seen_date))) as newest_date
    from marts.findings
),

days as (
    select
        coalesce(cast($from_date as date), newest_date - 6) as from_date,
        coalesce(cast($to_date as date), newest_date) as to_date
    from newest
),

changes as (
    select
        *,
        'new' as change,
        opened_date as changed_date
    from marts.findings
    union all
    select
        *,
        'gone' as change,
        resolved_date as changed_date
    from marts.findings
    where resolved_date is not null
)

select
    changes.change,  -- new or gone
    changes.changed_date,
    changes.detector,
    changes.resource_id,
    changes.owner_team,
    changes.monthly_waste,  -- as last found
    changes.verified_monthly_saving,  -- null: not shown by the bill, or not yet
    changes.billing_currency,
    changes.evidence,
    changes.finding_id
from changes
inner join days on changes.changed_date between days.from_date and days.to_date
order by changes.billing_currency asc, changes.monthly_waste desc, changes.finding_id asc, changes.change asc
