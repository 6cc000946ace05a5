"""A generation's manifest: what a published database is made of.

Nothing else remembers what has been built; the next night compares with it, and files that no kept
manifest names are collected.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from queries import ModelError
from queries.lake import StoredTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FORMAT = 3
"""Of the manifest and of the lake files it names. One that is not `KNOWN` is never read: the next
night builds from the raw files anew. Raise it where an older program would misread a newer file."""
KNOWN = (1, 2, FORMAT)
"""1: every file holds its rows as they are. 2: every file holds its maps as they are."""


@dataclass(slots=True)
class StagedGroup:
    """The rows of one staging model from one bill's period, or from one source's days."""

    model: str
    """Digest of the SQL and the reader that made them."""
    units: dict[str, str] = field(default_factory=dict)
    """Unit -> digest of the raw files that were read."""
    hashes: dict[str, str] = field(default_factory=dict)
    """Day -> digest of its rows, where a comparison has needed it."""
    raw_days: dict[str, str] = field(default_factory=dict)
    """Day -> digest of the raw lines that its rows were made of, where one has needed that."""
    table: StoredTable = field(default_factory=StoredTable)

    def as_json(self) -> dict[str, object]:
        """Return the group as the manifest keeps it."""
        return {
            "model": self.model,
            "units": self.units,
            "hashes": self.hashes,
            "raw_days": self.raw_days,
            "files": self.table.as_json(),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> StagedGroup:
        """Read what `as_json` wrote."""
        return cls(
            row["model"],
            dict(row["units"]),
            dict(row["hashes"]),
            dict(row.get("raw_days", {})),
            StoredTable.from_json(row["files"]),
        )


@dataclass(slots=True)
class Manifest:
    """What one generation is made of."""

    number: int = 0
    built_at: str = ""
    night: str = ""
    """Digest of all that went in: deliveries, SQL, settings. Equal means: nothing changed."""
    staged: dict[str, dict[str, StagedGroup]] = field(default_factory=dict)
    """Staging model -> group -> its rows."""
    days: dict[str, str] = field(default_factory=dict)
    """Day -> digest of all that its attribution read."""
    stored: dict[str, StoredTable] = field(default_factory=dict)
    """Attribution model -> its rows by day."""
    raw: list[str] = field(default_factory=list)
    """Digests of the raw files that the generation rests on."""
    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    """Published table -> rows and digest, as the verification must find them."""

    planned: str = ""
    """Digest of the code that gave the tables their columns."""
    columns: dict[str, str] = field(default_factory=dict)
    """Table of a build that had no rows -> its columns, as `create table` wants them."""
    people: str = "names"
    """How people are shown in it."""
    views: dict[str, str] = field(default_factory=dict)
    """Audience with a file of its own -> digest of what it may see."""

    def files(self) -> set[str]:
        """Return the lake files the generation needs."""
        tables = [group.table for groups in self.staged.values() for group in groups.values()]
        return {file.path for table in [*tables, *self.stored.values()] for file in table.files}

    def to_json(self) -> str:
        """Return the manifest as it is stored."""
        return json.dumps(
            {
                "format": FORMAT,
                "number": self.number,
                "built_at": self.built_at,
                "night": self.night,
                "staged": {
                    model: {key: group.as_json() for key, group in sorted(groups.items())}
                    for model, groups in sorted(self.staged.items())
                },
                "days": self.days,
                "stored": {name: table.as_json() for name, table in sorted(self.stored.items())},
                "raw": sorted(self.raw),
                "tables": self.tables,
                "planned": self.planned,
                "columns": self.columns,
                "people": self.people,
                "views": self.views,
            },
            indent=1,
            sort_keys=True,
        )

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a stored manifest.

        Raises: ModelError for one of another format.
        """
        row = json.loads(path.read_text(encoding="utf-8"))
        if row.get("format", 1) not in KNOWN:
            raise FormatError(path, row["format"])
        return cls(
            number=row["number"],
            built_at=row["built_at"],
            night=row["night"],
            staged={
                model: {key: StagedGroup.from_json(group) for key, group in groups.items()}
                for model, groups in row["staged"].items()
            },
            days=row["days"],
            stored={name: StoredTable.from_json(rows) for name, rows in row["stored"].items()},
            raw=row["raw"],
            tables=row["tables"],
            planned=row.get("planned", ""),
            columns=row.get("columns", {}),
            people=row.get("people", "names"),
            views=row.get("views", {}),
        )


class FormatError(ModelError):
    """A generation that another version of mlspend published."""

    def __init__(self, path: Path, found: object) -> None:
        """Name the file and its format."""
        super().__init__(
            f"the manifest is of format {found}, this mlspend knows {FORMAT}",
            where=str(path),
            fix="run `mlspend nightly`: it builds a generation from the raw files anew",
        )


def digest(*parts: str | Iterable[str]) -> str:
    """Return one digest of texts, in which order and borders count."""
    total = hashlib.sha256()
    for part in parts:
        for text in (part,) if isinstance(part, str) else part:
            total.update(len(text).to_bytes(8, "big") + text.encode())
    return total.hexdigest()
