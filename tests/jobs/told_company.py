"""The demo company after its night, with its truth."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from queries.engines.duckdb import Connection


@dataclass(frozen=True)
class Company:
    """The demo company after its night."""

    folder: Path
    con: Connection

    def truth(self, name: str) -> list[dict[str, str]]:
        """Return a file of the truth."""
        with (self.folder / "truth" / f"{name}.csv").open(encoding="utf-8") as lines:
            return list(csv.DictReader(lines))

    def rows(self, query: str) -> Sequence[tuple[object, ...]]:
        """Return what the published database answers."""
        return self.con.execute(query).fetchall()
