-- One row is about a pod on a day: whose it is, as far as its labels and namespace say.
--
-- Pods of the namespaces in `shared_namespaces` serve everybody: what they hold is shared cost.
--
-- grain: one row per pod and day
-- key:   pod_no
-- step:  charge_date
-- param: shared_namespaces = 'kube-system'  -- namespaces of the cluster's own pods, with commas
-- owner: ml-platform

with

-- pods that telemetry knows, and those that only the bill knows
every_pod as (
    select
        charge_date,
        cluster,
        namespace,
        pod,
        pod_uid,
        run_native_id,
        user_raw,
        team_raw,
        project_raw,
        model
    from attribution.told_pods
    union all
    select
        charge_date,
        cluster,
        namespace,
        pod,
        pod_uid,
        run_native_id,
        named_owner(user_raw) as user_raw,
        named_owner(team_raw) as team_raw,
        named_owner(project_raw) as project_raw,
        model_raw as model
    from attribution.billed_pod_hours
),

pods as (
    select
        charge_date,
        cluster,
        namespace,
        pod,
        min(pod_uid) as pod_uid,
        max(run_native_id) as run_native_id,
        max(user_raw) as user_raw,
        max(team_raw) as team_raw,
        max(project_raw) as project_raw,
        max(model) as model
    from every_pod
    group by charge_date, cluster, namespace, pod
),

namespaces as (
    select distinct
        charge_date,
        namespace
    from pods
),

namespace_ranks as (
    select
        namespaces.charge_date,
        namespaces.namespace,
        min(rules.rule_rank) filter (where rules.side = 'run' and rules.level = 'rule') as rule_rank,
        min(rules.rule_rank) filter (where rules.level = 'namespace') as namespace_rank,
        list(rules.rule_rank order by rules.rule_rank) filter (where rules.side = 'mixed')
            as mixed_ranks
    from namespaces
    inner join attribution.rules
        on
            namespaces.namespace glob rules.match_namespace
            and coalesce(rules.match_run, rules.match_experiment, rules.match_source) is null
            and namespaces.charge_date >= rules.valid_from
            and namespaces.charge_date < rules.valid_to
    group by namespaces.charge_date, namespaces.namespace
),

run_names as (
    select
        charge_date,
        run_no,
        attempt,
        unnest(native_ids) as run_native_id
    from attribution.run_days
    inner join attribution.day_runs using (charge_date, run_id)
),

labelled_runs as (
    select
        charge_date,
        run_native_id,
        arg_max(run_no, (attempt, run_no)) as run_no
    from run_names
    group by charge_date, run_native_id
)

select
    cast(
        row_number() over (order by pods.charge_date, pods.cluster, pods.namespace, pods.pod) as integer
    ) as pod_no,  -- known by it within one build
    pods.charge_date,
    concat_ws('/', pods.cluster, pods.namespace, pods.pod) as pod_id,
    pods.cluster,
    pods.namespace,
    pods.pod,
    pods.pod_uid,
    labelled_runs.run_no,  -- the run that a label names, its last attempt
    pods.user_raw,
    pods.team_raw,
    pods.project_raw,
    pods.model,  -- what a serving pod serves
    list_contains(string_split($shared_namespaces, ','), pods.namespace) as is_shared,
    namespace_ranks.rule_rank,
    namespace_ranks.namespace_rank,
    namespace_ranks.mixed_ranks
from pods
left join namespace_ranks using (charge_date, namespace)
left join labelled_runs using (charge_date, run_native_id)
