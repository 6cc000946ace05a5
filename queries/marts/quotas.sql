-- One row is about a quota and a member: what is used of it in the window that holds the newest day.
--
-- Used is what attribution gives the member by charge date, under the one idle policy in force; a
-- quota on every member (`*`) has a row for each that used anything, nobody's members left out.
-- There is no clock in the models: the newest day that a bill has come to says where the windows stand, and
-- what is spread to later days is not used yet.
-- A quota in the reporting currency counts every bill, converted, while all rates are known; any other
-- counts what was billed in its own currency.
--
-- Forecast: used on the window's complete days, plus what each remaining day is expected to take.
-- Expected is the mean of the member's days of the same kind (Monday to Friday, or weekend) among
-- the last 14 complete days; the newest day is not complete, so it counts as what it shows or what
-- is expected, whichever is more. Null where fewer than two complete days are known.
--
-- Known drawbacks: the mean knows no holidays and no trend; a member that has just begun is
-- expected to use less than it does, for two weeks.
--
-- grain: one row per quota and member
-- key:   quota, member
-- owner: ml-platform

with

covered as (
    select
        covered_days.first_day as first_date,
        covered_days.newest_day as newest_date,
        case when count(*) = count(spend_daily.reporting_cost) then max(spend_daily.reporting_currency) end
            as reporting_currency
    from marts.covered_days
    left join marts.spend_daily on covered_days.newest_day >= spend_daily.charge_date
    group by covered_days.first_day, covered_days.newest_day
),

windows as (
    select distinct
        quotas.quota,
        quotas.dimension,
        quotas.member as wanted_member,
        quotas.measure,
        quotas.window_kind,
        quotas.limit_amount,
        quotas.billing_currency,
        coalesce(quotas.billing_currency = covered.reporting_currency, false) as is_reported,
        covered.newest_date,
        greatest(covered.first_date, covered.newest_date - 14) as basis_date,
        cast(
            case quotas.window_kind
                when 'week' then date_trunc('week', covered.newest_date)
                when 'month' then date_trunc('month', covered.newest_date)
                when 'quarter' then date_trunc('quarter', covered.newest_date)
                when 'days' then covered.newest_date - (quotas.window_days - 1)
                else covered.newest_date
            end as date
        ) as window_start,
        cast(
            case quotas.window_kind
                when 'week' then date_trunc('week', covered.newest_date) + interval 7 day
                when 'month' then date_trunc('month', covered.newest_date) + interval 1 month
                when 'quarter' then date_trunc('quarter', covered.newest_date) + interval 3 month
                else covered.newest_date + 1
            end as date
        ) as window_end
    from raw.quotas
    cross join covered
    where covered.newest_date is not null
),

-- a bill's day may change as long as one of its lines has no final invoice
open_bills as (
    select distinct
        charge_date,
        source,
        billing_period
    from attribution.postings
    where is_provisional and charge_date >= (select min(window_start) from windows)
),

member_days as (
    select
        spend_daily.charge_date,
        spend_daily.dimension,
        spend_daily.member,
        spend_daily.billing_currency,
        open_bills.source is not null as is_provisional,
        isodow(spend_daily.charge_date) > 5 as is_weekend,
        sum(spend_daily.effective_cost) as effective_cost,
        sum(spend_daily.reporting_cost) as reporting_cost,
        cast(sum(spend_daily.gpu_hours) as decimal(38, 12)) as gpu_hours
    from marts.spend_daily
    left join open_bills using (charge_date, source, billing_period)
    where
        spend_daily.dimension in (select dimension from windows)
        and spend_daily.charge_date >= (select least(min(window_start), min(basis_date)) from windows)
        and spend_daily.charge_date <= (select max(newest_date) from windows)
    group by all
),

quota_days as (
    select
        windows.quota,
        member_days.member,
        member_days.charge_date,
        member_days.is_provisional,
        member_days.is_weekend,
        case
            when windows.measure = 'gpu_hours' then member_days.gpu_hours
            when windows.is_reported then member_days.reporting_cost
            else member_days.effective_cost
        end as amount
    from windows
    inner join member_days
        on
            windows.dimension = member_days.dimension
            and (
                windows.wanted_member = member_days.member
                or windows.wanted_member = '*'
                and left(member_days.member, 1) <> '('
                and member_days.member not in ('unattributed', 'not a model''s', 'not a dataset''s')
            )
            and (
                windows.billing_currency is null
                or windows.is_reported
                or windows.billing_currency = member_days.billing_currency
            )
),

