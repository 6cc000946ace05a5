-- What the people, datasets or other members of one team cost, the dearest first.
--
-- Without a team it is everybody's. `previous_cost` is that of as many days just before.
--
-- grain: one row per billing currency and member
-- key:   billing_currency, member
-- param: dimension = 'user'  -- user, team or dataset: what belongs to a team
-- param: team = null       -- one team; null: all
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

windows as (
    select
        from_date,
        to_date,
        from_date - cast(to_date - from_date + 1 as integer) as before_date
    from days
)

select
    spend_daily.billing_currency,
    spend_daily.member,
    coalesce(members.member_name, spend_daily.member) as member_name,
    members.team,
    coalesce(sum(spend_daily.effective_cost) filter (where spend_daily.charge_date >= windows.from_date), 0)
        as effective_cost,
    coalesce(sum(spend_daily.effective_cost) filter (where spend_daily.charge_date < windows.from_date), 0)
        as previous_cost,  -- as many days just before
    coalesce(sum(spend_daily.gpu_hours) filter (where spend_daily.charge_date >= windows.from_date), 0) as gpu_hours
from marts.spend_in(cast($currency as varchar)) as spend_daily
inner join windows on spend_daily.charge_date between windows.before_date and windows.to_date
left join marts.members using (dimension, member)
where spend_daily.dimension = $dimension and ($team is null or members.team = $team)
group by all
order by spend_daily.billing_currency asc, effective_cost desc, spend_daily.member asc
