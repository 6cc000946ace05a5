-- Where every quota stands in the window that holds the newest day, the most used first.
--
-- `forecast_amount` is what is expected by the window's end; `provisional_amount` is the part of
-- what is used that may still change.
--
-- grain: one row per quota and member
-- key:   quota, member
-- param: team = null  -- those of a team and of its people; null: all

select
    quotas.quota,
    quotas.dimension,
    quotas.member,
    coalesce(members.member_name, quotas.member) as member_name,
    members.team,
    quotas.measure,
    quotas.window_kind,
    quotas.window_start,
    quotas.window_end,  -- exclusive
    quotas.as_of_date,
    quotas.limit_amount,
    quotas.used_amount,
    quotas.forecast_amount,
    quotas.provisional_amount,
    quotas.billing_currency,  -- null where the measure is GPU hours
    cast(quotas.used_amount as double) / cast(quotas.limit_amount as double) as used_share,  -- 1 is the limit
    quotas.threshold,
    quotas.state
from marts.quotas
left join marts.members using (dimension, member)
where
    $team is null
    or (quotas.dimension = 'team' and quotas.member = $team)
    or members.team = $team
order by used_share desc, quotas.quota asc, quotas.member asc
