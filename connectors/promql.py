"""What is asked of Prometheus about a day: one query for each thing, evaluated at the hours' ends.

The range is `[3599s]`, because `[1h]` holds one sample more on Prometheus 2 than on 3. `max by` and
`avg by` stand where several replicas of kube-state-metrics or of an exporter would count twice.
Where Prometheus keeps the exporter's own labels, the workload is in `exported_pod`.
DCGM 4 renamed its fields; both spellings are asked for.

Source: https://github.com/kubernetes/kube-state-metrics (docs/metrics),
https://github.com/NVIDIA/dcgm-exporter
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_GPU = (
    "UUID, GPU_I_ID, GPU_I_PROFILE, Hostname, namespace, pod, container, "
    "exported_namespace, exported_pod"
)
_POD = "namespace, pod, uid"


def _dcgm(function: str, *names: str) -> str:
    spelled = "|".join(names)
    return f'{function} by ({_GPU}) ({function}_over_time({{__name__=~"{spelled}"}}[3599s]))'


QUERIES: Mapping[str, str] = {
    "pod_running": f"max by ({_POD}) (sum_over_time(kube_pod_container_status_running[3599s]))",
    "pod_node": f"max by ({_POD}, node) (max_over_time(kube_pod_info[3599s]))",
    "pod_request": f"sum by ({_POD}, node, resource) (max by ({_POD}, node, container, resource) "
    "(avg_over_time(kube_pod_container_resource_requests[3599s])))",
    "pod_cpu_use": "sum by (namespace, pod) (max by (namespace, pod, container) "
    '(rate(container_cpu_usage_seconds_total{container!=""}[3599s])))',
    "pod_memory_use": "sum by (namespace, pod) (max by (namespace, pod, container) "
    '(avg_over_time(container_memory_working_set_bytes{container!=""}[3599s])))',
    "pod_labels": f"max by ({_POD}, %(labels)s) (max_over_time(kube_pod_labels[3599s]))",
    "node_up": "max by (node, provider_id) (count_over_time(kube_node_info[3599s]))",
    "node_capacity": "max by (node, resource) (avg_over_time(kube_node_status_capacity[3599s]))",
    "node_labels": "max by (node, label_node_kubernetes_io_instance_type, "
    "label_nvidia_com_gpu_count, label_nvidia_com_gpu_memory) "
    "(max_over_time(kube_node_labels[3599s]))",
    "gpu_sm": _dcgm("avg", "DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO"),
    "gpu_gr": _dcgm("avg", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO"),
    "gpu_util": _dcgm("avg", "DCGM_FI_DEV_GPU_UTIL"),
    "gpu_sm_max": _dcgm("max", "DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO"),
    "gpu_gr_max": _dcgm(
        "max", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO"
    ),
    "gpu_util_max": _dcgm("max", "DCGM_FI_DEV_GPU_UTIL"),
    "gpu_memory_mib": _dcgm("avg", "DCGM_FI_DEV_FB_USED"),
    "gpu_watts": _dcgm("avg", "DCGM_FI_DEV_POWER_USAGE"),
    "gpu_samples": f"max by ({_GPU}) (count_over_time(DCGM_FI_DEV_FB_USED[3599s]))",
}
"""Name -> PromQL. Samples are counted, seconds are samples times the scrape interval."""
