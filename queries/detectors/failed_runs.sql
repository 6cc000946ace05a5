-- What runs cost that failed, by team, experiment and reason.
--
-- Runs that a tracker or scheduler calls failed, lost or preempted, in the newest 30 days, with what
-- attribution made them pay. Those that failed within five minutes are a reason of their own: they
-- are cheap each, and one setting stops them all. Transfers are left out: misplaced_compute judges
-- them; so are runs whose pod is still there and idle, which is a finding of its own.
--
-- Known drawback: what a later attempt took over from a checkpoint is not subtracted, because no
-- source says so.
--
-- fix:   look at the dearest run of the experiment; cap retries, test a step at small size first, save checkpoints
-- param: early_minutes = 5  -- a failure within them is an early one
-- param: window_days = 30   -- days looked at
-- param: min_waste = 10.0   -- a month, in the bill's currency
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

quiet_pods as (
    select resource_id as pod_id
    from detectors.dead_gpus
    union
    select resource_id as pod_id
    from detectors.parked_gpus
),

quiet_runs as (
    select distinct run_id
    from attribution.gpu_holder_days
    semi join quiet_pods using (pod_id)
    where run_id is not null
),

failed as (
    select
        runs.run_id,
        coalesce(runs.experiment, 'no experiment') as experiment,
        case
            when
                epoch_us(coalesce(runs.ended_at, runs.last_seen_at)) - epoch_us(runs.started_at)
                < $early_minutes * 60000000
                then 'early'
            when runs.status = 'lost' then 'lost'
            when runs.status = 'preempted' then 'preempted'
            when upper(runs.status_raw) like '%MEMORY%' then 'out of memory'
            when upper(runs.status_raw) like '%TIMEOUT%' then 'timeout'
            when upper(runs.status_raw) like '%NODE%FAIL%' then 'machine failed'
            else 'error'
        end as reason
    from attribution.run_facts as runs
    anti join quiet_runs on runs.run_id = quiet_runs.run_id
    cross join newest
    where
        runs.status in ('failed', 'preempted')
        -- what gave a sign of life on the newest day was not lost by then
        or runs.status = 'lost' and coalesce(runs.last_seen_at, runs.started_at) < newest.as_of
),

run_costs as (
    select
        failed.run_id,
        failed.experiment,
        failed.reason,
        coalesce(postings.team, 'nobody') as team,
        postings.user_id,
        postings.billing_currency,
        min(postings.charge_date) as first_date,
        sum(postings.effective_cost) as effective_cost
    from attribution.named_postings as postings
    inner join failed using (run_id)
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
        reason,
        billing_currency,
        arg_max(user_id, (effective_cost, user_id)) as owner_user,
        min(first_date) as since,
        count(distinct run_id) as run_count,
        per_month(sum(effective_cost), $window_days) as monthly_waste
    from run_costs
    group by team, experiment, reason, billing_currency
)

select
    concat_ws(' / ', team, experiment, reason) as resource_id,
    experiment as resource_name,
    cast(null as varchar) as provider,
    cast(null as varchar) as region_id,
    owner_user,
    nullif(team, 'nobody') as owner_team,
    since,
    monthly_waste,
    billing_currency,
    'high' as confidence,
    run_count || case when run_count = 1 then ' run' else ' runs' end || ' failed in ' || $window_days
    || ' days: ' || reason as evidence,
    concat_ws(' / ', 'failed', team, experiment, reason) as conflict_key
from findings
where monthly_waste >= $min_waste
