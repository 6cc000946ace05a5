"""What comes once a month: support, the discount, credits, a refund and tax."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from jobs.demo.charges import Charge, to_cents
from jobs.demo.fleet import EUROPE, PAYER, TRAINING
from jobs.demo.world import DAY, EAST, TICKS, WEST, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.demo.world import Period, World

_DISCOUNTED: Final = ("AmazonEC2", "AmazonS3")
_DISCOUNT: Final = 3
"""Percent, of what is used on demand."""
_SUPPORT: Final = 3
_TAX: Final = {EUROPE: 23, TRAINING: 2}
"""Percent of what an account is billed, where it is taxed."""


def monthly_charges(world: World, charges: Sequence[Charge]) -> Iterator[Charge]:
    """Yield a period's closing lines, from the lines of the period."""
    for period in world.calendar.periods:
        if period.start >= world.calendar.until:
            continue
        used: dict[tuple[str, str], int] = defaultdict(int)
        for charge in charges:
            if charge.period is period:
                used[charge.account, charge.product] += charge.billed_cost
        yield from _discounts(world, period, used)
        total = sum(used.values())
        yield _line(
            world,
            period,
            PAYER,
            "AWSSupportEnterprise",
            "Fee",
            to_cents(total * _SUPPORT // 100),
            "Enterprise Support",
        )
        yield from _credits(world, period)
        for account, percent in _TAX.items():
            base = sum(cost for (owner, _), cost in used.items() if owner == account)
            yield _line(
                world,
                period,
                account,
                "AmazonEC2",
                "Tax",
                to_cents(base * percent // 100),
                "Tax for product code AmazonEC2",
            )


def _discounts(world: World, period: Period, used: dict[tuple[str, str], int]) -> Iterator[Charge]:
    for (account, product), cost in sorted(used.items()):
        if product in _DISCOUNTED:
            yield _line(
                world,
                period,
                account,
                product,
                "EdpDiscount",
                -to_cents(cost * _DISCOUNT // 100),
                "Enterprise Discount Program",
            )


def _credits(world: World, period: Period) -> Iterator[Charge]:
    first, last = world.calendar.periods[0], world.calendar.periods[-1]
    yield _line(
        world, period, TRAINING, "AmazonEC2", "Credit", -ticks("2500"), "Research credits 2026"
    )
    if period is last and first is not last:
        refund = _line(
            world,
            period,
            TRAINING,
            "AmazonEC2",
            "Refund",
            -ticks("1184.6"),
            "Refund for impaired instances",
        )
        refund.start, refund.end = first.start + 12 * DAY, first.start + 13 * DAY
        yield refund


def _line(  # noqa: PLR0913, PLR0917  (a line of a bill has many columns)
    world: World,
    period: Period,
    account: str,
    product: str,
    line_type: str,
    cost: int,
    description: str,
) -> Charge:
    is_region = line_type in {"EdpDiscount", "Tax"}
    region = (WEST if account == EUROPE else EAST) if is_region else ""
    return Charge(
        period=period,
        start=period.start,
        end=min(period.end, world.calendar.until),
        account=account,
        product=product,
        usage_type="Dollar" if line_type == "Fee" else "",
        operation="",
        resource="",
        region=region,
        amount=1.0,
        unit="",
        rate=0,
        cost=cost,
        line_type=line_type,
        description=f"{description} ({cost / TICKS:.2f})",
    )
