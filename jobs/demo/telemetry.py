"""What Prometheus answered about each day: pods, nodes and GPUs, hour by hour.

The answers are those of `query_range` to the questions that mlspend asks, saved as they came, one
file for each question and day. Counts are of samples, one a minute. On one day the exporters were
down for some hours: pods are missing for two of them, and GPUs have a third of their samples
for six.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Final

from jobs.demo.gpus import assign_gpus, gpu_series, offered_gpus, shared_series
from jobs.demo.world import DAY, GIB, HOUR, day_of, stream

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jobs.demo.world import Machine, Pod, World

Values = list[tuple[int, str]]

CLUSTERS: Final = ("forge-use1", "forge-euw1")
_LABELS: Final = ("user", "team", "project", "mlflow_run_id", "model")
_BLIND_HOURS: Final = range(3, 5)
_DIM_HOURS: Final = range(3, 9)


def blind_day(world: World) -> int:
    """Return the day on which the exporters of the first cluster were down."""
    return world.calendar.start + len(world.calendar.days) * 4 // 9 * DAY


def blind_hours(world: World) -> list[int]:
    """Return the hours of which nothing is known of the first cluster's pods and nodes."""
    return [blind_day(world) + hour * HOUR for hour in _BLIND_HOURS]


def write_telemetry(folder: Path, world: World) -> None:
    """Write a folder for each cluster, in it one for each day, in it a file for each question."""
    rng = stream(world.seed, "telemetry")
    for cluster in CLUSTERS:
        machines = [machine for machine in world.machines if machine.cluster == cluster]
        for machine in machines:
            assign_gpus(machine)
        for day in world.calendar.days:
            there = [m for m in machines if m.start < day + DAY and m.end > day]
            answers = _Day(world, cluster, day, rng).answers(there)
            place = folder / cluster / day_of(day).isoformat()
            place.mkdir(parents=True, exist_ok=True)
            for query, result in answers.items():
                content = {
                    "status": "success",
                    "data": {"resultType": "matrix", "result": result},
                }
                text = json.dumps(content, separators=(",", ":")).encode()
                packed = gzip.compress(text, compresslevel=4, mtime=0)
                (place / f"{query}.json.gz").write_bytes(packed)


class _Day:
    """One cluster's day."""

    def __init__(self, world: World, cluster: str, day: int, rng: random.Random) -> None:
        self.rng = rng
        self.day = day
        is_down = cluster == CLUSTERS[0] and day == blind_day(world)
        self.blind = set(blind_hours(world)) if is_down else set()
        self.dim = {day + hour * HOUR for hour in _DIM_HOURS} if is_down else set()

    def answers(self, machines: Sequence[Machine]) -> dict[str, list[object]]:
        """Return the series of every question."""
        answers: dict[str, list[object]] = {}
        for machine in machines:
            for query, metric, values in self._of_machine(machine):
                if values:
                    series = {"metric": metric, "values": values}
                    answers.setdefault(query, []).append(series)
        return answers

    def _of_machine(self, machine: Machine) -> Iterator[tuple[str, Mapping[str, str], Values]]:
        yield from self._node(machine)
        pods = [pod for pod in machine.pods if pod.start < self.day + DAY and pod.end > self.day]
        for pod in pods:
            yield from self._pod(machine, pod)
        if any(pod.units for pod in machine.pods):
            yield from shared_series(machine, pods, self.day, self.rng)
        elif machine.kind.gpus:
            yield from gpu_series(machine, pods, self.day, self.dim, self.rng)

    def _node(self, machine: Machine) -> Iterator[tuple[str, Mapping[str, str], Values]]:
        kind = machine.kind
        up = self._samples(machine.start, machine.end)
        node = {"node": machine.node}
        provider = f"aws:///{machine.zone}/{machine.machine_id}"
        yield "node_up", node | {"provider_id": provider}, up
        capacity = {"cpu": kind.cores, "memory": kind.memory_gib * GIB, **offered_gpus(machine)}
        for resource, amount in capacity.items():
            if amount:
                yield "node_capacity", node | {"resource": resource}, _always(up, str(amount))
        labels = node | {"label_node_kubernetes_io_instance_type": kind.name}
        if kind.gpus:
            labels["label_nvidia_com_gpu_count"] = str(kind.gpus)
            labels["label_nvidia_com_gpu_memory"] = str(kind.gpu_gib * 1024)
        yield "node_labels", labels, _always(up, "1")

    def _pod(self, machine: Machine, pod: Pod) -> Iterator[tuple[str, Mapping[str, str], Values]]:
        held = self._samples(pod.start, pod.end)
        name = {"namespace": pod.namespace, "pod": pod.name}
        known = name | {"uid": pod.uid}
        yield "pod_running", known, held
        yield "pod_node", known | {"node": machine.node}, _always(held, "1")
        asked = {
            "cpu": f"{pod.cpu_milli / 1000:g}",
            "memory": str(pod.memory_gib * GIB),
            pod.resource: str(pod.units or pod.gpus or ""),
        }
        for resource, amount in asked.items():
            if amount:
                place = {"node": machine.node, "resource": resource}
                yield "pod_request", known | place, _always(held, amount)
        minutes = [(at, int(count)) for at, count in held]
        use = [(at, f"{pod.cpu_used_milli * count / 60_000:.9f}") for at, count in minutes]
        yield "pod_cpu_use", name, use
        yield "pod_memory_use", name, _always(held, str(pod.memory_used_gib * GIB))
        labels = {f"label_{key}": pod.labels[key] for key in _LABELS if key in pod.labels}
        if labels:
            yield "pod_labels", known | labels, _always(held, "1")

    def _samples(self, start: int, end: int) -> Values:
        """Return the minutes of each hour of the day within a span, at the hours' ends."""
        first, last = max(start, self.day), min(end, self.day + DAY)
        values = []
        for hour in range(first // HOUR * HOUR, last, HOUR):
            minutes = (min(last, hour + HOUR) - max(first, hour)) // 60
            if minutes and hour not in self.blind:
                values.append((hour + HOUR, str(minutes)))
        return values


def _always(like: Values, text: str) -> Values:
    return [(at, text) for at, _ in like]
