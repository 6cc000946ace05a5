"""CSV made Parquet for a while, because models read a bill's files more than once.

Most columns of a bill say few things many times over. So a file is unpacked and cut up once, what
its columns say is kept once, and all that follows costs what it costs of a bill in Parquet. Values
stay the texts that they are: what a text means is said in one place (`raw_values`).

What this reader does not take is left as it is, for the engine's own, which knows the place of a
fault and says so. It is more lenient in two things: what follows a quoted value before the next
comma is part of the value, and lines may end in two ways in one file.
"""

from __future__ import annotations

import codecs
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pyarrow as pa  # type: ignore[import-untyped]
from isal import igzip, isal_zlib
from pyarrow import csv, parquet

from queries import ModelError
from queries.raw import read_places
from queries.shapes import csv_header, is_big_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from queries.landed import Declared, Landed, LandedFile

_BLOCK = 1 << 20
"""Bytes cut up at a time: the processor's caches hold it."""
_SAMPLE = 4
"""Blocks that tell which columns say few things."""
_ROWS = 1 << 16
"""Lines of a row group: in each, what a column says is written once."""
_NARROWEST = 2
"""Columns: in a file of one, an empty line is a line."""
_FEW = 0.3
"""A column that says fewer different things than this share of its lines is worth a dictionary."""


class _NotForThisError(Exception):
    """A file is not what this reader takes."""


_BROKEN = (
    *(pa.ArrowException, isal_zlib.IsalError, ModelError, OSError, EOFError),
    *(UnicodeDecodeError, _NotForThisError),
)


@contextmanager
def unpacked(
    table: Declared,
    columns: Collection[str],
    landed: Sequence[Landed],
    folder: Path,
    threads: int,
) -> Iterator[list[Landed]]:
    """Yield deliveries with Parquet in the place of big CSV; at the end it is gone.

    It holds what the declared `columns` read, and no more.
    """
    texts = {
        file: folder / f"{place}.{file.sha256[:24]}.text.parquet"
        for place, file in enumerate(file for delivery in landed for file in delivery.files)
        if is_big_text(file)
    }
    try:
        with ThreadPoolExecutor(threads) as pool:
            made = pool.map(lambda file: _as_parquet(table, columns, file, texts[file]), texts)
            found = dict(zip(texts, made, strict=True))
        pa.default_memory_pool().release_unused()
        yield [
            replace(delivery, files=tuple(found.get(file, file) for file in delivery.files))
            for delivery in landed
        ]
    finally:
        for path in texts.values():
            path.unlink(missing_ok=True)


def _as_parquet(
    table: Declared, columns: Collection[str], file: LandedFile, target: Path
) -> LandedFile:
    """Return a file as Parquet, or as it is where it is not for this reader."""
    try:
        headers = csv_header(file)
        places = read_places(table, headers, columns)
        try:
            with closing(_Text(file, is_utf8=True)) as text:
                few = _write(text, target, len(headers), places, table.null_marks)
        except UnicodeDecodeError:  # perhaps in none of the columns that are kept
            with closing(_Text(file, is_utf8=False)) as text:
                few = _write(text, target, len(headers), places, table.null_marks)
    except _BROKEN:  # type: ignore[misc]  # isal's stubs are wrong
        return file
    kept = tuple((_column(place), headers[place]) for place in places)
    return replace(file, path=target, format="parquet", kept=kept, few=few)


def _column(place: int) -> str:
    return f"c{place}"


def _write(
    text: _Text, target: Path, width: int, places: Sequence[int], null_marks: Sequence[str]
) -> frozenset[str]:
    """Write some columns of a file as Parquet; return those that say few things many times over.

    Raises: what the file may be broken by, and _NotForThisError.
    """
    if width < _NARROWEST:
        raise _NotForThisError
    target.parent.mkdir(parents=True, exist_ok=True)
    columns = [_column(place) for place in places]
    batches = _batches(text, width, columns, null_marks)
    first = list(islice(batches, _SAMPLE))
    if not first:
        raise _NotForThisError
    said = _Said(pa.Table.from_batches(first), columns)
    last = _write_groups(target, chain(first, batches), said)
    if not text.ends_a_line or (last[-1].as_py() or "").endswith("\n"):
        raise _NotForThisError  # a quote that nothing ends reaches to the end
    return frozenset(said.few)


