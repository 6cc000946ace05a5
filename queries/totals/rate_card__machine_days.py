"""What owned machines add up to: each day's depreciation, power, hosting and support.

Whole numbers of 1e-12 throughout. Day i of n bears F(i + 1) - F(i), F(i) = amount x i // n, so that
a life bears price less residual, and a month its hosting, whole.
"""

from __future__ import annotations

import calendar
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from queries.totals.cards import EXACT, PLACES, Key, blaming, card_rows, card_totals, key_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from queries.totals import RawTotal

_MONTHLY = ("hosting_per_month", "support_per_month")


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    units: Counter[Key] = Counter()
    rows: Counter[Key] = Counter()
    for path in paths:
        with blaming(path):
            for row in card_rows(path):
                key = key_of(row)
                rows[key] += 1
                units[key] += _day_units(row)
    return card_totals(units, rows)


def _day_units(row: Mapping[str, str | None]) -> int:
    day = date.fromisoformat(row["day"] or "")
    total = _depreciation(row, day)
    days = calendar.monthrange(day.year, day.month)[1]
    for column in _MONTHLY:
        if (text := row[column]) is not None:
            units = _units(text)
            total += units * day.day // days - units * (day.day - 1) // days
    drawn = row["measured_kwh"]
    watts, price = row["power_watts"], row["price_per_kwh"]
    if price is not None and drawn is not None:
        total += _units(EXACT.multiply(Decimal(drawn), Decimal(price)))
    elif price is not None and watts is not None:
        kwh = EXACT.scaleb(EXACT.multiply(Decimal(watts), Decimal(24)), -3)
        total += _units(EXACT.multiply(kwh, Decimal(price)))
    return total


def _depreciation(row: Mapping[str, str | None], day: date) -> int:
    start = date.fromisoformat(row["in_service"] or "")
    worth = _units(row["price"] or "") - _units(row["residual"] or "0")
    life = (_months_after(start, int(row["life_months"] or "")) - start).days
    number = (day - start).days
    before = worth * min(number, life) // life
    end = row["out_of_service"]
    if end is not None and (date.fromisoformat(end) - day).days == 1:
        return worth - before
    return worth * min(number + 1, life) // life - before


def _months_after(day: date, months: int) -> date:
    """Return the same day some months on; the month's last one where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _units(amount: str | Decimal) -> int:
    scaled = EXACT.scaleb(Decimal(amount), PLACES)
    if scaled != int(scaled):
        raise ValueError(f"{amount} has more than {PLACES} places")
    return int(scaled)
