"""Exports that hold what others hold too: the month so far, day by day; one month by two names.

Only of files that stand for themselves: a manifest says which of its files make one bill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.fetching import RefusedDeliveryError
from jobs.restatements import rows_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from connectors.base import Table
    from jobs.ledger import Entry, LedgerTotal, NewDelivery, StoredFile
    from queries.landed import LandedFile


def refuse_overlap(
    new: NewDelivery,
    table: Table,
    totals: Sequence[LedgerTotal],
    others: Mapping[Entry, Sequence[LedgerTotal]],
    raw: Path,
) -> None:
    """Refuse a bill of which a file holds half of another's lines, or the other half of its own.

    `others` are its source's deliveries that count. Raises: RefusedDeliveryError
    """
    use = {_use_of(total) for total in totals}
    beside = {
        entry: summed
        for entry, summed in others.items()
        if entry.unit_key != (new.source, new.table, new.unit) and use & set(map(_use_of, summed))
    }
    if len(new.files) == 1 and not beside:
        return
    from queries.overlaps import find_overlap  # noqa: PLC0415  (slow to import)

    lines = rows_of(totals) + sum(map(rows_of, beside.values()))
    old = [file for entry in beside for file in _landed(entry.files, raw)]
    found = find_overlap(table, _landed(new.files, raw), old, lines)
    if found is not None:
        raise RefusedDeliveryError(
            f"{' and '.join(found)} hold the same lines, at least half of one: both would count",
            where=f"{new.source} {new.table} {new.unit}",
            fix="keep the newer one alone, or let the exports write over each other; where one is "
            "gone already, give the source another name, and its files are read anew",
        )


def _use_of(total: LedgerTotal) -> tuple[str, str, str]:
    provider, account, _ = total.bill
    return (provider, account, total.charge_month)


def _landed(files: Sequence[StoredFile], raw: Path) -> list[LandedFile]:
    from queries.landed import LandedFile  # noqa: PLC0415  (as above)

    there = [file for file in files if (raw / file.path).exists()]
    return [LandedFile(raw / file.path, file.name, file.format, file.sha256) for file in there]