def _batches(
    text: _Text, width: int, columns: Sequence[str], null_marks: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Yield a file's lines block by block: some columns, and the last."""
    names = [_column(place) for place in range(width)]
    reading = csv.ReadOptions(
        use_threads=False, block_size=_BLOCK, column_names=names, skip_rows_after_names=1
    )
    converting = csv.ConvertOptions(
        include_columns=[*(column for column in columns if column != names[-1]), names[-1]],
        column_types=dict.fromkeys((*columns, names[-1]), pa.string()),
        null_values=list(null_marks),
        strings_can_be_null=True,
        check_utf8=not text.is_utf8,  # a text that is, as a whole, is so in each value
    )
    parsing = csv.ParseOptions(newlines_in_values=True)
    yield from csv.open_csv(text, reading, parsing, converting)


class _Said:
    """What the columns of a file say, as its first lines have it."""

    def __init__(self, first: pa.Table, columns: Sequence[str]) -> None:
        """Look at the first lines."""
        self.columns = columns
        different = {column: first[column].unique().drop_null() for column in columns}
        few = _FEW * len(first)
        self.few = [column for column in columns if len(different[column]) < few]
        """Those that say few things many times over."""
        self.once = {
            column: _Constant(different[column])
            for column in columns
            if len(different[column]) + (first[column].null_count > 0) == 1
        }
        """Those that may say the same in all lines."""

    def schema(self) -> pa.Schema:
        """Return the columns as they are written."""
        once = pa.dictionary(pa.int32(), pa.string())
        return pa.schema(
            [(column, once if column in self.once else pa.string()) for column in self.columns]
        )

    def group(self, batches: Sequence[pa.RecordBatch]) -> pa.Table:
        """Return batches as the row group that is written."""
        table = pa.Table.from_batches(batches)
        arrays = [
            self.once[column].packed(table[column]) if column in self.once else table[column]
            for column in self.columns
        ]
        return pa.Table.from_arrays(arrays, schema=self.schema())


class _Constant:
    """A value that a column may have in all lines: to compare with it is cheaper than to hash."""

    def __init__(self, different: pa.Array) -> None:
        """Take the one value, none for null."""
        self._dictionary = different
        self._value = different[0] if len(different) else pa.scalar(None, pa.string())
        self._place = pa.scalar(0 if self._value.is_valid else None, pa.int32())
        self._texts = pa.array([], pa.string())

    def packed(self, texts: pa.ChunkedArray) -> pa.DictionaryArray | pa.ChunkedArray:
        """Return texts as a dictionary and places in it."""
        if not all(map(self._is_said, texts.chunks)):
            return texts.dictionary_encode()
        places = pa.repeat(self._place, len(texts))
        return pa.DictionaryArray.from_arrays(places, self._dictionary)

    def _is_said(self, texts: pa.Array) -> bool:
        if len(texts) > len(self._texts):
            self._texts = pa.repeat(self._value, 2 * len(texts))
        return bool(texts.equals(self._texts.slice(0, len(texts))))


def _write_groups(target: Path, batches: Iterator[pa.RecordBatch], said: _Said) -> pa.Array:
    """Write batches as row groups; return the last column of the last batch.

    Dictionaries are made here, once per row group: made per batch, they would take twice as long.
    """
    held: list[pa.RecordBatch] = []
    rows = 0
    with parquet.ParquetWriter(
        target,
        said.schema(),
        compression="none",  # packing it would cost more than it saves of what is read once
        use_dictionary=said.few,
        write_statistics=list(said.once),
        write_batch_size=_ROWS,
        store_schema=False,
    ) as out:
        for batch in batches:
            if rows >= _ROWS:
                out.write_table(said.group(held))
                held, rows = [], 0
            held.append(batch)
            rows += len(batch)
        out.write_table(said.group(held))
    return batch.columns[-1]


class _Text(io.RawIOBase):
    """A file's text, unpacked as it is read."""

    def __init__(self, file: LandedFile, *, is_utf8: bool) -> None:
        """Open a file, which is to prove that it `is_utf8`."""
        is_packed = file.format.endswith(".gz")
        opener: Any = igzip.open if is_packed else open
        self._inner = cast("BinaryIO", opener(file.path, "rb"))
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_in_letter = False
        self.is_utf8 = is_utf8
        """Whether reading stops at what is not UTF-8."""
        self.ends_a_line = False
        """Whether what was read so far ends with a line."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1) -> Any:
        """Return the next bytes; none at the end.

        Raises: UnicodeDecodeError
        """
        block = self._inner.read(size)
        if self.is_utf8 and (self._is_in_letter or not block.isascii()):
            self._decoder.decode(block, final=not block)
            self._is_in_letter = bool(self._decoder.getstate()[0])
        if block:
            self.ends_a_line = block.endswith(b"\n")
        return block

    def close(self) -> None:
        """Close the file."""
        self._inner.close()
        super().close()
