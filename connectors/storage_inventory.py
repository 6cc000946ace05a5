"""How many bytes lie where: CSV files, one line per day, container, prefix and storage class.

    day, container, prefix, storage_class, size_bytes, object_count, is_current

`container` is the bucket or volume as the bill names it, `prefix` the key prefix (empty for all of
it), `is_current` false for non-current versions and incomplete uploads (empty: true). All but day,
container and size_bytes may be absent. Every `*.csv` in the folder is read; a file is replaced as a
whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError, Table
from connectors.contract_csv import Mistakes, read_rows
from connectors.local import LocalFile, digest_of, written_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known

_REQUIRED = ("day", "container", "size_bytes")
_OPTIONAL = ("prefix", "storage_class", "object_count", "is_current")


@dataclass(frozen=True, slots=True)
class StorageInventory:
    """Bytes by container and prefix."""

    root: str
    """The folder of the CSV files."""

    name: ClassVar[str] = "storage_inventory"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "stored_bytes",
            {
                "day": "time",
                "container": "text",
                "prefix": "text",
                "storage_class": "text",
                "size_bytes": "integer",
                "object_count": "integer",
                "is_current": "flag",
            },
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each file that has changed.

        Raises: SourceError that lists every mistake of the file.
        """
        folder = Path(self.root)
        if not folder.is_dir():
            raise SourceError(
                "there is no such folder", where=self.root, fix="mend `root`, or make the folder"
            )
        for path in sorted(folder.glob("*.csv")):
            version = digest_of(path)
            if known.has("stored_bytes", path.stem, version):
                continue
            _check(path)
            yield Delivery("stored_bytes", path.stem, version, written_at(path), [LocalFile(path)])


def _check(path: Path) -> None:
    mistakes = Mistakes(path)
    rows = read_rows(path, required=_REQUIRED, optional=_OPTIONAL, mistakes=mistakes)
    for line, row in rows:
        _check_row(line, row, mistakes)
    mistakes.refuse("sizes and counts are whole numbers, days are written 2026-10-03")


def _check_row(line: int, row: Mapping[str, str], mistakes: Mistakes) -> None:
    try:
        date.fromisoformat(row["day"])
    except ValueError:
        mistakes.add(line, f"day {row['day']!r} is not a date like 2026-10-03")
    for column in ("size_bytes", "object_count"):
        text = row.get(column, "")
        if text and not text.isdecimal():
            mistakes.add(line, f"{column} {text!r} is not a whole number of 0 or more")
    if row.get("is_current", "").lower() not in ("", "true", "false"):
        mistakes.add(line, f"is_current {row['is_current']!r} is neither true nor false")
