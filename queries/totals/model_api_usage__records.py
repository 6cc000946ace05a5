"""What models behind an API add up to: the amounts that the vendor states, in whole currency.

An amount is rounded to 20 places and then, divided by 100 where it is in cents, to 12.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from queries import ModelError
from queries.totals import RawTotal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_EXACT = Context(prec=200)
_READ = Decimal("1e-20")
_KEPT = Decimal("1e-12")
_COLUMNS = ("kind", "provider", "organization", "day", "currency", "amount", "minor_digits")


class _Amount(NamedTuple):
    """An amount as the vendor states it."""

    stated: Decimal
    minor_digits: int
    """2 where it is in cents, 0 where it is whole currency."""

    @property
    def exact(self) -> Decimal:
        return _EXACT.scaleb(self.stated, -self.minor_digits)

    @property
    def kept(self) -> Decimal:
        read = self.stated.quantize(_READ, ROUND_HALF_UP, _EXACT)
        whole = _EXACT.scaleb(read, -self.minor_digits)
        return whole.quantize(_KEPT, ROUND_HALF_UP, _EXACT)


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    sums: dict[tuple[str, str, str, str], list[_Amount]] = {}
    for path in paths:
        try:
            for kind, provider, organization, day, currency, amount, digits in pl.read_parquet(
                path, columns=list(_COLUMNS)
            ).iter_rows():
                if kind == "cost":
                    key = (provider, organization or "", day[:7], currency)
                    sums.setdefault(key, []).append(_Amount(Decimal(amount), int(digits)))
        except (pl.exceptions.PolarsError, OSError, TypeError, InvalidOperation) as error:
            raise ModelError(
                f"a file cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}",
                where=str(path),
                fix="have the source write it again; the last good delivery stays in force",
            ) from error
    return [
        RawTotal(
            provider=provider,
            billing_account_id=organization,
            billing_period=month,
            charge_month=month,
            billing_currency=currency,
            measure=measure,
            rows=len(amounts),
            amount=_sum([each.kept for each in amounts]),
            beyond=_EXACT.subtract(
                _sum([each.exact for each in amounts]), _sum([each.kept for each in amounts])
            ),
        )
        for (provider, organization, month, currency), amounts in sorted(sums.items())
        for measure in ("billed_cost", "effective_cost")
    ]


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total
