"""What detectors must find in the company, and by how much, from the same description of them.

findings.csv: a detector, what it must find, and the waste of a month where the truth knows it. Of
the detectors named here nothing else may be found. Waste is exact but for the last places; for data
that is far from its readers it rests on the bytes moved, which trackers tell less exactly,
and for lost runs on all that they cost, though nobody heard of them for the last of it.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.holding import Holder
from jobs.demo.owners import Owners
from jobs.demo.quiet import CORNER
from jobs.demo.reads import bytes_moved
from jobs.demo.truth import RECENT, UNITS
from jobs.demo.world import DAY, HOUR, TICKS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobs.demo.truth import Truth
    from jobs.demo.world import Machine, Run, World

_MONTH: Final = Fraction(304375, 10000)
_WEEK: Final = 7 * DAY
_EARLY: Final = 5 * 60
_FREE_HOURS: Final = 4
_HORIZON: Final = 12
_LEAST: Final = {
    "unallocated_gpu_nodes": 25,
    "misplaced_compute": 25,
    "failed_runs": 10,
    "cancelled_runs": 10,
}


_BATCH_REASONS: Final = {
    "CANCELLED": "cancelled",
    "FAILED": "error",
    "NODE_FAIL": "machine failed",
    "OUT_OF_MEMORY": "out of memory",
    "PREEMPTED": "preempted",
    "REQUEUED": "preempted",
    "TIMEOUT": "timeout",
}
"""What detectors make of the state of a Slurm job; none lasts less than ten minutes."""


class Found(NamedTuple):
    """A finding that there must be."""

    detector: str
    resource_id: str
    currency: str
    monthly_waste: Fraction
    """In units of 10^-12."""


def write_findings(folder: Path, world: World, truth: Truth) -> None:
    """Write the file."""
    rows = [
        *_quiet_pods(world, truth),
        *_free_machines(world, truth),
        *_far_data(world, truth),
        *_ended_badly(world, truth),
    ]
    with (folder / "findings.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("detector", "resource_id", "billing_currency", "monthly_waste"))
        for row in sorted(rows):
            if row.monthly_waste >= _LEAST.get(row.detector, 0) * TICKS * UNITS:
                waste = Decimal(int(row.monthly_waste)) * Decimal(10) ** -12
                writer.writerow((row.detector, row.resource_id, row.currency, f"{waste:f}"))


def _quiet_pods(world: World, truth: Truth) -> Iterator[Found]:
    """Yield the pods that hold GPUs for nothing: what each paid in the last week, a month of it."""
    wanted = {still.name: still.detector for pods in CORNER for still in pods}
    until = world.calendar.until
    for machine in world.machines:
        for pod in machine.pods:
            detector = wanted.get(pod.name)
            if not detector:
                continue
            share = Fraction(pod.weight, machine.kind.weight)
            hours = range(max(until - _WEEK, pod.start), until, HOUR)
            paid = sum(truth.recent.machine_hours[machine.machine_id, hour] for hour in hours)
            name = f"{machine.cluster}/{pod.namespace}/{pod.name}"
            days = (until - hours.start + DAY - 1) // DAY
            yield Found(detector, name, "USD", paid * share * _MONTH / days)


def _free_machines(world: World, truth: Truth) -> Iterator[Found]:
    """Yield machines without pods on their GPUs for hours, and what was idle of them then."""
    for machine in world.machines:
        if machine.cluster and machine.kind.gpus and machine.end > world.calendar.until - DAY:
            first = max(world.calendar.until - _WEEK, machine.start) // DAY * DAY
            days = range(first, world.calendar.until, DAY)
            free = {day: _free_seconds(machine, day) for day in days}
            if sum(free.values()) < _FREE_HOURS * HOUR * len(days):
                continue
            waste = Fraction(0)
            for day in days:
                cost, idle = _day_of(truth, machine, day)
                up = sum(machine.up_seconds(hour) for hour in range(day, day + DAY, HOUR))
                waste += min(idle, Fraction(cost * free[day], up))
            monthly = waste * _MONTH / len(days)
            yield Found("unallocated_gpu_nodes", machine.machine_id, "USD", monthly)


def _free_seconds(machine: Machine, day: int) -> int:
    holders = [pod for pod in machine.pods if pod.gpus or pod.units]
    return sum(
        HOUR
        for hour in range(day, day + DAY, HOUR)
        if machine.up_seconds(hour) == HOUR
        and not any(pod.held_seconds(hour) >= 60 for pod in holders)  # noqa: PLR2004
    )


def _day_of(truth: Truth, machine: Machine, day: int) -> tuple[int, Fraction]:
    """Return what a machine cost on a day, and what of it nobody held."""
    total, idle = 0, Fraction(0)
    for hour in range(day, day + DAY, HOUR):
        cost = truth.recent.machine_hours.get((machine.machine_id, hour), 0)
        whole = machine.kind.weight * machine.up_seconds(hour)
        held = sum(pod.weight * pod.held_seconds(hour) for pod in machine.pods)
        total += cost
        idle += cost * (1 - Fraction(held, whole)) if whole else 0
    return total, idle


def _far_data(world: World, truth: Truth) -> Iterator[Found]:
    """Yield data read across a border: what the cheaper of a copy and a cache would save.

    Moving the runs is not looked at: the bill has no price for their machines on the other side.
    """
    read: dict[tuple[str, str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    homes = {data.name: data for data in world.datasets}
    regions = {data.region for data in world.datasets}
    for (day, _, target), parts in bytes_moved(world).items():
        if day >= world.calendar.until - RECENT:
            for part in parts:
                place = target if target in regions else "internet"
                key = (part.dataset.name, part.dataset.region, place)
                read[key][part.run.run_id] += part.size_bytes
    for key, cost in truth.recent.transfers.items():
        by_run, size = read[key], homes[key[0]].size_bytes
        each = Fraction(cost, sum(by_run.values()))
        stored = truth.recent.stored[key[0]] * _MONTH / 30
        largest = max(by_run.values())
        copy = stored + each * size / _HORIZON
        cache = stored * largest / size + each * largest
        saved = cost * _MONTH / 30 - min(copy, cache)
        yield Found("misplaced_compute", f"{key[0]} from {key[1]} to {key[2]}", "USD", saved)


def _ended_badly(world: World, truth: Truth) -> Iterator[Found]:
    """Yield what runs cost that failed or were stopped, by team and experiment."""
    owners = Owners(world)
    sums: dict[tuple[str, str, str], int] = defaultdict(int)
    for run in world.runs:
        reason = _reason(run)
        if reason:
            team = owners.of(Holder(run=run.run_id)).team or "nobody"
            for currency in ("EUR", "USD"):
                cost = truth.recent.runs.get((run.run_id, currency), 0)
                detector = "cancelled_runs" if reason == "cancelled" else "failed_runs"
                name = f"{team} / {run.experiment or 'no experiment'} / {reason}"
                sums[detector, name, currency] += cost
    for (detector, name, currency), cost in sums.items():
        yield Found(detector, name, currency, cost * _MONTH / 30)


def _reason(run: Run) -> str:
    if run.state:
        return _BATCH_REASONS.get(run.state.partition(" ")[0], "")
    if run.is_zombie:
        return "lost"
    if run.status == "KILLED":
        return "cancelled"
    if run.status != "FAILED":
        return ""
    return "early" if run.end - run.start < _EARLY else "error"
