"""Quotas: how much of each is used, and where its window will end at this pace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from reports.base import Page, Read
from reports.figures import DASH, bar, day, digits, hours, member_name, money, percent, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from reports.base import Frames, Meta, Span

QUOTAS = Read("quotas")
UNITS = {
    "gpu_hours": "GPU-hours",
    "storage_gib_month": "GiB-months",
    "egress_gib": "GiB",
}
KINDS = {"over": "unattributed", "warned": "idle"}
"""State -> the style sheet's word for its bar."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """The report on quotas."""

    name: str = "quotas"
    title: str = "Quotas"

    def reads(self, span: Span) -> Sequence[Read]:  # noqa: ARG002 - a quota has its own window
        """Return every query the page needs."""
        return [QUOTAS]

    def pages(self, frames: Frames, meta: Meta) -> Iterator[Page]:  # noqa: ARG002 - as above
        """Yield the one page."""
        rows = [quota_row(record) for record in frames.records(QUOTAS)]
        yield Page(
            path="quotas.html",
            title=self.title,
            template="quotas.html",
            context={
                "rows": rows,
                "over": sum(row["state"] == "over" for row in rows),
                "warned": sum(row["state"] == "warned" for row in rows),
                "read": QUOTAS,
            },
        )


QUOTAS_REPORT = Quotas()


def quota_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return a quota as a table shows it; works for any row of `marts.quotas`."""
    used, limit = record["used_amount"], record["limit_amount"]
    currency = record["billing_currency"]
    last = record["window_end"] - timedelta(1)
    return {
        "quota": visible(record["quota"]),
        "who": member_name(record["member_name"]),
        "dimension": visible(record["dimension"]),
        "unit": visible(currency)
        if currency
        else UNITS.get(record["measure"], visible(record["measure"])),
        "window": visible(record["window_kind"]),
        "days": f"{day(record['window_start'])} to {day(last)}",
        "used": _amount(used, currency),
        "used_exact": _exact(used, currency),
        "limit": _amount(limit, currency),
        "limit_exact": _exact(limit, currency),
        "share": percent(used, limit),
        "forecast": _amount(record["forecast_amount"], currency),
        "forecast_exact": _exact(record["forecast_amount"], currency),
        "is_provisional": bool(record["provisional_amount"]),
        "bar": bar(used, limit),
        "kind": KINDS.get(record["state"], "member"),
        "state": visible(record["state"]),
    }


def _amount(amount: Decimal | None, currency: str | None) -> str:
    if amount is None:
        return DASH
    return money(amount, currency) if currency else hours(amount)


def _exact(amount: Decimal | None, currency: str | None) -> str:
    if amount is None:
        return "too few days to tell"
    return digits(amount, currency or "") + (f" {currency}" if currency else "")
