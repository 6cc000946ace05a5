"""What people's time adds up to: each day of each crew once, however many it worked for.

Whole numbers of 1e-12 throughout. Parts are cut from a day so that none of it is left, so the sum
needs no parts: a crew's day d of n is F(d) - F(d - 1), F(d) = price x d // n.
"""

from __future__ import annotations

import calendar
from datetime import date
from decimal import Context, Decimal
from typing import TYPE_CHECKING

import polars as pl

from queries import ModelError
from queries.totals import RawTotal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_PLACES = 12
_EXACT = Context(prec=100)
_KEY = ("provider", "account", "currency")


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    days: dict[tuple[str, ...], dict[tuple[str, str], int]] = {}
    rows: dict[tuple[str, ...], int] = {}
    for path in paths:
        try:
            for row in pl.read_parquet(path).iter_rows(named=True):
                key = (*(row[column] or "" for column in _KEY), row["day"][:7])
                rows[key] = rows.get(key, 0) + 1
                of_crew = days.setdefault(key, {})
                of_crew[row["crew"], row["day"]] = _day_units(row["price_per_month"], row["day"])
        except (pl.exceptions.PolarsError, OSError, KeyError, ValueError, ArithmeticError) as error:
            raise ModelError(
                f"a file cannot be read: {str(error).splitlines()[0]}",
                where=str(path),
                fix="have the source write it again; the last good delivery stays in force",
            ) from error
    return [
        RawTotal(
            provider=provider,
            billing_account_id=account,
            billing_period=month,
            charge_month=month,
            billing_currency=currency,
            measure=measure,
            rows=rows[provider, account, currency, month],
            amount=_EXACT.scaleb(Decimal(sum(of_crew.values())), -_PLACES),
            beyond=Decimal(0),
        )
        for (provider, account, currency, month), of_crew in sorted(days.items())
        for measure in ("billed_cost", "effective_cost")
    ]


def _day_units(price: str, text: str) -> int:
    day = date.fromisoformat(text)
    days = calendar.monthrange(day.year, day.month)[1]
    units = int(_EXACT.scaleb(Decimal(price), _PLACES))
    return units * day.day // days - units * (day.day - 1) // days
