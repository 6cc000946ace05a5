"""Bills as frames of some ten thousand lines, so that a file of any size fits into memory.

Gzipped text is cut at line ends outside of quotes while it is unpacked, because polars would unpack
the whole file first.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

import polars as pl

from queries import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_BYTES = 32 << 20
_ROWS = 1 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """What is read of the files of one kind of bill."""

    name_of: Callable[[str], str]
    """A header as delivered -> its name among the wanted."""
    wanted: Sequence[str]
    needed: Sequence[str]
    """Of the wanted, those of which a bill has at least one."""
    null_marks: Sequence[str] = ()
    """Texts that mean null, besides the empty one."""

    def find(self, headers: Sequence[str]) -> dict[str, str]:
        """Return wanted column -> header, the first where there are several.

        Raises: ValueError where none of the needed is there.
        """
        found: dict[str, str] = {}
        for header in headers:
            found.setdefault(self.name_of(header), header)
        if headers and not any(column in found for column in self.needed):
            raise ValueError(f"it has no column {' or '.join(self.needed)}: it is not such a bill")
        return {column: found[column] for column in self.wanted if column in found}


def batches(path: Path, layout: Layout) -> Iterator[pl.DataFrame]:
    """Yield a file's lines with the wanted columns alone, null where the file has no such column.

    Parquet keeps its types, CSV is text without its blank lines.
    Raises: ModelError for a file that cannot be read.
    """
    try:
        if path.name.endswith(".parquet"):
            yield from _parquet(path, layout)
        else:
            yield from _csv(path, layout)
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error, ValueError) as error:
        raise ModelError(
            f"a file cannot be read: {str(error).splitlines()[0]}",
            where=str(path),
            fix="have the source write it again; the last good delivery stays in force",
        ) from error


def _parquet(path: Path, layout: Layout) -> Iterator[pl.DataFrame]:
    scan = pl.scan_parquet(path, hive_partitioning=False)
    places = dict(_fields(scan.collect_schema()))
    found = layout.find(list(places))
    columns = [
        places[found[column]].alias(column) if column in found else pl.lit(None).alias(column)
        for column in layout.wanted
    ]
    yield from scan.select(columns).collect_batches(chunk_size=_ROWS, maintain_order=False)


def _fields(schema: Mapping[str, pl.DataType]) -> Iterator[tuple[str, pl.Expr]]:
    """Yield each column by name; of a struct its fields, as `struct.field`."""
    for header, kind in schema.items():
        if not isinstance(kind, pl.Struct):
            yield header, pl.col(header)
            continue
        for field in kind.fields:
            yield f"{header}.{field.name}", pl.col(header).struct.field(field.name)


def _csv(path: Path, layout: Layout) -> Iterator[pl.DataFrame]:
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "rb") as stream:
        blocks = _whole_lines(cast("BinaryIO", stream))
        first = next(blocks, b"").removeprefix(b"\xef\xbb\xbf")
        header, rest = _split_header(first)
        found = layout.find(header)
        places = {column: header.index(found[column]) for column in found}
        for block in chain((rest,), blocks):
            if block.strip():
                yield _block(block, len(header), places, layout)


def _split_header(block: bytes) -> tuple[list[str], bytes]:
    """Return the fields of the first record, and what follows it."""
    text = io.TextIOWrapper(io.BytesIO(block), encoding="utf-8", newline="")
    reader = csv.reader(text)
    header = next(reader, [])
    end = 0
    for _ in range(reader.line_num):
        end = block.find(b"\n", end) + 1
    return header, block[end:] if end else b""


def _block(block: bytes, width: int, places: Mapping[str, int], layout: Layout) -> pl.DataFrame:
    names = [f"column_{place + 1}" for place in range(width)]
    nulls = dict.fromkeys(("", *layout.null_marks))
    frame = pl.read_csv(
        io.BytesIO(block),
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        columns=sorted(places.values()),
    )
    return frame.select(
        pl.col(names[places[column]]).replace(nulls).alias(column)
        if column in places
        else pl.lit(None, pl.String).alias(column)
        for column in layout.wanted
    ).filter(~pl.all_horizontal(pl.all().is_null()))


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield blocks that end with a record; a line end within quotes is none."""
    carried = b""
    while block := stream.read(_BYTES):
        block = carried + block
        end = len(block)
        while end > 0:
            end = block.rfind(b"\n", 0, end) + 1
            if block.count(b'"', 0, end) % 2 == 0:
                break
            end -= 1
        if end > 0:
            yield block[:end]
        carried = block[end:]
    if carried:
        yield carried
