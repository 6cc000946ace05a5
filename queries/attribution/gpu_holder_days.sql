-- One row is about a live pod that held GPUs on a day: what attribution made it pay, and who pays.
--
-- The newest 14 days. All that the pod held of its machine counts, GPUs, cores and memory, because
-- all of it is free when the pod stops; what was idle beside it does not, whatever the idle policy.
--
-- grain: one row per pod, currency and day
-- key:   charge_date, pod_id, billing_currency
-- owner: ml-platform

with

held as (
    select
        pods.charge_date,
        pods.pod_id,
        pods.held_seconds
    from attribution.gpu_pod_days as pods
    inner join attribution.gpu_holders using (holder_hash)
    where gpu_holders.is_live
),

oldest as (
    select min(charge_date) as oldest_date
    from held
),

costs as (
    select
        postings.charge_date,
        postings.pod_id,
        postings.billing_currency,
        postings.source,
        postings.region_id,
        postings.run_id,
        coalesce(user_days.user_id, postings.user_raw) as owner_user,
        case when postings.is_team_of_user then coalesce(user_days.team, postings.team) else postings.team end
            as owner_team,
        sum(postings.effective_cost) as effective_cost
    from attribution.postings
    cross join oldest
    inner join held using (charge_date, pod_id)
    left join attribution.user_days using (charge_date, user_raw)
    where
        postings.method = 'machine_share'
        and postings.cost_kind in ('direct', 'unattributed')
        and postings.charge_date >= oldest.oldest_date
    group by all
),

pod_days as (
    select
        charge_date,
        pod_id,
        billing_currency,
        min(source) as source,
        min(region_id) as region_id,
        arg_max(run_id, (effective_cost, run_id)) as run_id,
        arg_max(owner_user, (effective_cost, owner_user)) as owner_user,
        arg_max(owner_team, (effective_cost, owner_team)) as owner_team,
        sum(effective_cost) as effective_cost
    from costs
    group by charge_date, pod_id, billing_currency
)

select
    pod_days.charge_date,
    pod_days.pod_id,
    pod_days.billing_currency,
    bill_sources.provider,
    pod_days.region_id,
    pod_days.run_id,  -- that pays most of it; null: no run is known in the pod
    run_facts.run_name,
    pod_days.owner_user,
    pod_days.owner_team,
    held.held_seconds,
    cast(pod_days.effective_cost as decimal(38, 12)) as effective_cost
from pod_days
inner join held using (charge_date, pod_id)
inner join attribution.bill_sources using (source)
left join attribution.run_facts using (run_id)
