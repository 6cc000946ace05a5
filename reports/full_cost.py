"""Full costs: what models and datasets cost with all that they were made from.

The same money stands in several rows, so these tables have no total, and say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.base import Read
from reports.board import ZERO
from reports.figures import DASH, bar, exact, hours, member_name, money, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from reports.base import Frames
    from reports.views import Choice

ROWS = 25
PARTS = {
    "model": (
        ("Training", "training_cost"),
        ("Making its data", "production_cost"),
        ("Storing them", "storage_cost"),
        ("Transfers", "transfer_cost"),
        ("Serving", "serving_cost"),
    ),
    "dataset": (
        ("Storage, transfers", "own_cost"),
        ("Making it", "production_cost"),
        ("Data it is made from", "input_cost"),
    ),
}
"""Dimension -> heading and column of each part of a full cost."""
_SAID = {"production": "making data", "idle_replicas": "idle replicas"}


@dataclass(frozen=True, slots=True)
class FullCosts:
    """The full costs of one dimension, in all currencies."""

    dimension: str
    top: int
    """Members of each currency whose parts are shown."""

    @property
    def board(self) -> Read:
        """The read of the dearest members."""
        return Read(f"{self.dimension}_full_cost", {"top": ROWS})

    @property
    def parts(self) -> Read:
        """The read of what they are made of."""
        return Read("full_cost_parts", {"dimension": self.dimension, "top": self.top})

    def parts_of(self, member: str) -> Read:
        """Return the read of what one member is made of."""
        return Read("full_cost_parts", {"dimension": self.dimension, "member": member})

    @property
    def headings(self) -> Sequence[str]:
        """The headings of the parts."""
        return [heading for heading, _ in PARTS[self.dimension]]

    def tables(
        self, frames: Frames, choice: Choice, hrefs: Mapping[str, str]
    ) -> list[tuple[int, str, list[dict[str, Any]]]]:
        """Return each currency's number, name and rows, the dearest first."""
        records = frames.records(self.board)
        tables = []
        for number, currency in enumerate(choice.currencies):
            rows = [record for record in records if record["billing_currency"] == currency]
            most = max((row["non_additive_cost"] for row in rows), default=ZERO)
            if rows:
                shown = [self._row(row, most, hrefs.get(row[self.dimension])) for row in rows]
                tables.append((number, currency, shown))
        return tables

    def _row(self, record: dict[str, Any], most: Decimal, href: str | None) -> dict[str, Any]:
        cost, currency = record["non_additive_cost"], record["billing_currency"]
        return {
            "name": member_name(record[self.dimension]),
            "href": href,
            "cost": money(cost, currency),
            "exact": exact(cost, currency),
            "bar": bar(cost, most),
            "parts": [_amount(record[column], currency) for _, column in PARTS[self.dimension]],
            "inputs": record["input_count"],
            "runs": record["run_count"],
        }

    def by_member(self, frames: Frames) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """Return what the members are made of, by member and currency."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for record in frames.records(self.parts):
            found.setdefault((record["member"], record["billing_currency"]), []).append(record)
        return {key: [_part(record, rows) for record in rows] for key, rows in found.items()}


def _part(record: dict[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    cost, currency = record["non_additive_cost"], record["billing_currency"]
    amount, whole = _amount(cost, currency)
    return {
        "part": _SAID.get(record["part"], record["part"]),
        "path": visible(record["lineage_path"]) if record["lineage_path"] else DASH,
        "runs": record["run_count"],
        "gpu_hours": hours(record["gpu_hours"]) if record["gpu_hours"] else DASH,
        "cost": amount,
        "exact": whole,
        "bar": bar(cost, max(row["non_additive_cost"] for row in rows)),
    }


def _amount(cost: Decimal, currency: str) -> tuple[str, str]:
    return money(cost, currency), exact(cost, currency)
