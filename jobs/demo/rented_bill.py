"""What the bare machines cost: one renter bills by the hour in dollars, one by the day in euros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobs.demo.charges import Charge, to_cents
from jobs.demo.world import DAY, HOUR, TICKS, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.demo.world import Machine, Period, World

CURRENCY: Final = {"aws": "USD", "azure": "EUR", "eu-lab": "EUR", "gcp": "USD", "lab": "USD"}
"""Source -> the currency of its bill."""
_STEP: Final = {"lab": HOUR, "eu-lab": DAY}
_VAT: Final = 19


def rented_charges(world: World, source: str) -> list[Charge]:
    """Return a renter's lines: machines first, what comes once a month last."""
    step = _STEP[source]
    machines = [machine for machine in world.machines if machine.source == source]
    charges = [
        _use(world, machine, start, step)
        for start in range(world.calendar.start, world.calendar.until, step)
        for machine in machines
        if machine.start <= start < machine.end
    ]
    for period in world.calendar.periods:
        total = sum(charge.cost for charge in charges if charge.period is period)
        if total:
            charges += _monthly(world, source, period, total)
    return charges


def _use(world: World, machine: Machine, start: int, step: int) -> Charge:
    rate = machine.kind.price["us-east-1"] or machine.kind.price["eu-west-1"]
    hours = step // HOUR
    return Charge(
        period=world.calendar.period_of(start),
        start=start,
        end=start + step,
        account=machine.account,
        product="GPU machines",
        usage_type=f"gpu-machine:{machine.kind.name}",
        operation="",
        resource=machine.machine_id,
        region=machine.region,
        zone=machine.zone,
        amount=float(hours),
        unit="Hours",
        rate=rate,
        cost=rate * hours,
        description=f"{machine.kind.name} in {machine.region}",
        tags=machine.tags,
        instance_type=machine.kind.name,
        machine=machine,
    )


def _monthly(world: World, source: str, period: Period, total: int) -> Iterator[Charge]:
    if source == "lab":
        yield _once(world, source, period, "Support", "Fee", ticks("450"), "Support, business plan")
        return
    yield _once(world, source, period, "GPU machines", "Credit", -ticks("220"), "Welcome credit")
    tax = to_cents((total - ticks("220")) * _VAT // 100)
    yield _once(world, source, period, "GPU machines", "Tax", tax, f"VAT {_VAT} %")


def _once(  # noqa: PLR0913, PLR0917  (a line of a bill has many columns)
    world: World, source: str, period: Period, product: str, line_type: str, cost: int, text: str
) -> Charge:
    return Charge(
        period=period,
        start=period.start,
        end=min(period.end, world.calendar.until),
        account=f"{source}-research",
        product=product,
        usage_type=line_type.lower(),
        operation="",
        resource="",
        region="",
        amount=1.0,
        unit="Months",
        rate=0,
        cost=cost,
        line_type=line_type,
        description=f"{text} ({cost / TICKS:.2f})",
    )
