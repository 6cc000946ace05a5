-- Cost by day of the dearest members of one dimension; the rest together as `(others)`.
--
-- What is nobody's (idle, shared, tax, unattributed) keeps its own name and never counts among the top.
--
-- grain: one row per day, billing currency and member
-- key:   charge_date, billing_currency, member
-- param: dimension = 'team'  -- user, team, project, model, dataset or service
-- param: top = 6           -- how many members have a name of their own
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
        spend_daily.charge_date,
        spend_daily.billing_currency,
        spend_daily.member,
        (starts_with(spend_daily.member, '(') and not starts_with(spend_daily.member, '(someone'))
        or spend_daily.member in ('unattributed', 'not a model''s', 'not a dataset''s') as is_nobodys,
        sum(spend_daily.effective_cost) as effective_cost
    from marts.spend_in(cast($currency as varchar)) as spend_daily
    cross join days
    where
        spend_daily.dimension = $dimension
        and spend_daily.charge_date between days.from_date and days.to_date
    group by all
),

ranked_members as (
    select
        billing_currency,
        member,
        row_number() over (partition by billing_currency order by sum(effective_cost) desc, member) as place
    from member_days
    where not is_nobodys
    group by billing_currency, member
),

named_days as (
    select
        member_days.charge_date,
        member_days.billing_currency,
        case
            when member_days.is_nobodys or ranked_members.place <= $top then member_days.member
            else '(others)'
        end as member,
        sum(member_days.effective_cost) as effective_cost
    from member_days
    left join ranked_members using (billing_currency, member)
    group by all
)

select
    named_days.charge_date,
    named_days.billing_currency,
    named_days.member,
    coalesce(members.member_name, named_days.member) as member_name,
    named_days.effective_cost
from named_days
left join marts.members
    on named_days.member = members.member and members.dimension = $dimension
order by all
