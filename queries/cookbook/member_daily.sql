-- Cost by day and service of each member of one dimension.
--
-- grain: one row per member, day, billing currency and service
-- key:   member, charge_date, billing_currency, service_name
-- param: dimension = 'user'  -- user, team, project, model, dataset or service
-- param: member = null     -- one member alone; null: all
-- param: top = null        -- only so many of the dearest members; null: all
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

member_days as (
    select
        spend_daily.member,
        spend_daily.charge_date,
        spend_daily.billing_currency,
        spend_daily.service_name,
        sum(spend_daily.effective_cost) as effective_cost,
        sum(spend_daily.billed_cost) as billed_cost,
        sum(spend_daily.gpu_hours) as gpu_hours
    from marts.spend_in(cast($currency as varchar)) as spend_daily
    cross join days
    where
        spend_daily.dimension = $dimension
        and spend_daily.charge_date between days.from_date and days.to_date
        and (cast($member as varchar) is null or spend_daily.member = cast($member as varchar))
    group by all
),

dearest_members as (
    select
        member,
        billing_currency,
        row_number() over (partition by billing_currency order by sum(effective_cost) desc, member asc) as place
    from member_days
    group by member, billing_currency
)

select
    member_days.member,
    member_days.charge_date,
    member_days.billing_currency,
    member_days.service_name,
    member_days.effective_cost,
    member_days.billed_cost,
    member_days.gpu_hours
from member_days
inner join dearest_members using (member, billing_currency)
where cast($top as bigint) is null or dearest_members.place <= cast($top as bigint)
order by all
