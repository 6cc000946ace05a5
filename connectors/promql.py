"""What is asked of Prometheus about a day: one query for each thing, evaluated at the hours' ends.

The range is a millisecond less than an hour, because `[1h]` holds one sample more on Prometheus 2
than on 3 and on VictoriaMetrics. It is a raw range and no subquery: a subquery goes on counting a
series for minutes after its last sample.

Replicas of kube-state-metrics see everything twice, and one that restarts splits an hour between
two series. So samples are summed over all that say them, and divided by how many times over the
best seen node was seen: right for replicas, shards and restarts alike, and for scraping more often
than configured. It counts too much only where a cluster with replicas has no node that was up for
the whole hour.

Where Prometheus keeps the exporter's own labels, the workload is in `exported_pod`. DCGM 4 renamed
its fields; either spelling will do, and while both are there the first counts.

Source: https://github.com/kubernetes/kube-state-metrics (docs/metrics),
https://github.com/NVIDIA/dcgm-exporter
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.serving_promql import SERVING_COLUMNS, serving_queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HOUR = "3599s999ms"
_GPU = "UUID, GPU_I_ID, Hostname, node, namespace, pod, exported_namespace, exported_pod"
_POD = "namespace, pod, uid"
_RESOURCES = (
    'resource=~"cpu|memory|nvidia_com_gpu|nvidia_com_gpu_shared|nvidia_com_mig_.+'
    '|amd_com_gpu|habana_ai_gaudi|aws_amazon_com_neuron"'
)
"""Others count something else: `nvidia_com_gpumem` is in MiB."""
_COPIES = (
    f"scalar(clamp_min((max(sum by (node) (count_over_time(kube_node_info[{_HOUR}])))"
    " or vector(0)) * %(scrape_seconds)s / 3600, 1))"
)
_SM = ("DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_SM_UTIL_RATIO")
_GR = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO")
_UTIL = ("DCGM_FI_DEV_GPU_UTIL",)
_MEMORY = ("DCGM_FI_DEV_FB_USED",)


def _dcgm(function: str, *fields: str) -> str:
    """Ask for the first of the fields that each GPU has."""
    return " or ".join(
        f"max by ({_GPU}) ({function}_over_time({field}[{_HOUR}]))" for field in fields
    )


QUERIES: Mapping[str, str] = {
    "pod_running": f"max by ({_POD}) (sum by ({_POD}, container) "
    f"(sum_over_time(kube_pod_container_status_running[{_HOUR}]))) / {_COPIES} > 0",
    "pod_node": f"max by ({_POD}, node) (max_over_time(kube_pod_info[{_HOUR}]))",
    "pod_request": f"sum by ({_POD}, node, resource) (max by ({_POD}, node, container, resource) "
    f"(avg_over_time(kube_pod_container_resource_requests{{{_RESOURCES}}}[{_HOUR}])))",
    "pod_cpu_use": "sum by (namespace, pod) (max by (namespace, pod, container) "
    f'(rate(container_cpu_usage_seconds_total{{container!=""}}[{_HOUR}])))',
    "pod_memory_use": "sum by (namespace, pod) (max by (namespace, pod, container) "
    f'(avg_over_time(container_memory_working_set_bytes{{container!=""}}[{_HOUR}])))',
    "pod_received": "sum by (namespace, pod) (max by (namespace, pod, interface) "
    f'(rate(container_network_receive_bytes_total{{interface!="lo"}}[{_HOUR}])))',
    "pod_labels": f"max by ({_POD}%(labels)s) (max_over_time(kube_pod_labels[{_HOUR}]))",
    "pod_claim": f"max by ({_POD}, persistentvolumeclaim) "
    f"(max_over_time(kube_pod_spec_volumes_persistentvolumeclaims_info[{_HOUR}]))",
    "volume_claim": "max by (namespace, persistentvolumeclaim, volumename) "
    f"(max_over_time(kube_persistentvolumeclaim_info[{_HOUR}]))",
    "volume_handle": "max by (persistentvolume, csi_volume_handle, ebs_volume_id, "
    "gce_persistent_disk_name, azure_disk_name) "
    f"(max_over_time(kube_persistentvolume_info[{_HOUR}]))",
    "node_up": f"sum by (node, provider_id) (count_over_time(kube_node_info[{_HOUR}])) / {_COPIES}",
    "node_capacity": "max by (node, resource) "
    f"(max_over_time(kube_node_status_capacity{{{_RESOURCES}}}[{_HOUR}]))",
    "node_labels": "max by (node, label_node_kubernetes_io_instance_type, "
    "label_nvidia_com_gpu_count, label_nvidia_com_gpu_memory) "
    f"(max_over_time(kube_node_labels[{_HOUR}]))",
    "gpu_sm": _dcgm("avg", *_SM),
    "gpu_gr": _dcgm("avg", *_GR),
    "gpu_util": _dcgm("avg", *_UTIL),
    "gpu_sm_max": _dcgm("max", *_SM),
    "gpu_gr_max": _dcgm("max", *_GR),
    "gpu_util_max": _dcgm("max", *_UTIL),
    "gpu_memory_mib": _dcgm("avg", *_MEMORY),
    "gpu_watts": _dcgm("avg", "DCGM_FI_DEV_POWER_USAGE"),
    "gpu_samples": _dcgm("count", *_SM, *_GR, *_UTIL, *_MEMORY),
    **serving_queries(_HOUR),
}
"""Name -> PromQL. Samples are counted, seconds are samples times the scrape interval."""

COLUMNS: Mapping[str, str] = {
    "namespace": "namespace",
    "pod": "pod",
    "uid": "pod_uid",
    "persistentvolumeclaim": "claim",
    "volumename": "volume",
    "persistentvolume": "volume",
    "csi_volume_handle": "volume_handle",
    "ebs_volume_id": "ebs_volume_id",
    "gce_persistent_disk_name": "gce_disk_name",
    "azure_disk_name": "azure_disk_name",
    "node": "node",
    "resource": "resource",
    "provider_id": "provider_id",
    "label_node_kubernetes_io_instance_type": "instance_type",
    "label_nvidia_com_gpu_count": "gpu_count",
    "label_nvidia_com_gpu_memory": "gpu_memory_mib",
    "UUID": "gpu_uuid",
    "GPU_I_ID": "gpu_instance_id",
    "Hostname": "hostname",
    "exported_namespace": "exported_namespace",
    "exported_pod": "exported_pod",
    **{label: label for label in SERVING_COLUMNS},
}
"""Label of an answer -> column of the raw table; the owners' labels are named in the config."""


def query_text(name: str, *, labels: Sequence[str], scrape_seconds: int) -> str:
    """Return the PromQL of a query, for pod labels by which owners are known."""
    wanted = "".join(f", {label}" for label in dict.fromkeys(labels))
    text = QUERIES[name].replace("%(labels)s", wanted)
    return text.replace("%(scrape_seconds)s", str(scrape_seconds))
