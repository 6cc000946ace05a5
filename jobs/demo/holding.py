"""Who held what of a machine, second by second."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.tries import Claim
from jobs.demo.world import DAY, HOUR, Machine, weigh

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.demo.world import MachineType, Pod, Run, World

_PARTS: Final = 96 * 10**6
"""A second is cut into so many: it divides by 2, 3, 4 and 8."""


class Holder(NamedTuple):
    """Whose a part of a cost is; what is not known is empty."""

    run: str = ""
    pod: str = ""
    """A pod that no run held, by uid."""
    dataset: str = ""
    version: str = ""
    """Of the dataset."""
    tag_user: str = ""
    tag_team: str = ""
    tag_project: str = ""
    is_shared: bool = False
    """The cluster's own."""

    @property
    def kind(self) -> str:
        """What postings call such a cost."""
        if self.is_shared:
            return "shared"
        is_known = self.run or self.pod or self.tag_user or self.tag_team or self.tag_project
        is_registered = self.dataset not in {"", "(unregistered)"}
        return "direct" if is_known or is_registered else "unattributed"


def holders_between(
    world: World, machine: Machine, start: int, end: int
) -> tuple[Sequence[tuple[Holder, int]], int]:
    """Return what each held of a machine in a span, and what there was to hold."""
    if machine.cluster:
        whole = machine.kind.weight * machine.up_seconds(start) * _PARTS
        return _held(world, machine, start), whole
    sums: dict[Holder, int] = {}
    for run, _, parts in _present(_claims(world, machine), start, end, machine.kind):
        holder = Holder(run=run.run_id)
        sums[holder] = sums.get(holder, 0) + parts
    return list(sums.items()), (end - start) * _PARTS


def holders_on_day(
    world: World, machine: Machine, day: int
) -> tuple[Sequence[tuple[Holder, int]], int]:
    """Return what each held of a cluster's machine on a day, and what there was to hold."""
    sums: dict[Holder, int] = {}
    whole = 0
    for hour in range(day, day + DAY, HOUR):
        if machine.up_seconds(hour):
            held, there = holders_between(world, machine, hour, hour + HOUR)
            whole += there
            for holder, weight in held:
                sums[holder] = sums.get(holder, 0) + weight
    return list(sums.items()), whole


def _held(world: World, machine: Machine, hour: int) -> Sequence[tuple[Holder, int]]:
    weights: list[tuple[Holder, int]] = []
    for pod in _pods_of(world, machine).get(hour, ()):
        held = pod.held_seconds(hour)
        inside = _claims(world, pod)
        left = held * _PARTS
        if inside:
            start, end = max(pod.start, hour), min(pod.end, hour + HOUR)
            for run, _, parts in _present(inside, start, end, None):
                weights.append((Holder(run=run.run_id), parts * pod.weight))
                left -= parts
        weights.append((_holder_of(pod), left * pod.weight))
    for run, _, parts in _present(_claims(world, machine), hour, hour + HOUR, machine.kind):
        weights.append((Holder(run=run.run_id), parts * machine.kind.weight))
    return weights


def _holder_of(pod: Pod) -> Holder:
    if pod.purpose == "system":
        return Holder(is_shared=True)
    return Holder(run=pod.run.run_id) if pod.run else Holder(pod=pod.uid)


def _pods_of(world: World, machine: Machine) -> dict[int, list[Pod]]:
    """Return a machine's pods by hour."""
    if machine.machine_id not in world.pods_by_hour:
        by_hour: dict[int, list[Pod]] = {}
        for pod in machine.pods:
            for hour in range(pod.start // HOUR * HOUR, pod.end, HOUR):
                by_hour.setdefault(hour, []).append(pod)
        world.pods_by_hour[machine.machine_id] = by_hour
    return world.pods_by_hour[machine.machine_id]


def _claims(world: World, place: Pod | Machine) -> list[Claim]:
    """Return the runs that say they were in a place."""
    if not world.claims:
        for run in world.runs:
            where = run.inside or run.machine
            if where is not None:
                claim = Claim(run, run.start, run.end, run.gpus)
                world.claims.setdefault(id(where), []).append(claim)
        for one in world.tries:
            for node in one.nodes:
                if one.run is not None:
                    got = (one.gpus, one.cores, one.memory_gib)
                    claim = Claim(
                        one.run, one.start, one.end, *(held // len(one.nodes) for held in got)
                    )
                    world.claims.setdefault(id(node), []).append(claim)
    return world.claims.get(id(place), [])


def _present(
    claims: Sequence[Claim], start: int, end: int, kind: MachineType | None
) -> Iterator[tuple[Run, int, int]]:
    """Yield what each run held of a place between two times, in parts of a second.

    Of its GPUs, and of all of it. In a pod, which is of no kind, they share alike.
    """
    here = [claim for claim in claims if claim.start < end and claim.end > start]
    edges = {start, end}
    for claim in here:
        edges |= {max(start, claim.start), min(end, claim.end)}
    times = sorted(edges)
    for since, upto in pairwise(times):
        there = [claim for claim in here if claim.start <= since and claim.end >= upto]
        parents = {claim.run.parent.run_id for claim in there if claim.run.parent}
        leaves = [claim for claim in there if claim.run.run_id not in parents]
        span = (upto - since) * _PARTS
        if kind is None or not kind.gpus or not all(claim.gpus for claim in leaves):
            part = span // max(len(leaves), 1)
            yield from ((claim.run, part, part) for claim in leaves)
            continue
        whole = max(sum(claim.gpus for claim in leaves), kind.gpus)
        tells_cores = all(claim.cores for claim in leaves)
        for claim in leaves:
            part = span * claim.gpus // whole
            weight = weigh(claim.gpus * 1000, claim.cores * 1000, claim.memory_gib * 1000)
            yield claim.run, part, span * weight // kind.weight if tells_cores else part


def gpu_seconds(world: World) -> dict[str, float]:
    """Return the GPU seconds that each run held."""
    held: dict[str, float] = {}
    for machine in world.machines:
        places: list[tuple[Pod | Machine, int]] = [(machine, machine.kind.gpus)]
        places += [(pod, pod.gpus) for pod in machine.pods if pod.gpus]
        for place, gpus in places:
            kind = machine.kind if place is machine else None
            left = gpus * (place.end - place.start)
            for run, parts, _ in _present(_claims(world, place), place.start, place.end, kind):
                seconds = gpus * parts / _PARTS
                held[run.run_id] = held.get(run.run_id, 0.0) + seconds
                left -= int(seconds)
            if not isinstance(place, Machine) and place.run is not None:
                held[place.run.run_id] = held.get(place.run.run_id, 0.0) + left
    for job in world.jobs:
        if job.run is not None:
            held[job.run.run_id] = float(job.kind.gpus * (job.end - job.start))
    return held
