"""Records that a connector collects one by one, as rows of Parquet files of limited size."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

    from connectors.base import Checksum, ColumnType, Format, Table

Tags = tuple[tuple[str, str], ...]
"""(key, value), sorted."""


def as_map(tags: Tags) -> list[dict[str, str]]:
    """Return tags as Parquet's list of keys and values."""
    return [{"key": key, "value": value} for key, value in tags]


def digest_of(content: object) -> bytes:
    """Return six bytes that tell whether a record changed."""
    text = json.dumps(content, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=6).digest()


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """Rows as a file of a delivery."""

    name: str
    content: bytes = field(repr=False)
    format: Format = "parquet"
    checksum: Checksum | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def open(self) -> BinaryIO:
        """Open the bytes for one reading from the start."""
        return io.BytesIO(self.content)


@dataclass(slots=True)
class ParquetParts:
    """Rows of one table, written to files of limited size as they come: memory stays small."""

    table: Table
    row_count: int = 0
    _rows: list[tuple[object, ...]] = field(default_factory=list)
    _files: list[ParquetFile] = field(default_factory=list)

    rows_per_file: ClassVar[int] = 20_000

    def add(self, row: tuple[object, ...]) -> None:
        """Add a row, its values in the order of the table's columns."""
        self._rows.append(row)
        self.row_count += 1
        if len(self._rows) == self.rows_per_file:
            self._write()

    def files(self) -> list[ParquetFile]:
        """Return the rows so far as files; none for no rows."""
        if self._rows:
            self._write()
        return list(self._files)

    def _write(self) -> None:
        import polars as pl  # noqa: PLC0415  (slow to import; most nights write nothing)

        kinds: Mapping[ColumnType, pl.DataType] = {
            "text": pl.String(),
            "integer": pl.Int64(),
            "flag": pl.Boolean(),
            "tags": pl.List(pl.Struct({"key": pl.String(), "value": pl.String()})),
        }
        schema = {column: kinds[kind] for column, kind in self.table.columns.items()}
        frame = pl.DataFrame(self._rows, schema=schema, orient="row")
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        name = f"{self.table.name}-{len(self._files):04}.parquet"
        self._files.append(ParquetFile(name, buffer.getvalue()))
        self._rows.clear()
