-- Replicas of served models that nobody asked anything for days, while their machines are billed.
--
-- A pod whose server's counters were seen through nearly all of the last days, and in which no
-- request ended, no token and no compute time was counted. Without counters nothing is known of a pod.
-- It must still be there on the newest day. Waste is all that it paid, GPUs, cores and memory.
--
-- fix:   let the server scale to fewer replicas or to none, or unload the model
-- param: min_days = 3           -- whole days without a request, the newest among them; 14 at most
-- param: min_seen = 0.9         -- of the hours of those days that counters must tell of
-- param: min_waste = 10.0       -- a month, in the bill's currency
-- owner: ml-platform

with

newest as (
    select max(as_of) as as_of
    from attribution.bill_sources
),

pod_hours as (
    select
        concat_ws('/', served_hours.cluster, served_hours.namespace, served_hours.pod) as pod_id,
        served_hours.charge_date,
        served_hours.charge_hour,
        max(newest.as_of) as as_of,
        min(
            served_hours.model_name || coalesce(' ' || served_hours.model_version, '')
        ) as loaded,
        max(
            greatest(
                served_hours.requests,
                coalesce(served_hours.input_tokens, 0),
                coalesce(served_hours.output_tokens, 0),
                coalesce(served_hours.compute_seconds, 0)
            )
        ) > 0 as is_asked
    from staging.served_hours
    cross join newest
    where
        served_hours.charge_date > newest.as_of - 14
        and served_hours.charge_date <= newest.as_of
    group by
        served_hours.cluster,
        served_hours.namespace,
        served_hours.pod,
        served_hours.charge_date,
        served_hours.charge_hour
),

-- hours since the last one with a request
quiet as (
    select *
    from pod_hours
    qualify
        charge_hour > coalesce(
            max(charge_hour) filter (where is_asked) over (partition by pod_id),
            timestamp '0001-01-01 00:00:00'
        )
),

pods as (
    select
        pod_id,
        min(loaded) as loaded,
        min(charge_date) as since,
        max(as_of) - $min_days + 1 as from_date,
        max(as_of) as as_of,
        count(*) as quiet_hours
    from quiet
    group by pod_id
    having
        max(charge_date) = max(as_of)
        and count(*) filter (where charge_date > as_of - $min_days) >= $min_days * 24 * $min_seen
),

costs as (
    select
        pods.pod_id,
        pods.loaded,
        pods.since,
        pods.quiet_hours,
        postings.billing_currency,
        min(bill_sources.provider) as provider,
        min(postings.region_id) as region_id,
        arg_max(
            coalesce(user_days.user_id, postings.user_raw),
            (postings.charge_date, coalesce(user_days.user_id, postings.user_raw))
        ) as owner_user,
        arg_max(
            coalesce(case when postings.is_team_of_user then user_days.team end, postings.team),
            (
                postings.charge_date,
                coalesce(case when postings.is_team_of_user then user_days.team end, postings.team)
            )
        ) as owner_team,
        per_month(sum(postings.effective_cost), $min_days) as monthly_waste
    from pods
    inner join attribution.postings
        on
            pods.pod_id = postings.pod_id
            and postings.charge_date between pods.from_date and pods.as_of
    inner join attribution.bill_sources using (source)
    left join attribution.user_days
        on
            postings.charge_date = user_days.charge_date
            and postings.user_raw = user_days.user_raw
    where postings.model = '(idle replicas)' and postings.cost_kind = 'direct'
    group by pods.pod_id, pods.loaded, pods.since, pods.quiet_hours, postings.billing_currency
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
    'no request to ' || loaded || ' for ' || quiet_hours || ' h of counters' as evidence,
    'pod ' || pod_id as conflict_key
from costs
where monthly_waste >= $min_waste
