-- One row is about what a member of the leaderboard of teams cost in a month, before anything is loaded onto it.
--
-- grain: one row per month, currency and member
-- key:   charge_month, billing_currency, member
-- owner: ml-platform

select
    cast(date_trunc('month', charge_date) as date) as charge_month,
    billing_currency,
    member,
    sum(effective_cost) as effective_cost
from marts.spend_daily
where dimension = 'team'
group by all
