"""The truth about waste: waste.csv, a row per planted thing and per thing that only looks like it.

`monthly_cost` is what the thing was billed in the last 30 days, at the prices of its lines; of a
stopped machine, what its disks were. `is_waste` is false for the look-alikes, and `why` says why.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from jobs.demo.truth import UNITS
from jobs.demo.world import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jobs.demo.charges import Charge
    from jobs.demo.estate import Estate
    from jobs.demo.world import World

COLUMNS: Final = ("kind", "resource_id", "is_waste", "why", "monthly_cost", "billing_currency")
_MONTH: Final = 30 * DAY
_PLACES: Final = Decimal(10) ** -12


def write_waste(path: Path, world: World, estate: Estate, charges: Sequence[Charge]) -> None:
    """Write the file, with what the bill's lines come to."""
    costs: dict[str, int] = defaultdict(int)
    for charge in charges:
        if charge.start >= world.calendar.until - _MONTH:
            for name in {charge.resource, charge.resource.rpartition("/")[2]}:
                costs[name] += charge.effective_cost * UNITS
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for case in sorted(estate.cases, key=lambda case: (case.kind, case.resource_id)):
            cost = sum(costs[thing] for thing in case.billed_as)
            is_waste = "true" if case.is_waste else "false"
            row = (case.kind, case.resource_id, is_waste, case.why, f"{cost * _PLACES:f}", "USD")
            writer.writerow(row)
