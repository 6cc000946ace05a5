"""Machines: what their idle hours cost, by machine and day, and what their GPUs did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.base import Page, Read
from reports.board import ZERO
from reports.charts import Series, stacked_days
from reports.figures import DASH, bar, exact, hours, money, percent, visible
from reports.views import choice_of, choice_reads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from decimal import Decimal

    from reports.base import Frames, Meta, Range, Span
    from reports.charts import Chart
    from reports.views import Choice

TREND_DAYS = 92
MOST_ROWS = 500
USES = Read("gpu_uses")
MEANINGS = {
    "in use": "active, or the active share of slow hours",
    "unallocated": "nobody held the machine, or the rest of it",
    "dead": "held, and no work ran",
    "waiting": "a model's server that was not asked",
    "starved": "held, and waited for cores or for data over the network",
    "wrong class": "held, and a smaller GPU would have done",
    "slow": "held, and mostly inactive for a reason that telemetry does not tell",
    "unknown": "held, and too few samples to judge",
    "unwatched": "runs on bare machines, pods without GPUs, machines without telemetry",
    "lost": "telemetry saw nothing of the machine: unattributed",
}
"""What the GPUs did, as `marts.gpu_uses` calls it -> what that means."""


def idle_read(days: Range) -> Read:
    """Return the read of the machines' idle cost."""
    return Read("idle_machines", days.params)


@dataclass(frozen=True, slots=True)
class Machines:
    """The report on machines."""

    name: str = "machines"
    title: str = "Machines"

    def daily(self, span: Span) -> Read:
        """Return the read of the machines' days."""
        return Read("idle_daily", span.recent(TREND_DAYS).params)

    def reads(self, span: Span) -> Sequence[Read]:
        """Return every query the page needs."""
        machines = [idle_read(days) for days in span.ranges()]
        return [*machines, self.daily(span), USES, *choice_reads(span)]

    def pages(self, frames: Frames, meta: Meta) -> Iterator[Page]:
        """Yield the one page."""
        span = meta.span
        ranges = span.ranges()
        records = {days.key: frames.records(idle_read(days)) for days in ranges}
        choice = choice_of(frames, span)
        views = [
            choice.view(days, currency, _content(rows, currency, idle_read(days)))
            for days in ranges
            for currency in choice.currencies
            if (rows := [r for r in records[days.key] if r["billing_currency"] == currency])
        ]
        yield Page(
            path="machines.html",
            title=self.title,
            template="machines.html",
            context={
                "choice": choice,
                "views": views,
                "charts": _charts(
                    frames.records(self.daily(span)), choice, span.recent(TREND_DAYS)
                ),
                "uses": use_tables(frames.records(USES), choice.currencies),
                "uses_read": USES,
                "daily_read": self.daily(span),
                "trend_days": span.recent(TREND_DAYS),
            },
        )


MACHINES = Machines()


def _content(records: Sequence[dict[str, Any]], currency: str, read: Read) -> dict[str, Any]:
    cost = sum((record["effective_cost"] for record in records), ZERO)
    idle = sum((record["idle_cost"] for record in records), ZERO)
    return {
        "read": read,
        "rows": machine_rows(records)[:MOST_ROWS],
        "count": len(records),
        "cost": money(cost, currency),
        "cost_exact": exact(cost, currency),
        "idle": money(idle, currency),
        "idle_exact": exact(idle, currency),
        "idle_share": percent(idle, cost),
    }


def use_tables(
    records: Sequence[dict[str, Any]], currencies: Sequence[str]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return, for each billing currency, what the GPUs did by what it cost.

    `currencies` come first, in their order, and then any other.
    """
    tables: dict[str, list[dict[str, Any]]] = {currency: [] for currency in currencies}
    for record in records:
        tables.setdefault(record["billing_currency"], []).append(record)
    return [(visible(currency), _uses(rows)) for currency, rows in tables.items() if rows]


def _uses(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    total = sum((record["effective_cost"] for record in records), ZERO)
    most = max(record["effective_cost"] for record in records)
    return [
        {
            "name": visible(record["gpu_use"]).capitalize(),
            "meaning": MEANINGS.get(record["gpu_use"], ""),
            "kind": "member" if record["gpu_use"] == "in use" else "idle",
            "cost": money(record["effective_cost"], record["billing_currency"]),
            "exact": exact(record["effective_cost"], record["billing_currency"]),
            "share": percent(record["effective_cost"], total),
            "bar": bar(record["effective_cost"], most),
        }
        for record in records
    ]


def machine_rows(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return machines as a table shows them, in the order given."""
    most = max((record["idle_cost"] for record in records), default=ZERO)
    return [_machine(record, most) for record in records]


def _machine(record: dict[str, Any], most: Decimal) -> dict[str, Any]:
    currency = record["billing_currency"]
    up, held = float(record["gpu_hours_up"] or 0), float(record["gpu_hours_held"] or 0)
    return {
        "instance": visible(record["instance_id"]),
        "type": visible(record["instance_type"] or DASH),
        "region": visible(record["region_id"] or DASH),
        "gpus": f"{float(record['gpu_count'] or 0):g}",
        "up": hours(record["up_hours"]),
        "held": f"{held / up * 100:.0f}%" if up else DASH,
        "cost": money(record["effective_cost"], currency),
        "exact": exact(record["effective_cost"], currency),
        "idle": money(record["idle_cost"], currency),
        "idle_exact": exact(record["idle_cost"], currency),
        "idle_share": percent(record["idle_cost"], record["effective_cost"]),
        "bar": bar(record["idle_cost"], most),
    }


def _charts(
    records: Sequence[dict[str, Any]], choice: Choice, days: Range
) -> list[tuple[int, str, Chart]]:
    charts = []
    for number, currency in enumerate(choice.currencies):
        used: dict[date, Decimal] = {}
        idle: dict[date, Decimal] = {}
        for record in records:
            if record["billing_currency"] == currency:
                used[record["charge_date"]] = record["effective_cost"] - record["idle_cost"]
                idle[record["charge_date"]] = record["idle_cost"]
        summary = f"What the machines cost in {currency} by day: held by runs, and idle."
        series = [Series("held", "Held", used), Series("(idle)", "(idle)", idle)]
        if used:
            chart = stacked_days(series, currency, days, summary=summary)
            charts.append((number, currency, chart))
    return charts
