"""Who held what of a machine, second by second."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.tries import Claim
from jobs.demo.world import DAY, HOUR, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.demo.world import Pod, Run, World

_PARTS: Final = 96
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
    for run, parts in _present(_claims(world, machine), start, end, machine.kind.gpus):
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
            for run, parts in _present(inside, start, end, 0):
                weights.append((Holder(run=run.run_id), parts * pod.weight))
                left -= parts
        weights.append((_holder_of(pod), left * pod.weight))
    for run, parts in _present(_claims(world, machine), hour, hour + HOUR, machine.kind.gpus):
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
                    claim = Claim(one.run, one.start, one.end, one.gpus // len(one.nodes))
                    world.claims.setdefault(id(node), []).append(claim)
    return world.claims.get(id(place), [])


def _present(claims: Sequence[Claim], start: int, end: int, gpus: int) -> Iterator[tuple[Run, int]]:
    """Yield what each run held of a place between two times, in parts of a second."""
    here = [claim for claim in claims if claim.start < end and claim.end > start]
    edges = {start, end}
    for claim in here:
        edges |= {max(start, claim.start), min(end, claim.end)}
    times = sorted(edges)
    for since, upto in pairwise(times):
        there = [claim for claim in here if claim.start <= since and claim.end >= upto]
        parents = {claim.run.parent.run_id for claim in there if claim.run.parent}
        leaves = [claim for claim in there if claim.run.run_id not in parents]
        told = all(claim.gpus for claim in leaves)
        whole = max(sum(claim.gpus for claim in leaves), gpus) if told and gpus else len(leaves)
        for claim in leaves:
            part = claim.gpus if told and gpus else 1
            yield claim.run, (upto - since) * _PARTS * part // whole


def gpu_seconds(world: World) -> dict[str, float]:
    """Return the GPU seconds that each run held."""
    held: dict[str, float] = {}
    for machine in world.machines:
        places: list[tuple[Pod | Machine, int]] = [(machine, machine.kind.gpus)]
        places += [(pod, pod.gpus) for pod in machine.pods if pod.gpus]
        for place, gpus in places:
            total = machine.kind.gpus if place is machine else 0
            left = gpus * (place.end - place.start)
            for run, parts in _present(_claims(world, place), place.start, place.end, total):
                seconds = gpus * parts / _PARTS
                held[run.run_id] = held.get(run.run_id, 0.0) + seconds
                left -= int(seconds)
            if not isinstance(place, Machine) and place.run is not None:
                held[place.run.run_id] = held.get(place.run.run_id, 0.0) + left
    for job in world.jobs:
        if job.run is not None:
            held[job.run.run_id] = float(job.kind.gpus * (job.end - job.start))
    return held
