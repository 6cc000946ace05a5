-- One row is about a pod on a day, as one file of telemetry tells it: what its labels say.
--
-- Labels of a pod are the same in all its hours, so they are brought together once, when the file is new. Pods
-- that follow each other under one name (those of a StatefulSet, of a job that runs again) are told by their uid.
--
-- grain:  one row per file of pods and hours, pod and day
-- beside: pod_hours
-- owner:  ml-platform

select
    charge_date,
    cluster,
    namespace,
    pod,
    pod_uid,
    max(run_native_id) as run_native_id,
    max(named_owner(user_raw)) as user_raw,
    max(named_owner(team_raw)) as team_raw,
    max(named_owner(project_raw)) as project_raw,
    max(model_raw) as model
from staging.pod_hours
group by charge_date, cluster, namespace, pod, pod_uid
