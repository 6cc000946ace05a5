-- What runs cost that somebody stopped, by team and experiment: reported, never counted as waste.
--
-- Stopping a run that goes wrong saves money; what it had cost by then is worth knowing.
--
-- fix:     none is needed; where it is much, stop sooner: watch the metric that made people stop
-- counted: no
-- param:   window_days = 30  -- days looked at
-- param:   min_waste = 10.0  -- a month, in the bill's currency
-- owner:   ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

cancelled as (
    select
        run_id,
        coalesce(experiment, 'no experiment') as experiment
    from attribution.run_facts
    where status = 'cancelled'
),

run_costs as (
    select
        cancelled.run_id,
        cancelled.experiment,
        coalesce(postings.team, 'nobody') as team,
        postings.user_id,
        postings.billing_currency,
        min(postings.charge_date) as first_date,
        sum(postings.effective_cost) as effective_cost
    from attribution.named_postings as postings
    inner join cancelled using (run_id)
    cross join newest
    where
        postings.method <> 'reads'
        and postings.charge_date > newest.as_of - $window_days
        and postings.charge_date <= newest.as_of
    group by all
),

findings as (
    select
        team,
        experiment,
        billing_currency,
        arg_max(user_id, (effective_cost, user_id)) as owner_user,
        min(first_date) as since,
        count(distinct run_id) as run_count,
        per_month(sum(effective_cost), $window_days) as monthly_waste
    from run_costs
    group by team, experiment, billing_currency
)

select
    concat_ws(' / ', team, experiment, 'cancelled') as resource_id,
    experiment as resource_name,
    cast(null as varchar) as provider,
    cast(null as varchar) as region_id,
    owner_user,
    nullif(team, 'nobody') as owner_team,
    since,
    monthly_waste,
    billing_currency,
    'high' as confidence,
    run_count || case when run_count = 1 then ' run was' else ' runs were' end || ' stopped in ' || $window_days
    || ' days' as evidence,
    concat_ws(' / ', 'cancelled', team, experiment) as conflict_key
from findings
where monthly_waste >= $min_waste
