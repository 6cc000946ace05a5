"""Bills as frames of some ten thousand lines, so that a file of any size fits into memory.

Gzipped text is cut at line ends outside of quotes while it is unpacked, because polars would unpack
the whole file first.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO

import polars as pl
from isal import igzip, isal_zlib

from queries import ModelError
from queries.csv_faults import LONGEST_CELL, find_csv_fault, quoted_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_BYTES = 16 << 20
_ROWS = 1 << 18
_LINES = 1 << 16
_JSON = (".json", ".json.gz")
_QUOTED = re.compile(rb'"[^"]*"')
_OTHER_MARKS = (";", "\t", "|")
_DOUBLE_DIGITS = 15
"""So many a double always keeps."""


class _LineError(ValueError):
    """Lines end, or are cut into fields, in a way that readers do not agree on."""


_OF_LINES = (pl.exceptions.PolarsError, UnicodeDecodeError, _LineError)
"""What a file is refused with whose lines are at fault."""


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
    kept: Sequence[str] = ()
    """Of the wanted, those without which a bill that had them adds up to something else."""

    def find(self, headers: Sequence[str]) -> dict[str, str]:
        """Return wanted column -> header, the first where there are several.

        Raises: ValueError where none of the needed is there.
        """
        found: dict[str, str] = {}
        for header in headers:
            found.setdefault(self.name_of(header), header)
        if headers and not any(column in found for column in self.needed):
            one = headers[0] if len(headers) == 1 else ""
            mark = next((mark for mark in _OTHER_MARKS if mark in one), "")
            why = (
                f"fields stand apart by {mark!r}, not by commas"
                if mark
                else "it is not such a bill"
            )
            raise ValueError(f"it has no column {' or '.join(self.needed)}: {why}")
        return {column: found[column] for column in self.wanted if column in found}


def kept_columns(path: Path, layout: Layout) -> set[str]:
    """Return those of `layout.kept` that a file has; of JSON, whose lines have each their own, all.

    Raises: OSError, ValueError and what readers raise, for a file that cannot be read.
    """
    if path.name.endswith(_JSON):
        return set(layout.kept)
    if path.name.endswith(".parquet"):
        headers = [name for name, _ in _fields(pl.scan_parquet(path).collect_schema())]
    else:
        with _opened(path) as stream:
            headers = _split_header(stream.read(_BYTES).removeprefix(b"\xef\xbb\xbf"))[0]
    return {layout.name_of(header) for header in headers} & set(layout.kept)


def batches(path: Path, layout: Layout) -> Iterator[pl.DataFrame]:
    """Yield a file's lines with the wanted columns alone, null where the file has no such column.

    Parquet keeps its types, CSV and JSON are text without blank lines, lists in JSON too.
    Raises: ModelError for a file that cannot be read.
    """
    try:
        if path.name.endswith(".parquet"):
            yield from _parquet(path, layout)
        elif path.name.endswith(_JSON):
            yield from _json(path, layout)
        else:
            yield from _csv(path, layout)
    except (
        *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
        *(OSError, EOFError, ValueError),
        *(zlib.error, isal_zlib.IsalError),
    ) as error:  # type: ignore[misc]  # isal's stubs are wrong
        is_of_lines = isinstance(error, _OF_LINES) and ".csv" in path.suffixes
        fault = find_csv_fault(path) if is_of_lines else None
        raise ModelError(
            f"a file cannot be read: {fault.why if fault else _why(error)}",
            where=str(path),
            fix=f"{fault.fix if fault else 'have the source write it again'}; "
            "the last good delivery stays in force",
        ) from error


def _why(error: BaseException) -> str:
    """Return a reader's words; of one that gave up on damaged Parquet they tell a user nothing."""
    is_lost = isinstance(error, pl.exceptions.PanicException)
    return "it is damaged" if is_lost else str(error).splitlines()[0]


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
    with _opened(path) as stream:
        blocks = _whole_lines(stream)
        first = next(blocks, b"").removeprefix(b"\xef\xbb\xbf")
        _refuse_lone_returns(first)
        header, rest = _split_header(first)
        found = layout.find(header)
        places = {column: header.index(found[column]) for column in found}
        for block in chain((rest,), blocks):
            _refuse_lone_returns(block)
            if block and not block.isspace():
                _refuse_other_widths(block, len(header))
                yield _block(block, len(header), places, layout)


def _refuse_lone_returns(block: bytes) -> None:
    """See that carriage returns stand before line feeds, or in quotes: readers differ on others.

    Raises: _LineError
    """
    if block.count(b"\r") == block.count(b"\r\n"):
        return
    unquoted = _QUOTED.sub(b"", block)
    if unquoted.count(b"\r") != unquoted.count(b"\r\n"):
        raise _LineError("a line ends with a lone carriage return")


