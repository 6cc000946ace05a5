"""Why a figure may be off: what of the demo company's evidence is spoiled, and what that costs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jobs.demo.attached import Attached
from jobs.demo.azure import azure_charges
from jobs.demo.estate_bill import estate_charges
from jobs.demo.google import google_charges
from jobs.demo.holding import holders_between
from jobs.demo.machines_bill import machine_charges
from jobs.demo.owners import owner_of_run
from jobs.demo.planted import found_estate
from jobs.demo.reads import bytes_moved
from jobs.demo.rented_bill import CURRENCY, rented_charges
from jobs.demo.telemetry import CLUSTERS, blind_hours
from jobs.demo.truth import Truth
from jobs.demo.world import DAY, HOUR, TICKS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from jobs.demo.charges import Charge
    from jobs.demo.world import Pod, Run, World

COMPLETE = "complete evidence"
CLOCK = "its clock ran back: the tracker holds an end before the start"
BESIDE = "it shared a day's transfers with a run whose clock ran back"
LOST = "telemetry of its pods was lost for two hours"
OPEN = "it still ran on a bare machine: its last sign of life came before the end of what is told"
STRANGER = "whose: its user is in no directory"
NO_USER = "whose: its tags name no user"
NO_TEAM = "whose: its tags name no team, nor a project"


def causes(world: World) -> Callable[[str], str]:
    """Return what tells why a run's figure may be off: the first cause that applies."""
    runs = {run.run_id: run for run in world.runs}
    beside: set[str] = set()
    for parts in bytes_moved(world).values():
        if any(part.run.ends_early for part in parts):
            beside |= {part.run.run_id for part in parts}
    blind = blind_hours(world)

    def cause(run_id: str) -> str:
        run = runs[run_id]
        if run.ends_early:
            return CLOCK
        if run_id in beside:
            return BESIDE
        if _was_blind(run, blind):
            return LOST
        if run.machine is not None and run.end >= world.calendar.until:
            return OPEN
        return COMPLETE

    return cause


def _was_blind(run: Run, blind: Sequence[int]) -> bool:
    pods = [*run.pods, *([run.inside] if run.inside else [])]
    return any(_is_lost(pod, blind) for pod in pods)


def _is_lost(pod: Pod, blind: Sequence[int]) -> bool:
    is_there = pod.machine.cluster == CLUSTERS[0]
    return is_there and any(pod.held_seconds(hour) for hour in blind)


def spoiled_members(world: World, cause: Callable[[str], str]) -> set[tuple[str, str]]:
    """Return models that lost pods served, and datasets whose transfers clocks displaced."""
    blind = blind_hours(world)
    pods = [pod for machine in world.machines for pod in machine.pods]
    spoiled = {("model", pod.labels.get("model", "")) for pod in pods if _is_lost(pod, blind)}
    for parts in bytes_moved(world).values():
        if any(cause(part.run.run_id) in {CLOCK, BESIDE} for part in parts):
            spoiled |= {("dataset", part.dataset.name) for part in parts}
    return spoiled


def mixed_buckets(world: World) -> set[str]:
    """Return the datasets of buckets in which there are several storage classes."""
    classes: dict[str, set[str]] = defaultdict(set)
    for dataset in world.datasets:
        classes[dataset.bucket].add(dataset.storage_class)
    return {dataset.name for dataset in world.datasets if len(classes[dataset.bucket]) > 1}


def wrong_owners(
    world: World, owned: Sequence[tuple[Any, ...]]
) -> dict[tuple[str, str], list[Decimal]]:
    """Return what runs cost whose evidence of an owner is missing: less where we know nobody.

    Of a run whose owner is as in truth it is 0; that nobody is known of it may be the truth.
    """
    costs: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    runs = {run.run_id: run for run in world.runs}
    for native, currency, user, team, cost in owned:
        run = runs.get(native)
        if run is None or not cost:
            continue
        owner = owner_of_run(run)
        for cause, is_so, ours, known in (
            (STRANGER, run.tells_user and run.person is None, user, owner.user),
            (NO_USER, not run.tells_user, user, owner.user),
            (NO_TEAM, not run.tells_team, team, owner.team),
        ):
            if is_so:
                error = Decimal(0) if (ours or "") == known else cost
                costs[cause, currency].append(error if ours else -error)
    return costs


def unwatched_days(world: World) -> Iterator[tuple[str, Decimal]]:
    """Yield the currency and the cost of each day of a bare machine on which no run was there.

    Those between two of its days with jobs of Slurm are left out, where Slurm told of others.
    """
    worked: dict[str, set[int]] = defaultdict(set)
    told: set[int] = set()
    for one in world.tries:
        told.update(range(one.submitted // DAY * DAY, one.end, DAY))
        for node in one.nodes:
            worked[node.machine_id].update(range(one.start // DAY * DAY, one.end, DAY))
    bills = {source: rented_charges(world, source) for source in ("lab", "eu-lab")}
    bills |= {"gcp": google_charges(world), "azure": azure_charges(world)}
    for source, charges in bills.items():
        costs: dict[tuple[str, int], Decimal] = defaultdict(Decimal)
        for charge in charges:
            if charge.machine is not None:
                day = charge.start // DAY * DAY
                name, known = charge.machine.machine_id, worked[charge.machine.machine_id]
                is_between = known and min(known) < day < max(known) and day in told
                if not (is_between or holders_between(world, charge.machine, day, day + DAY)[0]):
                    costs[name, day] += Decimal(charge.effective_cost) / TICKS
        for _, cost in sorted(costs.items()):
            yield CURRENCY[source], cost


def lost_costs(world: World) -> tuple[Decimal, Decimal, Decimal]:
    """Return what machines cost while telemetry was lost, what disks, and how much was held."""
    blind = set(blind_hours(world))
    truth = Truth(world)
    charges = [
        charge
        for charge in machine_charges(world)
        if charge.start in blind
        and charge.machine is not None
        and charge.machine.cluster == CLUSTERS[0]
    ]
    disks = list(_lost_disks(world, blind))
    truth.add("aws", [*charges, *disks])
    held = sum(cost.effective for entry, cost in truth.entries() if entry.kind != "idle")
    of_machines, of_disks = (
        Decimal(sum(charge.effective_cost for charge in some)) / TICKS for some in (charges, disks)
    )
    return of_machines, of_disks, Decimal(held).scaleb(-12)


def _lost_disks(world: World, blind: Collection[int]) -> Iterator[Charge]:
    """Yield the parts of disks that lost hours of their machines would pay, as if by the hour."""
    estate = found_estate(world)
    attached = Attached(world, estate)
    for charge in estate_charges(world, estate):
        if charge.disk is None or charge.start != min(blind) // DAY * DAY:
            continue
        machine = attached.machine_of(charge.disk, charge.start)
        if machine is None or machine.cluster != CLUSTERS[0]:
            continue
        hours = range(charge.start, charge.start + DAY, HOUR)
        up = sum(machine.up_seconds(hour) for hour in hours)
        for hour in sorted(blind):
            if machine.up_seconds(hour):
                part = charge.cost * machine.up_seconds(hour) // up
                yield replace(
                    charge, start=hour, end=hour + HOUR, cost=part, disk=None, machine=machine
                )
