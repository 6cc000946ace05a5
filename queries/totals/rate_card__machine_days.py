"""What owned machines add up to: each day's depreciation, power, hosting and support.

Whole numbers of 1e-12 throughout. Day i of n bears F(i + 1) - F(i), F(i) = amount x i // n, so that
a life bears price less residual, and a month its hosting, whole.
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
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_PLACES = 12
_EXACT = Context(prec=100)
_MONTHLY = ("hosting_per_month", "support_per_month")
Row = dict[str, str | None]


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    sums: dict[tuple[str, str, str, str], list[int]] = {}
    for path in paths:
        try:
            for row in _rows(path):
                month = (row["day"] or "")[:7]
                key = (row["provider"] or "", row["account"] or "", month, row["currency"] or "")
                sums.setdefault(key, []).append(_day_units(row))
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
            rows=len(units),
            amount=_EXACT.scaleb(Decimal(sum(units)), -_PLACES),
            beyond=Decimal(0),
        )
        for (provider, account, month, currency), units in sorted(sums.items())
        for measure in ("billed_cost", "effective_cost")
    ]


def _rows(path: Path) -> Iterator[Row]:
    yield from pl.read_parquet(path).iter_rows(named=True)


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
        total += _units(_EXACT.multiply(Decimal(drawn), Decimal(price)))
    elif price is not None and watts is not None:
        kwh = _EXACT.scaleb(_EXACT.multiply(Decimal(watts), Decimal(24)), -3)
        total += _units(_EXACT.multiply(kwh, Decimal(price)))
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
    scaled = _EXACT.scaleb(Decimal(amount), _PLACES)
    if scaled != int(scaled):
        raise ValueError(f"{amount} has more than {_PLACES} places")
    return int(scaled)
