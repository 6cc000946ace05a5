"""What the journal's rows say, as values: deliveries, what they bill, what they restate."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from queries.totals import RawTotal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

State = Literal["landed", "quarantined"]
Outcome = Literal["published", "unchanged", "stopped"]
LedgerTotal = RawTotal
"""What one delivery bills under one key: entered as it was summed."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file of a delivery in the raw store."""

    sha256: str
    size: int
    name: str
    """As the source names it."""
    format: str
    path: str
    """Below raw/."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery whose files lie in the raw store, to be entered."""

    source: str
    connector: str
    table: str
    unit: str
    version: str
    version_at: datetime
    """UTC, without a zone."""
    cursor: str | None
    files: tuple[StoredFile, ...]
    row_count: int | None

    @property
    def content(self) -> tuple[str, ...]:
        """What it holds, whatever its files are called."""
        return tuple(sorted(file.sha256 for file in self.files))


@dataclass(frozen=True, slots=True)
class Entry(NewDelivery):
    """A delivery as entered."""

    id: int
    landed_at: datetime
    """UTC, without a zone."""
    state: State
    reason: str
    refused_by: str
    is_collected: bool

    @property
    def unit_key(self) -> tuple[str, str, str]:
        """Which unit it is a version of."""
        return (self.source, self.table, self.unit)

    @property
    def order(self) -> tuple[datetime, int]:
        """The highest of a unit counts."""
        return (self.version_at, self.id)


@dataclass(frozen=True, slots=True)
class Restatement:
    """A unit's total that a newer version of it changed."""

    source: str
    unit: str
    charge_month: str
    billing_currency: str
    measure: str
    before: Decimal
    after: Decimal
    at: datetime
    """UTC, without a zone: when the newer version landed."""
    was_open: bool
    """The unit was not over when the older version was made."""
    why: str


@dataclass(frozen=True, slots=True)
class NightRun:
    """One run of a command that writes."""

    id: int
    command: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    generation: str | None
    problems: str


def billed_in(totals: Iterable[LedgerTotal]) -> dict[str, Decimal]:
    """Return what is billed in each currency, by its code."""
    costs: dict[str, Decimal] = {}
    for total in totals:
        if total.measure == "billed_cost":
            before = costs.get(total.billing_currency, Decimal(0))
            costs[total.billing_currency] = before + total.amount + total.beyond
    return dict(sorted(costs.items()))
