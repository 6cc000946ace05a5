"""Which GPU of a machine a pod held, and how busy each was, as DCGM's exporter tells it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from jobs.demo.slices import OFFERED, SLICE
from jobs.demo.world import DAY, HOUR

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from jobs.demo.world import Machine, Pod

Values = list[tuple[int, str]]

_OF_GUESTS: Final = 0.7
"""How active GPUs are that something else than a pod uses."""


def assign_gpus(machine: Machine) -> None:
    """Give each pod of a machine the lowest GPUs that are free when it starts."""
    free = list(range(machine.kind.gpus))
    held: list[tuple[int, int]] = []
    for pod in sorted(machine.pods, key=lambda pod: (pod.start, pod.uid)):
        free += [gpu for end, gpu in held if end <= pod.start]
        held = [(end, gpu) for end, gpu in held if end > pod.start]
        free.sort()
        pod.gpu_numbers = free[: pod.gpus]
        free = free[pod.gpus :]
        held += [(pod.end, gpu) for gpu in pod.gpu_numbers]


def gpu_series(
    machine: Machine, pods: Sequence[Pod], day: int, dim: Collection[int], rng: random.Random
) -> Iterator[tuple[str, Mapping[str, str], Values]]:
    """Yield the series of a machine's GPUs on a day: held by a pod, or by nobody."""
    for number in range(machine.kind.gpus):
        holders = [pod for pod in pods if number in pod.gpu_numbers]
        labels = {
            "UUID": f"GPU-{uuid.uuid5(uuid.NAMESPACE_OID, f'{machine.machine_id}/{number}')}",
            "Hostname": machine.node,
        }
        spare = _hours(max(machine.start, day), min(machine.end, day + DAY))
        for pod in holders:
            hours = _hours(max(pod.start, day), min(pod.end, day + DAY))
            for hour, minutes in hours.items():
                spare[hour] = spare.get(hour, 0) - minutes
            held = labels | {"namespace": pod.namespace, "pod": pod.name}
            yield from _measured(held, machine, hours, pod, dim, rng)
        spare = {hour: minutes for hour, minutes in spare.items() if minutes > 0}
        used = {hour for hour in spare if number >= machine.kind.gpus - _taken(machine, hour)}
        yield from _measured(labels, machine, spare, None, dim, rng, used)


def _taken(machine: Machine, hour: int) -> int:
    """Return how many GPUs are used, the last ones first, by what is no pod."""
    at = hour + HOUR // 2
    return sum(gpus for start, end, gpus in machine.guests if start <= at < end)


def offered_gpus(machine: Machine) -> Mapping[str, int]:
    """Return what the machine's device plugin offers: slices or turns where GPUs are shared."""
    for pod in machine.pods:
        if pod.units:
            return {pod.resource: OFFERED[pod.resource]}
    return {"nvidia_com_gpu": machine.kind.gpus}


def shared_series(
    machine: Machine, pods: Sequence[Pod], day: int, rng: random.Random
) -> Iterator[tuple[str, Mapping[str, str], Values]]:
    """Yield the series of GPUs that pods share: one for each slice, with the pod that holds it.

    Of GPUs that are sliced by time the exporter knows one series each, and no pod.
    """
    whole = _hours(max(machine.start, day), min(machine.end, day + DAY))
    is_sliced = any(pod.resource == SLICE for pod in machine.pods)
    holders = [pod for pod in pods for _ in range(pod.units)] if is_sliced else []
    for number in range(machine.kind.gpus * (2 if is_sliced else 1)):
        gpu, part = divmod(number, 2) if is_sliced else (number, 0)
        labels = {
            "UUID": f"GPU-{uuid.uuid5(uuid.NAMESPACE_OID, f'{machine.machine_id}/{gpu}')}",
            "Hostname": machine.node,
        }
        if not is_sliced:
            yield from _measured(labels, machine, whole, pods[0], (), rng)
            continue
        labels["GPU_I_ID"] = str(part + 1)
        spare = dict(whole)
        if number < len(holders):
            pod = holders[number]
            hours = _hours(max(pod.start, day), min(pod.end, day + DAY))
            held = labels | {"namespace": pod.namespace, "pod": pod.name}
            yield from _measured(held, machine, hours, pod, (), rng)
            spare = {hour: minutes for hour, minutes in whole.items() if hour not in hours}
        yield from _measured(labels, machine, spare, None, (), rng)


def _hours(start: int, end: int) -> dict[int, int]:
    """Return the minutes of each hour between two times."""
    return {
        hour: (min(end, hour + HOUR) - max(start, hour)) // 60
        for hour in range(start // HOUR * HOUR, end, HOUR)
    }


def _measured(  # noqa: PLR0913, PLR0917  (what is measured, where, when and by whom)
    labels: Mapping[str, str],
    machine: Machine,
    hours: Mapping[int, int],
    pod: Pod | None,
    dim: Collection[int],
    rng: random.Random,
    used: Collection[int] = (),
) -> Iterator[tuple[str, Mapping[str, str], Values]]:
    usual, signs = (pod.busy, pod.signs) if pod else (0.0, "")
    columns: dict[str, Values] = {
        "gpu_gr": [],
        "gpu_gr_max": [],
        "gpu_memory_mib": [],
        "gpu_watts": [],
        "gpu_samples": [],
    }
    memory = machine.kind.gpu_gib * 1024
    for hour, minutes in hours.items():
        if not minutes:
            continue
        busy = _OF_GUESTS if hour in used else usual
        activity = min(1.0, busy * rng.uniform(0.85, 1.12))
        at = hour + HOUR
        is_held = pod is not None or hour in used
        full = memory * (0.15 + 0.8 * busy) * rng.uniform(0.97, 1.0) if is_held else 3.0
        full = 3.0 if signs == "empty" else full
        watts = 250.0 if signs == "hot" else 55 + 290 * activity
        columns["gpu_gr"].append((at, f"{activity:.4f}"))
        columns["gpu_gr_max"].append((at, f"{min(1.0, activity * 1.2):.4f}"))
        columns["gpu_memory_mib"].append((at, f"{full:.0f}"))
        columns["gpu_watts"].append((at, f"{watts:.1f}"))
        samples = minutes // 3 if hour in dim or signs == "dim" else minutes
        columns["gpu_samples"].append((at, str(samples)))
    for query, values in columns.items():
        yield query, labels, values
