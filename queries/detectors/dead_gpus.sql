-- Pods that hold GPUs on which nothing runs: no engine active, no memory in use, no power drawn.
--
-- Whole hours in a row of complete telemetry count, of pods that still hold their GPUs. The waste
-- is what the pod paid in those hours.
--
-- fix:   stop the pod: nothing runs on its GPUs
-- param: min_hours = 1          -- hours in a row
-- param: max_activity = 0.01    -- highest activity within an hour, 0 to 1: the counters' noise
-- param: max_memory_gib = 1.0   -- GPU memory in use, of the fullest device
-- param: max_power_watts = 120  -- above it something runs that the counters miss; unknown power is no veto
-- param: min_samples = 0.9      -- of the samples expected; fewer is unknown, not idle
-- param: window_days = 7        -- days looked at, 14 at most
-- param: min_waste = 10.0       -- a month, in the bill's currency
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

hours as (
    select
        gpu_holders.pod_id,
        hours.charge_date,
        hours.charge_hour,
        newest.as_of - min(hours.charge_date) over (partition by gpu_holders.pod_id) + 1 as pod_days,
        hours.held_seconds = 3600
        and hours.seen_share >= $min_samples
        and hours.activity_max <= $max_activity
        and hours.memory_used_gib < $max_memory_gib
        and coalesce(hours.power_watts, 0) <= $max_power_watts
            as is_quiet
    from attribution.gpu_holder_hours as hours
    inner join attribution.gpu_holders using (holder_hash)
    cross join newest
    where gpu_holders.is_live and hours.charge_date > newest.as_of - $window_days
),

spells as (
    select
        *,
        charge_hour - row_number() over (partition by pod_id order by charge_hour) * interval 1 hour as spell
    from hours
    where is_quiet
),

quiet_days as (
    select
        pod_id,
        charge_date,
        pod_days,
        count(*) as quiet_hours
    from (
        select *
        from spells
        qualify count(*) over (partition by pod_id, spell) >= $min_hours
    ) as long_spells
    group by pod_id, charge_date, pod_days
),

findings as (
    select
        holders.pod_id,
        holders.billing_currency,
        min(holders.provider) as provider,
        min(holders.region_id) as region_id,
        arg_max(holders.owner_user, (holders.charge_date, holders.owner_user)) as owner_user,
        arg_max(holders.owner_team, (holders.charge_date, holders.owner_team)) as owner_team,
        arg_max(holders.run_name, (holders.charge_date, holders.run_name)) as run_name,
        min(quiet_days.charge_date) as since,
        sum(quiet_days.quiet_hours) as quiet_hours,
        -- whole hours of the time held that day
        per_month(
            sum(scaled(effective_cost, quiet_hours * 3600, holders.held_seconds)), max(pod_days)
        ) as monthly_waste
    from quiet_days
    inner join attribution.gpu_holder_days as holders using (charge_date, pod_id)
    group by holders.pod_id, holders.billing_currency
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
    'high' as confidence,
    'for ' || quiet_hours || ' h of the last ' || $window_days || ' days its GPUs were held and nothing ran on them'
    || coalesce(', by the run ' || run_name, '') as evidence,
    'pod ' || pod_id as conflict_key
from findings
where monthly_waste >= $min_waste
