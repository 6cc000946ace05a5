-- One row is about a pod on a day: whose it is, as far as its labels and namespace say.
--
-- Pods of the namespaces in `shared_namespaces` serve everybody: what they hold is shared cost.
--
-- A day's pods are told apart by a hash of their names, 64 bits: to compare texts for every pod and hour takes
-- half as long again. Two pods of a month with one hash would be taken for one, a chance of 1 in 10^8 where
-- there are 300,000 of them; no cost is lost by it.
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
        model,
        pod_hash_of(charge_date, cluster, namespace, pod, pod_uid) as pod_hash
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
        model_raw as model,
        pod_hash_of(charge_date, cluster, namespace, pod, pod_uid) as pod_hash
    from attribution.billed_pod_hours
),

-- most pods of a day have one row, of which nothing has to be brought together
several_rows as (
    select pod_hash
    from every_pod
    group by pod_hash
    having count(*) > 1
),

pods as (
    select *
    from every_pod
    anti join several_rows using (pod_hash)
    union all
    select
        min(charge_date) as charge_date,
        min(cluster) as cluster,
        min(namespace) as namespace,
        min(pod) as pod,
        min(pod_uid) as pod_uid,
        max(run_native_id) as run_native_id,
        max(user_raw) as user_raw,
        max(team_raw) as team_raw,
        max(project_raw) as project_raw,
        max(model) as model,
        pod_hash
    from every_pod
    semi join several_rows using (pod_hash)
    group by pod_hash
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
),

pod_names as (
    select
        pod_hash,
        charge_date,
        cluster,
        namespace,
        pod,
        pod_uid,
        run_native_id
    from pods
),

numbers as (
    select
        pod_names.pod_hash,
        cast(
            row_number() over (
                order by
                    pod_names.charge_date, pod_names.cluster, pod_names.namespace, pod_names.pod,
                    pod_names.pod_uid
            ) as integer
        ) as pod_no,
        labelled_runs.run_no,
        namespace_ranks.rule_rank,
        namespace_ranks.namespace_rank,
        namespace_ranks.mixed_ranks
    from pod_names
    left join labelled_runs using (charge_date, run_native_id)
    left join namespace_ranks using (charge_date, namespace)
)

select
    numbers.pod_no,  -- known by it within one build
    pods.pod_hash,
    pods.charge_date,
    concat_ws('/', pods.cluster, pods.namespace, pods.pod) as pod_id,
    pods.cluster,
    pods.namespace,
    pods.pod,
    pods.pod_uid,
    numbers.run_no,  -- the run that a label names, its last attempt
    pods.user_raw,
    pods.team_raw,
    pods.project_raw,
    pods.model,  -- what a serving pod serves
    list_contains(string_split($shared_namespaces, ','), pods.namespace) as is_shared,
    numbers.rule_rank,
    numbers.namespace_rank,
    numbers.mixed_ranks
from pods
inner join numbers using (pod_hash)
