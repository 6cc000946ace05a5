-- Who cost most between two days: `from marts.leaderboard('team', date '2026-10-01', date '2026-11-01')`.
-- The first day counts, the last does not. One row per member and currency, the dearest first;
-- `cost_share` is of everything in that currency, so it adds up to 1. `reporting_cost` is null where a rate
-- of one of the days is missing. `in_currency := 'EUR'` has everything in the reporting currency, if EUR is that.
create or replace macro marts.leaderboard(wanted_dimension, from_date, to_date, in_currency := null) as table
    select
        member,
        billing_currency,
        sum(effective_cost) as effective_cost,
        sum(billed_cost) as billed_cost,
        sum(gpu_hours) as gpu_hours,
        cast(sum(effective_cost) as double)
        / nullif(cast(sum(sum(effective_cost)) over (partition by billing_currency) as double), 0) as cost_share,
        case when count(*) = count(reporting_cost) then sum(reporting_cost) end as reporting_cost,
        case when count(*) = count(reporting_cost) then max(reporting_currency) end as reporting_currency
    from marts.spend_in(in_currency)
    where
        dimension = wanted_dimension
        and charge_date >= cast(from_date as date)
        and charge_date < cast(to_date as date)
    group by member, billing_currency
    order by billing_currency asc, sum(effective_cost) desc, member asc
