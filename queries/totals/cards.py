"""What the totals of cards have in common: days of our own making, in whole units of 1e-12."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Context, Decimal
from typing import TYPE_CHECKING

import polars as pl

from queries import ModelError
from queries.totals import RawTotal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PLACES = 12
EXACT = Context(prec=100)
_UNREADABLE = (pl.exceptions.PolarsError, OSError, KeyError, ValueError, ArithmeticError)
Row = dict[str, str | None]
Key = tuple[str, str, str, str]
"""Provider, account, month and currency."""


def card_rows(path: Path) -> Iterator[Row]:
    """Yield a file's rows: one per day of a machine, or of whom a crew worked for."""
    yield from pl.read_parquet(path).iter_rows(named=True)


def key_of(row: Mapping[str, str | None]) -> Key:
    """Return what a row's cost is added up under."""
    month = (row["day"] or "")[:7]
    return (row["provider"] or "", row["account"] or "", month, row["currency"] or "")


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """Blame a file for what fails while it is added up.

    Raises: ModelError
    """
    try:
        yield
    except _UNREADABLE as error:
        raise ModelError(
            f"a file cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix="have the source write it again; the last good delivery stays in force",
        ) from error


def card_totals(units: Mapping[Key, int], rows: Mapping[Key, int]) -> list[RawTotal]:
    """Return what was added up: cash and amortised cost of a card are the same."""
    return [
        RawTotal(
            provider=provider,
            billing_account_id=account,
            billing_period=month,
            charge_month=month,
            billing_currency=currency,
            measure=measure,
            rows=rows[provider, account, month, currency],
            amount=EXACT.scaleb(Decimal(amount), -PLACES),
            beyond=Decimal(0),
        )
        for (provider, account, month, currency), amount in sorted(units.items())
        for measure in ("billed_cost", "effective_cost")
    ]