-- a member that is named has a row even where it used nothing
quota_members as (
    select
        windows.* exclude (wanted_member),
        quota_days.member
    from windows
    inner join quota_days using (quota)
    where quota_days.charge_date >= windows.window_start
    union
    select
        windows.* exclude (wanted_member),
        windows.wanted_member as member
    from windows
    where windows.wanted_member <> '*'
),

sums as (
    select
        quota_members.quota,
        quota_members.member,
        coalesce(sum(amount) filter (where charge_date >= window_start), 0) as used_amount,
        coalesce(sum(amount) filter (where charge_date >= window_start and charge_date < newest_date), 0)
            as complete_amount,
        coalesce(sum(amount) filter (where charge_date = newest_date), 0) as newest_amount,
        coalesce(sum(amount) filter (where charge_date >= window_start and quota_days.is_provisional), 0)
            as provisional_amount,
        coalesce(sum(amount) filter (where charge_date between basis_date and newest_date - 1), 0) as basis_amount,
        coalesce(sum(amount) filter (where charge_date between basis_date and newest_date - 1 and is_weekend), 0)
            as weekend_amount
    from quota_members
    left join quota_days using (quota, member)
    group by quota_members.quota, quota_members.member
),

-- days of the calendar, whether anything was used on them or not
day_counts as (
    select
        window_start,
        window_end,
        len(basis_days) as basis_days,
        len(list_filter(basis_days, lambda day: isodow(day) > 5)) as basis_weekend_days,
        len(left_days) as left_days,
        len(list_filter(left_days, lambda day: isodow(day) > 5)) as left_weekend_days,
        isodow(newest_date) > 5 as is_newest_weekend
    from (
        select distinct
            window_start,
            window_end,
            newest_date,
            range(cast(basis_date as timestamp), cast(newest_date as timestamp), interval 1 day) as basis_days,
            range(cast(newest_date + 1 as timestamp), cast(window_end as timestamp), interval 1 day) as left_days
        from windows
    ) as calendars
),

-- what a day is expected to take, in whole millionths
expected as (
    select
        sums.*,
        day_counts.* exclude (window_start, window_end),
        cast(basis_amount * 1000000 as hugeint) // nullif(basis_days, 0) as day_units,
        cast((basis_amount - weekend_amount) * 1000000 as hugeint) // nullif(basis_days - basis_weekend_days, 0)
            as workday_units,
        cast(weekend_amount * 1000000 as hugeint) // nullif(basis_weekend_days, 0) as weekend_units
    from sums
    inner join quota_members using (quota, member)
    inner join day_counts using (window_start, window_end)
),

forecasts as (
    select
        quota,
        member,
        complete_amount
        + greatest(
            newest_amount,
            cast(
                case
                    when is_newest_weekend then coalesce(weekend_units, day_units)
                    else coalesce(workday_units, day_units)
                end
                as decimal(32, 0)
            ) * cast(0.000001 as decimal(6, 6))
        )
        + cast(
            coalesce(workday_units, day_units) * (left_days - left_weekend_days)
            + coalesce(weekend_units, day_units) * left_weekend_days
            as decimal(32, 0)
        ) * cast(0.000001 as decimal(6, 6)) as forecast_amount
    from expected
    where basis_days >= 2
),

reached as (
    select
        sums.quota,
        sums.member,
        max(quotas.threshold) as threshold
    from sums
    inner join raw.quotas using (quota)
    where sums.used_amount >= cast(quotas.limit_amount as decimal(24, 12)) * quotas.threshold
    group by sums.quota, sums.member
)

select
    quota_members.quota,  -- its name in the config file
    quota_members.dimension,
    quota_members.member,
    quota_members.measure,  -- effective_cost or gpu_hours
    quota_members.window_kind,  -- day, week, month, quarter, or days: so many up to the newest
    quota_members.window_start,  -- UTC
    quota_members.window_end,  -- exclusive
    quota_members.newest_date as as_of_date,  -- the newest charge date, mostly not complete yet
    cast(quota_members.limit_amount as decimal(38, 12)) as limit_amount,
    cast(sums.used_amount as decimal(38, 12)) as used_amount,  -- in the window so far
    cast(forecasts.forecast_amount as decimal(38, 12)) as forecast_amount,  -- at the window's end; null: too few days
    quota_members.billing_currency,  -- null where the measure is not money
    cast(reached.threshold as double) as threshold,  -- the highest share of the limit reached; null: none
    case
        when sums.used_amount >= quota_members.limit_amount then 'over'
        when reached.threshold is not null then 'warned'
        else 'ok'
    end as state,  -- ok, warned or over
    cast(sums.provisional_amount as decimal(38, 12)) as provisional_amount  -- of used, what may still change
from quota_members
inner join sums using (quota, member)
left join forecasts using (quota, member)
left join reached using (quota, member)
