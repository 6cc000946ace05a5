-- One row is about what a pod served in an hour, or had loaded while nobody asked.
--
-- Models of a pod share its hour by compute seconds, else by tokens (input and output alike), else by
-- requests: the first of the three that was counted in that hour, and is told of all models that were
-- asked anything. Where none is told of all of them, the first that was counted at all. An hour in
-- which nothing was counted is idle, and stands in equal parts with the models that were loaded.
--
-- Weights are whole numbers of 1e-6.
--
-- grain: one row per pod, hour, model and version
-- key:   pod_no, slot, model, model_version
-- step:  charge_date
-- owner: ml-platform

with

counted as (
    select
        pod_days.pod_no,
        pod_days.charge_date,
        cast(hour(served_hours.charge_hour) as tinyint) as slot,
        served_hours.model_name as model,
        served_hours.model_version,
        sum(coalesce(served_hours.compute_seconds, 0)) as compute_seconds,
        sum(coalesce(served_hours.input_tokens, 0) + coalesce(served_hours.output_tokens, 0)) as tokens,
        sum(coalesce(served_hours.requests, 0)) as requests,
        count(served_hours.compute_seconds) > 0 as tells_seconds,
        count(coalesce(served_hours.input_tokens, served_hours.output_tokens)) > 0 as tells_tokens,
        count(served_hours.requests) > 0 as tells_requests
    from staging.served_hours
    inner join attribution.pod_days
        on
            served_hours.charge_date = pod_days.charge_date
            and served_hours.cluster is not distinct from pod_days.cluster
            and served_hours.namespace is not distinct from pod_days.namespace
            and served_hours.pod is not distinct from pod_days.pod
    group by
        pod_days.pod_no,
        pod_days.charge_date,
        served_hours.charge_hour,
        served_hours.model_name,
        served_hours.model_version
),

asked as (
    select
        *,
        compute_seconds > 0 or tokens > 0 or requests > 0 as was_asked
    from counted
),

totals as (
    select
        *,
        sum(compute_seconds) over an_hour as all_seconds,
        sum(tokens) over an_hour as all_tokens,
        sum(requests) over an_hour as all_requests,
        bool_and(tells_seconds or not was_asked) over an_hour as all_tell_seconds,
        bool_and(tells_tokens or not was_asked) over an_hour as all_tell_tokens,
        bool_and(tells_requests or not was_asked) over an_hour as all_tell_requests
    from asked
    window an_hour as (partition by pod_no, slot)
)

select
    pod_no,
    charge_date,
    slot,  -- hour of the day
    model,
    model_version,
    all_seconds = 0 and all_tokens = 0 and all_requests = 0 as is_idle,
    case
        when all_seconds > 0 and all_tell_seconds then cast(compute_seconds * 1000000 as bigint)
        when all_tokens > 0 and all_tell_tokens then cast(tokens * 1000000 as bigint)
        when all_requests > 0 and all_tell_requests then cast(requests * 1000000 as bigint)
        when all_seconds > 0 then cast(compute_seconds * 1000000 as bigint)
        when all_tokens > 0 then cast(tokens * 1000000 as bigint)
        when all_requests > 0 then cast(requests * 1000000 as bigint)
        else 1
    end as weight
from totals
