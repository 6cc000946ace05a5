"""A Google Cloud project of the last weeks: two bare GPU machines, and a node that GKE splits.

Each hour of a machine is three lines: cores, memory and GPUs. Of the node there are such lines for
each namespace, and for what none asked for, with the labels that GKE's cost allocation gives them.
A discount for committed use is folded into its line; a promotion's credit stands beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.charges import Charge, price_of, to_cents
from jobs.demo.fleet import G2
from jobs.demo.world import DAY, HOUR, TICKS, Machine, hex_id, stream, ticks

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from jobs.demo.plans import Planner
    from jobs.demo.world import Person, World

SOURCE: Final = "gcp"
PROJECT: Final = "lumenfold-search-ml"
REGION: Final = "us-central1"
COMPUTE: Final = "Compute Engine"
KUBERNETES: Final = "Kubernetes Engine"
LASTS: Final = 45
"""Days until the end of what is told."""
_SPLIT_LASTS: Final = 20
_COMMITTED: Final = 28
"""Percent off the cores and memory of machines."""
_PROMOTION: Final = 5
"""Percent off GPUs."""
_TAX: Final = 8
_FEE: Final = ticks("0.1")
_UNITS: Final = 100


class Sku(NamedTuple):
    """What is billed of a machine."""

    name: str
    rate: int
    """Of the whole machine, an hour."""
    unit: str
    amount: float
    """Of the whole machine, in an hour."""


SKUS: Final = (
    Sku("G2 Instance Core running in Iowa", ticks("0.59976"), "seconds", 24 * 3600.0),
    Sku("G2 Instance Ram running in Iowa", ticks("0.28128"), "byte-seconds", 96 * 2**30 * 3600.0),
    Sku("Nvidia L4 GPU running in Iowa", ticks("1.12"), "seconds", 2 * 3600.0),
)


class Share(NamedTuple):
    """A namespace's part of the node, in hundredths; `project` is empty for what is left."""

    namespace: str
    project: str
    parts: int
    is_labelled: bool


SHARES: Final = (
    Share("ml-search", "query-ranking", 50, is_labelled=False),
    Share("ml-robotics", "route-learning", 30, is_labelled=True),
    Share("kube:unallocated", "", 20, is_labelled=False),
)
"""The first is mapped by its namespace, the second by its pods' labels."""


def google_machines(world: World, planner: Planner) -> None:
    """Add the bare machines, and the runs that were on them, one after the other."""
    rng = stream(world.seed, "google")
    start = max(world.calendar.start, world.calendar.until - LASTS * DAY)
    for number in (1, 2):
        machine = Machine(
            machine_id=f"search-train-{number}",
            kind=G2,
            source=SOURCE,
            account=PROJECT,
            region=REGION,
            zone=f"{REGION}-a",
            pool="google",
            cluster="",
            node=f"search-train-{number}",
            market="on_demand",
            start=start,
            end=world.calendar.until,
            tags={"environment": "research"},
        )
        world.machines.append(machine)
        stay_in_turn(world, planner, rng, machine, "search")
    world.runs.sort(key=lambda run: (run.start, run.run_id))


def stay_in_turn(
    world: World, planner: Planner, rng: random.Random, machine: Machine, team: str
) -> None:
    """Run on a bare machine, one at a time, on all of its GPUs or on one."""
    now = machine.start + rng.randint(60, 4 * HOUR)
    while now < machine.end - 12 * HOUR:
        end = now + rng.randint(2 * HOUR, 11 * HOUR)
        gpus = rng.choice((machine.kind.gpus, machine.kind.gpus, 1))
        project = planner.project_for(team, "train-a10g")
        run = planner.run("training", project, now, gpus, 1)
        run.start, run.end, run.region, run.machine = now, end, machine.region, machine
        run.status, run.tells_user = rng.choice(("FINISHED", "FINISHED", "FAILED")), True
        world.runs.append(run)
        now = end + rng.randint(600, 5 * HOUR)


def google_charges(world: World) -> list[Charge]:
    """Return the project's lines; a credit follows the line that it is of."""
    charges = [*_machines(world), *_node(world), *_cluster(world)]
    for period in world.calendar.periods:
        total = sum(charge.billed_cost for charge in charges if charge.period is period)
        if total:
            tax = to_cents(total * _TAX // 100)
            end = min(period.end, world.calendar.until)
            line = _line(world, period.start, "Invoice", Sku("Tax", 0, "", 0.0), tax)
            charges.append(replace(line, end=end, line_type="Tax", region="", zone=""))
    return charges


def _machines(world: World) -> Iterator[Charge]:
    for machine in world.machines:
        if machine.source == SOURCE:
            for hour in range(machine.start, machine.end, HOUR):
                for sku in SKUS:
                    line = _line(world, hour, COMPUTE, sku, sku.rate)
                    line.machine, line.resource, line.tags = machine, machine.node, machine.tags
                    line.instance_type = machine.kind.name
                    yield from _with_credits(line, sku)


def _with_credits(line: Charge, sku: Sku) -> Iterator[Charge]:
    if sku is SKUS[-1]:
        yield line
        cost = -line.cost * _PROMOTION // 100
        yield replace(line, cost=cost, line_type="Credit", machine=None, tags={})
        return
    line.billed = line.cost - line.cost * _COMMITTED // 100
    yield line


def _node(world: World) -> Iterator[Charge]:
    """Yield the lines of the node that GKE splits by namespace."""
    rng = stream(world.seed, "gke")
    start = max(world.calendar.start, world.calendar.until - _SPLIT_LASTS * DAY)
    name = f"gke-search-l4-pool-{hex_id(rng, 8)}-{hex_id(rng, 4)}"
    owned = [(share, _tags(world, rng, share, start)) for share in SHARES]
    for hour in range(start, world.calendar.until, HOUR):
        for share, tags in owned:
            for sku in SKUS:
                part = sku._replace(amount=sku.amount * share.parts / _UNITS)
                cost = price_of(sku.rate, share.parts, _UNITS)
                line = _line(world, hour, COMPUTE, part, cost)
                line.resource, line.tags, line.instance_type = name, tags, G2.name
                line.namespace, line.is_labelled = share.namespace, share.is_labelled
                yield line


def _tags(world: World, rng: random.Random, share: Share, at: int) -> dict[str, str]:
    """Return whose a part is, as far as anything tells."""
    project = next((one for one in world.projects if one.name == share.project), None)
    if project is None:
        return {}
    tags = {"user_team": project.team}
    if share.is_labelled:
        here: list[Person] = [one for one in world.people if one.team_at(at) == project.team]
        tags |= {"user_project": project.name, "user_owner": rng.choice(here).login}
    return tags


def _cluster(world: World) -> Iterator[Charge]:
    start = max(world.calendar.start, world.calendar.until - _SPLIT_LASTS * DAY)
    sku = Sku("Zonal Kubernetes Clusters", _FEE, "seconds", 3600.0)
    for hour in range(start, world.calendar.until, HOUR):
        line = _line(world, hour, KUBERNETES, sku, _FEE)
        line.resource = "search-l4"
        yield line


def _line(world: World, start: int, service: str, sku: Sku, cost: int) -> Charge:
    return Charge(
        period=world.calendar.period_of(start),
        start=start,
        end=start + HOUR,
        account=PROJECT,
        product=service,
        usage_type=sku.name,
        operation="",
        resource="",
        region=REGION,
        zone=f"{REGION}-a",
        amount=sku.amount,
        unit=sku.unit,
        rate=sku.rate,
        cost=cost,
        description=f"{sku.name} ({cost / TICKS:.4f})",
    )
