"""What is wrong with a CSV file, and on which line: asked when a reader has refused it.

Readers say it in words of their own, some without a line. A file is read here once more, slowly, by
what all of them keep to: UTF-8, commas, double quotes, as many fields in each line as in the
header, and lines that end with a line feed, with or without a carriage return before it.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

LONGEST_CELL = 1 << 28
_BLOCK = 1 << 20
_NO_MARKS = bytes(sign for sign in range(256) if sign not in b'",\n')
_ENDS = "end every line with a line feed, or with a carriage return and a line feed"


class CsvFault(NamedTuple):
    """What is wrong, and how to write the file instead."""

    why: str
    fix: str


def find_csv_fault(path: Path) -> CsvFault | None:
    """Return a file's first fault; none where there is none, or its bytes cannot be unpacked."""
    try:
        with _opened(path) as stream:
            return _find(stream)
    except (EOFError, OSError, zlib.error):
        return None


def find_unseen_fault(path: Path) -> CsvFault | None:
    """Return a file's first fault where its counts tell that DuckDB's reader may not see it.

    That takes a lone carriage return for the end of a line, and drops what a line has beyond its
    header where it is empty. Bills with either are refused, and so neither may pass unseen.
    """
    try:
        with _opened(path) as stream:
            ends = _count_ends(stream)
            stream.seek(0)
            is_even = _is_even(stream)
    except (csv.Error, UnicodeDecodeError):
        return find_csv_fault(path)
    except (EOFError, OSError, zlib.error):
        return None
    return None if ends.returns == ends.of_feeds and is_even else find_csv_fault(path)


def is_sound_in_two_ways(path: Path) -> bool:
    """Tell whether a file has no fault, and lines with and without a carriage return at the end.

    DuckDB's reader takes such lines only where it is not strict, and then takes faults as well.
    """
    try:
        with _opened(path) as stream:
            ends = _count_ends(stream)
    except (EOFError, OSError, zlib.error):
        return False
    return 0 < ends.of_feeds < ends.feeds and find_csv_fault(path) is None


def _opened(path: Path) -> BinaryIO:
    opener = gzip.open if path.name.endswith(".gz") else open
    return cast("BinaryIO", opener(path, "rb"))


class _Ends(NamedTuple):
    """What may end a line, within quotes too."""

    feeds: int
    returns: int
    of_feeds: int
    """Of the returns, those that a line feed follows."""


def _count_ends(stream: BinaryIO) -> _Ends:
    feeds = returns = of_feeds = 0
    last = b""
    while block := stream.read(_BLOCK):
        feeds += block.count(b"\n")
        returns += block.count(b"\r")
        of_feeds += block.count(b"\r\n") + (last == b"\r" and block.startswith(b"\n"))
        last = block[-1:]
    return _Ends(feeds, returns, of_feeds)


def _is_even(stream: BinaryIO) -> bool:
    """Tell whether there are as many commas as lines of the header's width have, quotes apart."""
    csv.field_size_limit(LONGEST_CELL)
    width = len(next(csv.reader(_Lines(stream)), []))
    stream.seek(0)
    commas = lines = is_quoted = 0
    last = b"\n"
    while block := stream.read(_BLOCK):
        parts = quoted_apart(block)
        unquoted = b"".join(parts[is_quoted::2])
        is_quoted ^= (len(parts) - 1) % 2
        commas, lines = commas + unquoted.count(b","), lines + unquoted.count(b"\n")
        last = block[-1:]
    return commas == (lines + (last != b"\n")) * (width - 1)


def quoted_apart(block: bytes) -> list[bytes]:
    """Return the commas and line feeds of a text, by turns those before, in and after quotes."""
    return block.translate(None, _NO_MARKS).replace(b'""', b"").split(b'"')


def _find(stream: BinaryIO) -> CsvFault | None:
    lines = _Lines(stream)
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(lines, strict=True)
    width = before = stray = 0
    try:
        for row in reader:
            if lines.ends_oddly:
                return _odd_end(lines)
            is_stray = lines.number == before + 1 and '""' not in lines.last
            if not stray and is_stray and any('"' in cell for cell in row):
                stray = lines.number
            width, before = width or len(row), lines.number
            if row and len(row) != width:
                why = f"line {lines.number} has {_counted(len(row))}, its header has {width}"
                return CsvFault(why, "quote values that hold commas, and write every field")
    except UnicodeDecodeError:
        return CsvFault(f"line {lines.number} is not UTF-8", "write it as UTF-8")
    except csv.Error as error:
        return _told(str(error), lines)
    if stray:
        why = f"line {stray} has a quote in a value that is not quoted"
        return CsvFault(why, "quote the value, and double the quotes within it")
    return None


class _Lines:
    """The lines of a file as text, each with its end."""

    def __init__(self, stream: BinaryIO) -> None:
        self.number = 0
        self.last = ""
        self.ends_oddly = False
        """Whether the last line ends with a carriage return that no line feed follows at once."""
        self._stream = stream

    def __iter__(self) -> Iterator[str]:
        for line in self._stream:
            self.number += 1
            text = line.decode("utf-8-sig" if self.number == 1 else "utf-8")
            self.last = text
            self.ends_oddly = text.endswith(("\r", "\r\r\n"))
            yield text


def _odd_end(lines: _Lines) -> CsvFault:
    return CsvFault(f"line {lines.number} ends with a lone carriage return", _ENDS)


def _told(error: str, lines: _Lines) -> CsvFault:
    """Return what Python's reader says, in our words."""
    if "new-line character" in error:
        return _odd_end(lines)
    if "unexpected end of data" in error:
        return CsvFault("a quote is opened and never closed", "close it, or double it in a value")
    return CsvFault(
        f"line {lines.number} goes on after a closing quote", "double the quotes within a value"
    )


def _counted(fields: int) -> str:
    return f"{fields} field" if fields == 1 else f"{fields} fields"
