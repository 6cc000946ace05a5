-- What a pod served in an hour: requests, tokens and compute time per model and version.
--
-- Servers lie within each other (vLLM in Triton, MLServer behind Seldon), and each of them counts.
-- Of a pod and hour the innermost counts alone, which knows models best:
--   vLLM, Triton, MLServer, Seldon 2, KServe, Seldon 1, BentoML.
--
-- Known drawback: a pod whose servers stand side by side shows the innermost kind alone.
--
-- grain:     one row per pod, model, version and hour
-- key:       charge_hour, cluster, namespace, pod, model_name, model_version
-- partition: charge_date
-- feeds:     served_hours
-- owner:     ml-platform

with

samples as (
    select
        query,
        sampled_at - interval 1 hour as charge_hour,
        greatest(try_cast(value as double), 0) as amount,
        cluster,
        namespace,
        pod,
        model_name,
        model_version,
        list_position(
            ['vllm', 'triton', 'mlserver', 'seldon_v2', 'kserve', 'seldon_v1', 'bentoml'], serving_system
        ) as depth
    from raw.prometheus__samples
    where
        starts_with(query, 'served_')
        and isfinite(try_cast(value as double))
        and namespace is not null
        and pod is not null
        and model_name is not null
),

innermost as (
    select *
    from samples
    qualify depth = min(depth) over (partition by charge_hour, cluster, namespace, pod)
)

select
    cast(charge_hour as date) as charge_date,
    charge_hour,
    cluster,
    namespace,
    pod,
    model_name,
    model_version,
    cast(coalesce(max(amount) filter (where query = 'served_requests'), 0) as decimal(18, 6)) as requests,
    cast(max(amount) filter (where query = 'served_input_tokens') as decimal(18, 6)) as input_tokens,
    cast(max(amount) filter (where query = 'served_output_tokens') as decimal(18, 6)) as output_tokens,
    cast(max(amount) filter (where query = 'served_compute_seconds') as decimal(18, 6)) as compute_seconds
from innermost
group by charge_hour, cluster, namespace, pod, model_name, model_version
