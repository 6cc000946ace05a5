-- Pods whose GPUs are busy less than a third of the time they are held: reported, never counted as waste.
--
-- The mean of the busiest device over the pod's hours of complete telemetry. The figure is what the
-- pod paid for the time in which its GPUs were not active; a batch that is too small, data that
-- comes too slowly or a GPU that is too large are causes, and none of them gives all of it back.
--
-- fix:     look at data loading, batch size and the kind of GPU
-- counted: no
-- param:   max_activity = 0.3   -- mean activity, 0 to 1
-- param:   min_activity = 0.05  -- below it the pod is parked, which is another finding
-- param:   min_hours = 6        -- hours of complete telemetry
-- param:   min_samples = 0.9    -- of the samples expected; fewer is unknown
-- param:   window_days = 7      -- days looked at, 14 at most
-- param:   min_waste = 10.0     -- a month, in the bill's currency
-- owner:   ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

hours as (
    select
        gpu_holders.pod_id,
        hours.charge_date,
        hours.held_seconds,
        case when hours.seen_share >= $min_samples then hours.activity end as activity
    from attribution.gpu_holder_hours as hours
    inner join attribution.gpu_holders using (holder_hash)
    cross join newest
    where gpu_holders.is_live and hours.charge_date > newest.as_of - $window_days
),

pods as (
    select
        pod_id,
        min(charge_date) as since,
        max(newest.as_of) - min(charge_date) + 1 as pod_days,
        count(activity) as known_hours,
        round(
            sum(activity * held_seconds) / nullif(sum(held_seconds) filter (where activity is not null), 0), 6
        ) as activity
    from hours
    cross join newest
    group by pod_id
),

known_days as (
    select
        pod_id,
        charge_date,
        cast(sum(held_seconds) filter (where activity is not null) as bigint) as known_seconds
    from hours
    group by pod_id, charge_date
),

findings as (
    select
        pods.pod_id,
        pods.since,
        pods.known_hours,
        pods.activity,
        holders.billing_currency,
        min(holders.provider) as provider,
        min(holders.region_id) as region_id,
        arg_max(holders.owner_user, (holders.charge_date, holders.owner_user)) as owner_user,
        arg_max(holders.owner_team, (holders.charge_date, holders.owner_team)) as owner_team,
        arg_max(holders.run_name, (holders.charge_date, holders.run_name)) as run_name,
        per_month(
            scaled(
                sum(scaled(effective_cost, known_seconds, holders.held_seconds)),
                1000000 - cast(round(pods.activity * 1000000) as bigint),
                1000000
            ),
            pods.pod_days
        ) as monthly_waste
    from pods
    inner join known_days using (pod_id)
    inner join attribution.gpu_holder_days as holders using (charge_date, pod_id)
    where
        pods.known_hours >= $min_hours
        and pods.activity > $min_activity
        and pods.activity < $max_activity
        and known_days.known_seconds > 0
    group by
        pods.pod_id,
        pods.since,
        pods.known_hours,
        pods.activity,
        pods.pod_days,
        holders.billing_currency
)

select
    pod_id as resource_id,
    split_part(pod_id, '/', -1) as resource_name,
    provider,
    region_id,
    owner_user,
    owner_team,
    since,
    monthly_waste,
    billing_currency,
    'medium' as confidence,
    'its GPUs were active ' || cast(round(activity * 100) as integer) || '% of ' || known_hours || ' h'
    || coalesce(', by the run ' || run_name, '') as evidence,
    'pod ' || pod_id as conflict_key
from findings
where monthly_waste >= $min_waste
