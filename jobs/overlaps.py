"""Exports that hold what others hold too: the month so far, day by day; one month by two names.

Only of files that stand for themselves: a manifest says which of its files make one bill.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from jobs.fetching import RefusedDeliveryError
from jobs.restatements import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from connectors.base import Table
    from jobs.ledger import Entry, LedgerTotal, NewDelivery
    from queries.landed import LandedFile
    from queries.overlaps import SeenLines


class _Held(NamedTuple):
    """What a delivery bills, and what it lies in."""

    use: frozenset[tuple[str, str, str]]
    """Provider, account, month of the charge."""
    files: Mapping[LandedFile, int]
    """File -> its lines, if all had as many."""


@dataclass(slots=True)
class Overlaps:
    """Holds files of one source against each other; each is looked at once a night."""

    raw: Path
    source: str = ""
    seen: SeenLines | None = None
    held: dict[int, _Held] = field(default_factory=dict)
    """Delivery id -> of those that were asked for."""

    def refuse(
        self,
        new: NewDelivery,
        table: Table,
        totals: Sequence[LedgerTotal],
        others: Sequence[Entry],
        totals_of: Callable[[int], Sequence[LedgerTotal]],
    ) -> None:
        """Refuse a bill of which a file holds half the lines of another of its source, or more.

        `others` are its source's deliveries that count. Raises: RefusedDeliveryError
        """
        own = self._held(new, totals)
        old: dict[LandedFile, int] = {}
        unit_of: dict[str, str] = {}
        for entry in others:
            if entry.table == new.table and entry.unit != new.unit:
                if entry.id not in self.held:
                    self.held[entry.id] = self._held(entry, totals_of(entry.id))
                if not own.use.isdisjoint(self.held[entry.id].use):
                    old |= self.held[entry.id].files
                    unit_of |= {file.name: entry.unit for file in entry.files}
        if len(new.files) == 1 and not old:
            return
        found = self._lines_of(new.source).find_overlap(table, own.files, old)
        if found is not None:
            gone = [unit_of[name] for name in found if name in unit_of]
            raise RefusedDeliveryError(
                f"{' and '.join(found)} hold the same lines, at least half of one: "
                "both would count",
                where=f"{new.source} {new.table} {new.unit}",
                fix="keep the newer one alone, or let the exports write over each other"
                + "".join(
                    f'; if what landed as "{unit}" is to count no more: [[left_out]] with '
                    f'source = "{new.source}" and unit = "{unit}"'
                    for unit in gone
                ),
            )

    def _lines_of(self, source: str) -> SeenLines:
        from queries.overlaps import SeenLines  # noqa: PLC0415  (slow to import)

        if self.seen is None or self.source != source:
            self.source, self.seen = source, SeenLines()
        return self.seen

    def _held(self, delivery: NewDelivery, totals: Sequence[LedgerTotal]) -> _Held:
        from queries.landed import LandedFile  # noqa: PLC0415  (as above)

        lines = rows_of(totals) // max(len(delivery.files), 1)
        files = {
            LandedFile(self.raw / file.path, file.name, file.format, file.sha256): lines
            for file in delivery.files
            if (self.raw / file.path).exists()
        }
        return _Held(frozenset((*total.bill[:2], total.charge_month) for total in totals), files)
