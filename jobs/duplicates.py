"""The same bill from two exports: found by what deliveries bill, whatever their names.

Pure functions of the journal's entries, so that the verdict depends on nothing but the order of
landing, and is withdrawn by itself when its cause has gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jobs.ledger import Entry, LedgerTotal

Bill = tuple[str, str, str]
"""Provider, billing account, billing period."""
Unit = tuple[str, str, str]
"""Source, table, unit."""


def find_duplicates(
    entries: Iterable[Entry], totals: Mapping[int, Sequence[LedgerTotal]]
) -> dict[int, str]:
    """Return delivery id -> why it does not count, for each that bills what another source bills.

    Whoever landed a bill first keeps it, until a newer version of that unit bills it no more. One
    source may bill the same invoice in several units. Two sources that hand over at a month's edge
    share no billing period, so they do not clash.
    """
    owner: dict[Bill, tuple[Unit, ...]] = {}
    newest: dict[Unit, Entry] = {}
    refused: dict[int, str] = {}
    for entry in sorted(entries, key=lambda each: each.id):
        bills = {total.bill for total in totals.get(entry.id, ())}
        before = newest.get(entry.unit_key)
        if not bills or (before is not None and entry.order < before.order):
            continue
        clash = _first_clash(entry, bills, owner)
        if clash is not None:
            refused[entry.id] = clash
            continue
        _release(owner, entry.unit_key)
        for bill in bills:
            owner[bill] = (*owner.get(bill, ()), entry.unit_key)
        newest[entry.unit_key] = entry
    return refused


def _first_clash(
    entry: Entry, bills: set[Bill], owner: Mapping[Bill, tuple[Unit, ...]]
) -> str | None:
    for bill in sorted(bills):
        others = {unit[0] for unit in owner.get(bill, ()) if unit[0] != entry.source}
        if others:
            provider, account, period = bill
            whose = f"of account {account}" if account else "that names no account"
            return (
                f'sources "{min(others)}" and "{entry.source}" both deliver the {provider} bill '
                f"{whose} for {period}; {entry.table} {entry.unit} of "
                f'"{entry.source}" is left out'
            )
    return None


def _release(owner: dict[Bill, tuple[Unit, ...]], unit: Unit) -> None:
    for bill in [bill for bill, units in owner.items() if unit in units]:
        left = tuple(other for other in owner[bill] if other != unit)
        if left:
            owner[bill] = left
        else:
            del owner[bill]
