-- Who spent what: the members of one dimension, dearest first, in each billing currency.
--
-- What is nobody's (idle, shared, tax, unattributed) has rows of its own, so that the rows of a
-- currency add up to its bill. `previous_cost` is that of as many days just before.
--
-- grain: one row per billing currency and member
-- key:   billing_currency, member
-- param: dimension = 'user'  -- user, team, project, model, dataset or service
-- param: from_date = null  -- first day; null: the first day of the newest month
-- param: to_date = null    -- last day, inclusive; null: the newest day
-- param: currency = null   -- the reporting currency: all cost in it; null: each bill's own

with

days as (
    select
        coalesce(cast($from_date as date), cast(date_trunc('month', newest_day) as date)) as from_date,
        coalesce(cast($to_date as date), newest_day) as to_date
    from marts.covered_days
),

spent as (
    select * from marts.leaderboard(
        $dimension,
        (select from_date from days),
        (select to_date + 1 from days),  -- the macro's last day does not count
        in_currency := cast($currency as varchar)
    )
),

spent_before as (
    select * from marts.leaderboard(
        $dimension,
        (select from_date - cast(to_date - from_date + 1 as integer) from days),
        (select from_date from days),
        in_currency := cast($currency as varchar)
    )
)

select
    spent.billing_currency,
    spent.member,
    coalesce(members.member_name, spent.member) as member_name,
    members.team,
    spent.effective_cost,
    spent.billed_cost,
    spent.gpu_hours,
    spent.cost_share,  -- of all cost in this currency, 0 to 1
    spent.reporting_cost,  -- in the reporting currency; null: none is set, or a rate is missing
    spent.reporting_currency,
    spent_before.effective_cost as previous_cost  -- as many days just before; null: none
from spent
left join spent_before using (billing_currency, member)
left join marts.members
    on spent.member = members.member and members.dimension = $dimension
order by spent.billing_currency asc, spent.effective_cost desc, spent.member asc
