"""What a newer version of a bill changes in money."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from jobs.ledger import Restatement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jobs.ledger import Entry, LedgerTotal, NewDelivery


def restate(
    new: NewDelivery,
    totals: Sequence[LedgerTotal],
    before: Entry,
    totals_before: Sequence[LedgerTotal],
) -> list[Restatement]:
    """Return what a newer version of a unit changes in money: one row per sum that differs."""
    now, then = _sums(totals), _sums(totals_before)
    at = datetime.now(UTC).replace(tzinfo=None)
    changes = []
    for key in sorted(now.keys() | then.keys()):
        month, currency, measure = key
        rows, amount = now.get(key, (0, Decimal(0)))
        rows_before, amount_before = then.get(key, (0, Decimal(0)))
        if amount == amount_before:
            continue
        lines = f"{rows} lines, before {rows_before}" if rows != rows_before else f"{rows} lines"
        why = f"{month} {measure} {amount - amount_before:+f} {currency} ({lines})"
        changes.append(
            Restatement(
                source=new.source,
                unit=new.unit,
                charge_month=month,
                billing_currency=currency,
                measure=measure,
                before=amount_before,
                after=amount,
                at=at,
                was_open=is_open(new.unit, before.version_at),
                why=why,
            )
        )
    return changes


def _sums(totals: Iterable[LedgerTotal]) -> dict[tuple[str, str, str], tuple[int, Decimal]]:
    sums: dict[tuple[str, str, str], tuple[int, Decimal]] = {}
    for total in totals:
        key = (total.charge_month, total.billing_currency, total.measure)
        rows, amount = sums.get(key, (0, Decimal(0)))
        sums[key] = (rows + total.rows, amount + total.amount + total.beyond)
    return sums


def is_open(unit: str, at: datetime) -> bool:
    """Tell whether a unit that is a month or a day was not over at a time; others never end."""
    try:
        if len(unit) == len("2026-10"):
            first = date.fromisoformat(f"{unit}-01")
            end = (first + timedelta(days=31)).replace(day=1)
        else:
            end = date.fromisoformat(unit.removeprefix("partition-")) + timedelta(days=1)
    except ValueError:
        return True
    return at < datetime(end.year, end.month, end.day)  # noqa: DTZ001  (UTC without a zone)


def rows_of(totals: Iterable[LedgerTotal]) -> int:
    """Return how many lines were summed: each measure sees every line."""
    rows: Counter[str] = Counter()
    for total in totals:
        rows[total.measure] += total.rows
    return max(rows.values(), default=0)
