"""An Azure subscription of the last month: two bare machines with runs, one that its tags own.

The largest is covered by a reservation, which was bought some days before the machine was there:
until then it went unused. Azure bills by the day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.charges import Charge
from jobs.demo.fleet import NC6, NC24, NC48
from jobs.demo.google import stay_in_turn
from jobs.demo.world import DAY, Machine, stream, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.demo.plans import Planner
    from jobs.demo.world import MachineType, World

SOURCE: Final = "azure"
SUBSCRIPTION: Final = "5f2c7d1e-0b64-4c0e-9a51-6d1f0e3b7a48"
REGION: Final = "westeurope"
SERVICE: Final = "Virtual Machines"
RESERVATION: Final = "/providers/Microsoft.Capacity/reservationOrders/8d0c41f7"
LASTS: Final = 30
"""Days until the end of what is told."""
_RESERVED: Final = ticks("4.1")
"""An hour."""
_UNUSED_DAYS: Final = 5
_DAY_HOURS: Final = 24
_FEE_HOURS: Final = 730


class Shape(NamedTuple):
    """A machine of the subscription."""

    name: str
    kind: MachineType
    rate: int
    is_reserved: bool = False
    team: str = ""
    """Whose runs are on it; empty where its tags own it."""


SHAPES: Final = (
    Shape("fore-nc48-1", NC48, ticks("6.4"), is_reserved=True, team="forecasting"),
    Shape("fore-nc24-1", NC24, ticks("3.4"), team="forecasting"),
    Shape("label-v100-1", NC6, ticks("2.8")),
)
_BY_NAME: Final = {shape.name: shape for shape in SHAPES}


def azure_machines(world: World, planner: Planner) -> None:
    """Add the machines, and the runs that were on them."""
    rng = stream(world.seed, "azure")
    first = max(world.calendar.start, world.calendar.until - LASTS * DAY)
    owner = rng.choice([one for one in world.people if one.team_at(first) == "vision"])
    for shape in SHAPES:
        late = _UNUSED_DAYS * DAY if shape.is_reserved else 0
        tags = {"user_team": "vision", "user_project": "shelf-vision", "user_owner": owner.login}
        machine = Machine(
            machine_id=shape.name,
            kind=shape.kind,
            source=SOURCE,
            account=SUBSCRIPTION,
            region=REGION,
            zone="",
            pool="azure",
            cluster="",
            node=shape.name,
            market="on_demand",
            start=min(first + late, world.calendar.until - DAY),
            end=world.calendar.until,
            tags={} if shape.team else tags,
        )
        world.machines.append(machine)
        if shape.team:
            stay_in_turn(world, planner, rng, machine, shape.team)
    world.runs.sort(key=lambda run: (run.start, run.run_id))


def azure_charges(world: World) -> list[Charge]:
    """Return the subscription's lines, once each, whichever export has them."""
    first = max(world.calendar.start, world.calendar.until - LASTS * DAY)
    charges = [
        _use(world, machine, day)
        for machine in world.machines
        if machine.source == SOURCE
        for day in range(machine.start, machine.end, DAY)
    ]
    return [*charges, *_reservation(world, first)]


def _use(world: World, machine: Machine, day: int) -> Charge:
    shape = _BY_NAME[machine.machine_id]
    line = _line(world, day, shape, shape.rate * _DAY_HOURS)
    line.machine = machine if shape.team else None
    line.resource, line.tags = machine.machine_id, machine.tags
    if shape.is_reserved:
        line.effective, line.billed, line.plan = _RESERVED * _DAY_HOURS, 0, RESERVATION
    return line


def _reservation(world: World, first: int) -> Iterator[Charge]:
    """Yield the fee of each month, and the days on which nothing was covered."""
    (shape,) = (shape for shape in SHAPES if shape.is_reserved)
    for day in range(first, world.calendar.until, DAY):
        if day == first or day == world.calendar.period_of(day).start:
            fee = _line(world, day, shape, _RESERVED * _FEE_HOURS)
            fee.line_type, fee.effective, fee.plan = "Purchase", 0, RESERVATION
            yield fee
        if day < first + _UNUSED_DAYS * DAY:
            unused = _line(world, day, shape, _RESERVED * _DAY_HOURS)
            unused.line_type, unused.billed, unused.plan = "UnusedReservation", 0, RESERVATION
            unused.effective = unused.cost
            yield unused


def _line(world: World, day: int, shape: Shape, cost: int) -> Charge:
    return Charge(
        period=world.calendar.period_of(day),
        start=day,
        end=day + DAY,
        account=SUBSCRIPTION,
        product=SERVICE,
        usage_type=shape.kind.name.removeprefix("Standard_").replace("_", " "),
        operation="",
        resource="",
        region=REGION,
        amount=float(_DAY_HOURS),
        unit="1 Hour",
        rate=shape.rate,
        cost=cost,
        description=f"{SERVICE} {shape.kind.name}",
        instance_type=shape.kind.name,
    )
