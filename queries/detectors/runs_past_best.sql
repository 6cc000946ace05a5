-- What runs cost after their best value, by team and experiment: reported, never counted as waste.
--
-- Runs that succeeded or still run, whose declared metrics had all been best long before the end: what they cost
-- from then on, less a time of grace. Nobody could have known it then; that it is often so tells that stopping early
-- would pay. Where a metric of a run has too few points, or nobody says which way is better, nothing is said of
-- the run. The metric that was best last counts.
--
-- Known drawbacks: a gain in the last decimal is a best like any other. A run may be continued for reasons that no
-- metric tells.
--
-- fix:     stop early: end a run after a number of evaluations without a gain, and keep the best checkpoint
-- counted: no
-- param:   min_hours = 2.0  -- shorter runs are left alone
-- param:   min_points = 10  -- fewer points of a metric say nothing
-- param:   min_later_points = 5  -- as many must have come after the best
-- param:   grace_share = 0.5  -- of the time until the best, that a run may go on after it
-- param:   window_days = 30  -- days looked at
-- param:   min_waste = 10.0  -- a month, in the bill's currency
-- owner:   ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

runs as (
    select
        run_id,
        coalesce(experiment, 'no experiment') as experiment,
        epoch_us(started_at) as from_us,
        epoch_us(coalesce(ended_at, last_seen_at)) as to_us
    from attribution.run_facts
    where status in ('succeeded', 'running')
),

past_best as (
    select
        runs.run_id,
        any_value(runs.experiment) as experiment,
        any_value(runs.from_us) as from_us,
        any_value(greatest(runs.to_us, epoch_us(objectives.last_at))) as to_us,
        arg_max(objectives.metric, (objectives.best_at, objectives.metric)) as metric,
        greatest(max(epoch_us(objectives.best_at)), any_value(runs.from_us)) as best_us
    from attribution.run_objectives as objectives
    inner join runs using (run_id)
    group by runs.run_id
    having
        bool_and(objectives.best_at is not null and objectives.point_count >= $min_points)
        and min(objectives.points_after) >= $min_later_points
),

spans as (
    select
        *,
        to_us - best_us as after_us,
        cast(floor((best_us - from_us) * $grace_share) as bigint) as grace_us
    from past_best
    where to_us - from_us >= $min_hours * 3600000000
),

costs_after as (
    select
        spans.run_id,
        spans.experiment,
        spans.metric,
        spans.after_us,
        spans.grace_us,
        days.billing_currency,
        min(days.charge_date) as first_date,
        sum(days.cost_after_best) as cost_after_best
    from spans
    inner join attribution.objective_days as days using (run_id, metric)
    cross join newest
    where
        spans.after_us > spans.grace_us
        and days.cost_after_best > 0
        and days.charge_date > newest.as_of - $window_days
        and days.charge_date <= newest.as_of
    group by all
),

run_costs as (
    select
        run_id,
        experiment,
        metric,
        after_us - grace_us as past_us,
        billing_currency,
        first_date,
        cut(cost_after_best, share_of(grace_us, after_us), 1) as effective_cost
    from costs_after
),

run_owners as (
    select
        run_id,
        arg_max(coalesce(team, 'nobody'), (charge_date, effective_cost, team)) as team,
        arg_max(user_id, (charge_date, effective_cost, user_id)) as user_id
    from attribution.named_postings
    where run_id in (select run_costs.run_id from run_costs)
    group by run_id
),

findings as (
    select
        run_owners.team,
        run_costs.experiment,
        run_costs.billing_currency,
        arg_max(run_owners.user_id, (run_costs.effective_cost, run_owners.user_id)) as owner_user,
        min(run_costs.first_date) as since,
        count(distinct run_costs.run_id) as run_count,
        sum(run_costs.past_us) / 3600000000 as past_hours,
        arg_max(run_costs.metric, (run_costs.effective_cost, run_costs.metric)) as metric,
        per_month(sum(run_costs.effective_cost), $window_days) as monthly_waste
    from run_costs
    inner join run_owners using (run_id)
    group by run_owners.team, run_costs.experiment, run_costs.billing_currency
)

select
    concat_ws(' / ', team, experiment, 'past best') as resource_id,
    experiment as resource_name,
    cast(null as varchar) as provider,
    cast(null as varchar) as region_id,
    owner_user,
    nullif(team, 'nobody') as owner_team,
    since,
    monthly_waste,
    billing_currency,
    'medium' as confidence,
    run_count || case when run_count = 1 then ' run' else ' runs' end || ' went on for '
    || format('{:.0f}', past_hours) || ' h past the best ' || metric || ' and a time of grace, in ' || $window_days
    || ' days' as evidence,
    concat_ws(' / ', 'past best', team, experiment) as conflict_key
from findings
where monthly_waste >= $min_waste
