"""The days that a card charges, month by month: from a day that its config names, until today."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from connectors.base import SourceError
from connectors.contract_csv import day_of

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_charge_from(text: str, kind: str) -> None:
    """Refuse a `charge_from` of a connector's table that is no day; empty names none.

    Raises: SourceError
    """
    if text and day_of(text) is None:
        raise SourceError(
            f'charge_from is "{text}", which is not a day',
            where=f"[connectors.{kind}]",
            fix='write it as "2026-01-01"',
        )


def charged_months(charge_from: str, first: date, today: date) -> Iterator[tuple[date, date]]:
    """Yield each month's days that are over, [from, to), from `first` or a later `charge_from`."""
    start = max(day_of(charge_from) or date.min, first)
    while start < today:
        following = next_month(start)
        yield start, min(following, today)
        start = following


def next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)
