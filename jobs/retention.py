"""Which raw files may go: old versions of what a source restates as a whole, and of people."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from jobs.restatements import is_open

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from jobs.ledger import Entry

_ABOUT_PEOPLE = frozenset(("identities",))
"""Connectors whose newest file alone counts, and tells of people."""
_FINAL_AFTER = timedelta(days=10)  # AWS adds support fees up to the 7th, Azure restates to the 5th


def find_outdated(
    entries: Iterable[Entry],
    superseding: Collection[tuple[str, str]],
    needed: Collection[str],
    keep: int,
) -> list[int]:
    """Return the ids of the deliveries whose files are needed no more.

    Kept are the newest `keep` versions of a unit and the one in force; versions made when the unit
    had been over for ten days; what holds a digest in `needed`; and every version of a (connector,
    table) that is not in `superseding`, because its rows are told apart by key.
    """
    units: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        if (entry.connector, entry.table) in superseding and not entry.is_collected:
            units.setdefault(entry.unit_key, []).append(entry)
    outdated: list[int] = []
    for versions in units.values():
        versions.sort(key=lambda entry: entry.order)
        in_force = [entry for entry in versions if entry.state == "landed"][-1:]
        for entry in versions[:-keep]:
            is_needed = any(file.sha256 in needed for file in entry.files)
            is_final = not is_open(entry.unit, entry.version_at - _FINAL_AFTER)
            if entry not in in_force and not is_needed and not is_final:
                outdated.append(entry.id)
    return outdated


def find_forgotten(entries: Iterable[Entry], personal_from: date) -> list[int]:
    """Return the ids of the deliveries about people that were replaced before a day.

    Whoever left stands in the old version alone, so that version goes with the rows about them.
    """
    units: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        if entry.connector in _ABOUT_PEOPLE:
            units.setdefault(entry.unit_key, []).append(entry)
    forgotten: list[int] = []
    for versions in units.values():
        versions.sort(key=lambda entry: entry.order)
        in_force = [entry for entry in versions if entry.state == "landed"]
        for entry, newer in pairwise(in_force):
            if newer.version_at.date() < personal_from and not entry.is_collected:
                forgotten.append(entry.id)
    return forgotten
