"""Where quotas stand, drawn by a test."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jobs.quotas.standing import Price, QuotaRow, Rule, Standings, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 11, 21, 4, 20)  # noqa: DTZ001  (UTC without a zone)
AS_OF = date(2026, 11, 20)
GATE = {"on_unknown": "say", "lag_hours": 48, "max_data_days": 3}


def rule(name: str = "month", **more: Any) -> Rule:
    """Return a month's quota of 100 USD for each team, enforced when it is used up."""
    settings: dict[str, Any] = {
        "name": name,
        "dimension": "team",
        "member": "*",
        "measure": "effective_cost",
        "window": "month",
        "limit_amount": Decimal(100),
        "billing_currency": "USD",
        "thresholds": ((Decimal("0.8"), "warn"), (Decimal(1), "enforce")),
    }
    return Rule(**settings | more)


def row(member: str, used: str | int, **more: Any) -> QuotaRow:
    """Return where a team's month stands."""
    settings: dict[str, Any] = {
        "quota": "month",
        "dimension": "team",
        "member": member,
        "measure": "effective_cost",
        "window_kind": "month",
        "window_start": date(2026, 11, 1),
        "window_end": date(2026, 12, 1),
        "limit_amount": Decimal(100),
        "used_amount": Decimal(used),
        "forecast_amount": None,
        "billing_currency": "USD",
        "provisional_amount": Decimal(used),
        "state": "over" if Decimal(used) >= 100 else "ok",
    }
    return QuotaRow(**settings | more)


def standings(used: Mapping[str, str | int], **more: Any) -> Standings:
    """Return standings in which teams have used so much of their month."""
    settings: dict[str, Any] = {
        "generation": "000007",
        "as_of": AS_OF,
        "open_books": 0,
        "rows": tuple(row(member, amount) for member, amount in used.items()),
        "rules": (rule(),),
        "prices": (
            Price("vision", "A100", "USD", Decimal(100), Decimal(250)),
            Price("speech", "A100", "USD", Decimal(300), Decimal(550)),
            Price("speech", "T4", "USD", Decimal(100), Decimal(50)),
        ),
        "tables": (
            Table("aws", "line_items", "2026-11", is_stale=False, note=""),
            Table("identities", "people", "all", is_stale=True, note="old"),
        ),
        "members": {"team": tuple(sorted({*used, "vision", "speech"}))},
        "gate": GATE,
    }
    return Standings(**settings | more)


def days_ago(count: int) -> date:
    """Return the day that lies so many before the newest."""
    return AS_OF - timedelta(days=count)