def _refuse_other_widths(block: bytes, width: int) -> None:
    """See that all lines have as many fields as the header.

    A comma in a number moves what follows it to the next column, and where the last one is empty,
    readers drop it without a word.

    Raises: _LineError
    """
    unquoted = b"".join(quoted_apart(block)[::2])
    lines = unquoted.count(b"\n") + (not block.endswith(b"\n"))
    if unquoted.count(b",") == lines * (width - 1):
        return
    csv.field_size_limit(LONGEST_CELL)
    text = io.TextIOWrapper(io.BytesIO(block), encoding="utf-8", newline="")
    if any(row and len(row) != width for row in csv.reader(text)):
        raise _LineError(f"a line has not the {width} fields of its header")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file as the bytes that were packed: that they are is what gzip's checksum is for.

    Three times as fast as zlib, which is asked what is wrong where something is.
    """
    if not path.name.endswith(".gz"):
        with path.open("rb") as stream:
            yield stream
        return
    opener: Any = igzip.open
    try:
        with opener(path, "rb") as stream:
            yield stream
    except (isal_zlib.IsalError, gzip.BadGzipFile, EOFError):  # type: ignore[misc]  # as above
        with gzip.open(path, "rb") as stream:
            while stream.read(_BYTES):
                pass
        raise


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
    marks = ("", *layout.null_marks)
    frame = pl.read_csv(
        io.BytesIO(block),
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        columns=sorted(places.values()),
    )
    found = [
        _nulled(frame[names[places[column]]], marks).alias(column)
        if column in places
        else pl.lit(None, pl.String).alias(column)
        for column in layout.wanted
    ]
    return frame.select(found).filter(~pl.all_horizontal(pl.all().is_null()))


def _nulled(texts: pl.Series, marks: Sequence[str]) -> pl.Series:
    """Return texts without those that mean null; most columns have none, which is soon seen."""
    for mark in marks:
        if (texts == mark).any():
            texts = texts.replace({mark: None})
    return texts


def _json(path: Path, layout: Layout) -> Iterator[pl.DataFrame]:
    """Yield JSON lines; some tens of thousands without a needed column are no such bill."""
    opener = gzip.open if path.name.endswith(".gz") else open
    schema = dict.fromkeys(layout.wanted, pl.String)
    is_empty = True
    with opener(path, "rt", encoding="utf-8") as text:
        lines = (line for line in text if line.strip())
        keys = [f'"{column.rpartition(".")[2]}"' for column in layout.wanted]
        tops = frozenset(column.partition(".")[0] for column in layout.wanted)

        def is_wanted(field: str) -> bool:
            return layout.name_of(field) in tops

        while block := [_flat(line, keys, is_wanted) for line in islice(lines, _LINES)]:
            headers = list(dict.fromkeys(header for line in block for header in line))
            found = layout.find(headers or [""])
            is_empty = False
            rows = [{column: line.get(found[column]) for column in found} for line in block]
            yield pl.DataFrame(rows, schema=schema)
    if is_empty:
        raise ValueError("it has no lines: it is not such a bill")


def _flat(
    line: str, keys: Sequence[str], is_wanted: Callable[[str], bool]
) -> dict[str, str | None]:
    """Return the values of a line's wanted fields as text, fields within them as `outer.inner`.

    A field that is there twice is looked for where one of `keys` may be: the slow half of the work.

    Raises: ValueError for a line that is no object, names a field twice, or writes a number that
        readers of JSON would round.
    """
    is_suspect = '"amount"' in line or any(line.count(key) > 1 for key in keys)
    hook = _object if is_suspect else None
    content = json.loads(
        line, parse_float=_number, parse_int=str, parse_constant=str, object_pairs_hook=hook
    )
    if not isinstance(content, dict):
        raise ValueError(f"a line is not an object: {line[:80]!r}")  # noqa: TRY004 - bad data
    return dict(_fields_of({field: content[field] for field in content if is_wanted(field)}, ""))


def _fields_of(content: dict[str, Any], before: str) -> Iterator[tuple[str, str | None]]:
    for field, value in content.items():
        if isinstance(value, dict):
            yield from _fields_of(value, f"{before}{field}.")
        elif isinstance(value, (list, bool)):
            yield f"{before}{field}", json.dumps(value)
        else:
            yield f"{before}{field}", value


def _number(text: str) -> str:
    is_long = len(text) > _DOUBLE_DIGITS or "e" in text.lower()
    if is_long and Decimal(text) != Decimal(repr(float(text))):
        raise ValueError(f"{text} has more digits than readers of JSON keep; write it as a text")
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError(f"a line names a field twice, of {', '.join(fields)[:80]}")
    return fields


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield blocks that end with a record; a line end within quotes is none."""
    buffer, held = bytearray(_BYTES), 0
    while read := stream.readinto(memoryview(buffer)[held:]):  # type: ignore[attr-defined]
        held += read
        end = _end_of_records(buffer, held)
        if end > 0:
            with memoryview(buffer) as view:
                yield bytes(view[:end])
            buffer[: held - end] = buffer[end:held]
            held -= end
        if held == len(buffer):
            buffer += bytes(_BYTES)
    if held:
        yield bytes(buffer[:held])


def _end_of_records(buffer: bytearray, held: int) -> int:
    """Return where the last record ends that is in a buffer as a whole; 0 for none."""
    end = buffer.rfind(b"\n", 0, held) + 1
    quotes = buffer.count(b'"', 0, end)
    while quotes % 2:
        earlier = buffer.rfind(b"\n", 0, end - 1) + 1
        quotes -= buffer.count(b'"', earlier, end)
        end = earlier
    return end
