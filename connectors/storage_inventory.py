"""How many bytes lie where: CSV or Parquet, one row per day, container, prefix and storage class.

    day, container, prefix, storage_class, size_bytes, object_count, is_current

`container` is the bucket or volume as the bill names it, `prefix` the key prefix (empty for all of
it), `is_current` false for non-current versions and incomplete uploads (empty: true). All but day,
container and size_bytes may be absent. A row counts what no row of a longer prefix counts. Every
`*.csv` and `*.parquet` in the folder is read; a file is replaced as a whole, and of two files that
tell of a day of a container the one written last counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError, Table
from connectors.contract_csv import (
    Mistakes,
    check_header,
    check_texts,
    day_of,
    read_rows,
    twice_in,
)
from connectors.damaged import read_parquet
from connectors.local import LocalFile, digest_of, written_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known

_REQUIRED = ("day", "container", "size_bytes")
_OPTIONAL = ("prefix", "storage_class", "object_count", "is_current")
_KEY = {
    "day": "",
    "container": "",
    "prefix": "",
    "storage_class": "STANDARD",
    "is_current": "true",
}
"""What tells bytes apart, and what an empty field stands for."""
_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class StorageInventory:
    """Bytes by container and prefix."""

    root: str
    """The folder of the files."""

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
        paths = [path for path in sorted(folder.glob("*")) if path.suffix in (".csv", ".parquet")]
        if not paths:
            raise SourceError(
                "there is no CSV or Parquet file",
                where=self.root,
                fix="mend `root`, or put an inventory there",
            )
        for stem in twice_in([path.stem for path in paths]):
            raise SourceError(
                f"{stem} is there as CSV and as Parquet", where=self.root, fix="keep one of them"
            )
        for path in paths:
            version = digest_of(path)
            if not known.has("stored_bytes", path.stem, version):
                files = [LocalFile(path, "csv" if path.suffix == ".csv" else "parquet")]
                _check(path)
                yield Delivery("stored_bytes", path.stem, version, written_at(path), files)


def _check(path: Path) -> None:
    if path.suffix == ".csv":
        mistakes = Mistakes(path)
        rows = read_rows(path, required=_REQUIRED, optional=_OPTIONAL, mistakes=mistakes)
    else:
        mistakes = Mistakes(path, "row")
        rows = _parquet_rows(path, mistakes)
    seen: dict[tuple[str, ...], int] = {}
    for line, row in rows:
        _check_row(line, row, mistakes)
        key = tuple((row.get(column) or default).lower() for column, default in _KEY.items())
        if key in seen:
            mistakes.add(line, f"tells of the same bytes as {mistakes.unit} {seen[key]}")
        seen[key] = line
    mistakes.refuse("sizes and counts are whole numbers, days are written 2026-10-03")


def _parquet_rows(path: Path, mistakes: Mistakes) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield (number, row) of a Parquet file, its values as CSV would write them."""
    frame = read_parquet(path, path.name, where=str(path), fix="write it again, whole")
    check_header(path, frame.columns, _REQUIRED, _OPTIONAL)
    for number, values in enumerate(frame.iter_rows(), start=1):
        row = {column: _text(value) for column, value in zip(frame.columns, values, strict=True)}
        check_texts(row, _REQUIRED, number, mistakes)
        yield number, row


def _text(value: object) -> str:
    if isinstance(value, datetime) and value == datetime(value.year, value.month, value.day):  # noqa: DTZ001 - UTC, as all times in raw files
        value = value.date()
    if isinstance(value, date):
        return value.isoformat()
    return "" if value is None else str(value)


def _check_row(line: int, row: Mapping[str, str], mistakes: Mistakes) -> None:
    if row["day"].strip() and day_of(row["day"]) is None:
        mistakes.add(line, f"day {row['day']!r} is not a date like 2026-10-03")
    for column in ("size_bytes", "object_count"):
        text = row.get(column, "")
        if text and not (text.isascii() and text.isdecimal() and int(text) <= _MOST):
            mistakes.add(line, f"{column} {text!r} is not a whole number of 0 or more")
    if row.get("is_current", "").lower() not in ("", "true", "false"):
        mistakes.add(line, f"is_current {row['is_current']!r} is neither true nor false")
