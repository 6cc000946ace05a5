"""What people's time adds up to: each day of each crew once, however many it worked for.

Whole numbers of 1e-12 throughout. Parts are cut from a day so that none of it is left, so the sum
needs no parts: a crew's day d of n is F(d) - F(d - 1), F(d) = price x d // n.
"""

from __future__ import annotations

import calendar
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from queries.totals.cards import EXACT, PLACES, Key, blaming, card_rows, card_totals, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from queries.totals import RawTotal


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    days: dict[Key, dict[tuple[str | None, str], int]] = {}
    rows: Counter[Key] = Counter()
    for path in paths:
        with blaming(path):
            for row in card_rows(path):
                key, day = key_of(row), row["day"] or ""
                rows[key] += 1
                of_crew = days.setdefault(key, {})
                of_crew[row["crew"], day] = _day_units(row["price_per_month"] or "", day)
    return card_totals({key: sum(of_crew.values()) for key, of_crew in days.items()}, rows)


def _day_units(price: str, text: str) -> int:
    day = date.fromisoformat(text)
    days = calendar.monthrange(day.year, day.month)[1]
    units = int(EXACT.scaleb(Decimal(price), PLACES))
    return units * day.day // days - units * (day.day - 1) // days
