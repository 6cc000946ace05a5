"""What a source has landed already: what its connector asks before it fetches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jobs.ledger import Entry


@dataclass(frozen=True, slots=True)
class KnownDeliveries:
    """What one source has landed: what its connector asks before it fetches.

    A version counts as known while it is its unit's newest, or the last that came. One that others
    have followed since is wanted again: a folder may be put back to what it was.
    """

    versions: Mapping[tuple[str, str, str], Entry]
    """Table, unit, version -> the delivery."""
    cursors: Mapping[str, str]
    raw: Path

    def has(self, table: str, unit: str, version: str) -> bool:
        """Tell whether this version of this unit lies in the raw store, and needs no fetching."""
        entry = self.versions.get((table, unit, version))
        if entry is None:
            return False
        return entry.is_collected or all((self.raw / file.path).exists() for file in entry.files)

    def cursor(self, table: str) -> str | None:
        """Return the cursor of the newest delivery of `table`, none on the first night."""
        return self.cursors.get(table)


def known_deliveries(source: str, entries: Sequence[Entry], raw: Path) -> KnownDeliveries:
    """Gather what `source` has landed in the raw folder."""
    own = sorted((entry for entry in entries if entry.source == source), key=lambda row: row.order)
    newest = {entry.unit_key: entry for entry in own}
    last = {entry.unit_key: entry for entry in sorted(own, key=lambda entry: entry.id)}
    current = [*last.values(), *newest.values()]
    return KnownDeliveries(
        versions={(entry.table, entry.unit, entry.version): entry for entry in current},
        cursors={entry.table: entry.cursor for entry in own if entry.cursor is not None},
        raw=raw,
    )
