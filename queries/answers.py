"""Rows as a reader gets them: a table for people, CSV for sheets, JSON for programs.

Names in a bill are written by whoever may name a run. A table therefore shows control characters
instead of sending them to the terminal, and a CSV cell that a spreadsheet would take for a formula
begins with an apostrophe.
"""

from __future__ import annotations

import csv
import json
from datetime import date, datetime
from decimal import Decimal
from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol, TextIO
from unicodedata import east_asian_width

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MEASURED_ROWS = 1_000
"""A table's columns are as wide as their widest cell among the first rows."""
WIDEST = 60

FORMULA_STARTS = frozenset("=+-@\t\r|%\uff1d\uff0b\uff0d\uff20")
"""The last four are the full-width forms of the first, which some spreadsheets take alike."""


class Answer(Protocol):
    """One way to write an answer."""

    def write(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write the whole answer."""
        ...


class TableAnswer:
    """Columns aligned with spaces, numbers to the right, money without idle zeros."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def write(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write the table; cells beyond the widest are shortened with `…`."""
        source = iter(rows)
        first = list(islice(source, MEASURED_ROWS))
        names = [_cell(column) for column in columns]
        places = [_places(row[place] for row in first) for place in range(len(names))]
        cells = [_cells(row, places) for row in first]
        widths = [max(_width(row[place]) for row in [names, *cells]) for place in range(len(names))]
        right = [
            any(isinstance(row[place], (int, float, Decimal)) for row in first)
            for place in range(len(names))
        ]
        self._line(names, widths, right)
        self.out.write("  ".join("─" * width for width in widths) + "\n")
        for row in chain(cells, (_cells(row, places) for row in source)):
            self._line(row, widths, right)

    def _line(self, cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> None:
        padded = []
        for cell, width, is_right in zip(cells, widths, right, strict=True):
            space = " " * (width - _width(cell))
            padded.append(space + cell if is_right else cell + space)
        self.out.write("  ".join(padded).rstrip() + "\n")


class CsvAnswer:
    """RFC 4180, with every cell inert in a spreadsheet."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def write(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write the header and the rows."""
        writer = csv.writer(self.out, lineterminator="\r\n")
        writer.writerow([inert(column) for column in columns])
        for row in rows:
            writer.writerow([_csv_cell(value) for value in row])


class JsonAnswer:
    """One array of objects, a row a line; numbers with all their digits."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def write(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write the array."""
        keys = [json.dumps(column) for column in columns]
        self.out.write("[")
        for number, row in enumerate(rows):
            pairs = ", ".join(
                f"{key}: {_json(value)}" for key, value in zip(keys, row, strict=True)
            )
            self.out.write(f"{',' if number else ''}\n{{{pairs}}}")
        self.out.write("\n]\n")


ANSWERS: Mapping[str, Callable[[TextIO], Answer]] = {
    "table": TableAnswer,
    "csv": CsvAnswer,
    "json": JsonAnswer,
}


def inert(text: str) -> str:
    """Return `text` such that no spreadsheet takes it for a formula."""
    start = text.lstrip()[:1] or text[:1]
    return f"'{text}" if start in FORMULA_STARTS or text[:1] in FORMULA_STARTS else text


def visible(text: str) -> str:
    """Return `text` with every character that does not print written out as an escape."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _cells(row: Sequence[object], places: Sequence[int]) -> list[str]:
    return [_cell(value, most) for value, most in zip(row, places, strict=True)]


def _places(values: Iterable[object]) -> int:
    """Return how many decimals a column of amounts needs, two at least."""
    return max((len(_trimmed(value)) for value in values if isinstance(value, Decimal)), default=0)


def _cell(value: object, places: int = 2) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        whole, point, part = f"{value:f}".partition(".")
        return f"{whole}.{part.rstrip('0').ljust(places, '0')}" if point else whole
    if isinstance(value, float):
        return f"{value:.6g}"
    text = visible(value if isinstance(value, str) else _plain(value))
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def _trimmed(value: Decimal) -> str:
    """Return an amount's decimals without idle zeros, two at least."""
    return f"{value:f}".partition(".")[2].rstrip("0").ljust(2, "0")


def _plain(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, (dict, list, tuple)):
        return _json(value)
    return str(value)


def _csv_cell(value: object) -> object:
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, (Decimal, date)):
        return _plain(value)
    return inert(_plain(value))


def _json(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(str(key))}: {_json(entry)}" for key, entry in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_json(entry) for entry in value) + "]"
    if isinstance(value, float) and (value != value or value in (float("inf"), -float("inf"))):  # noqa: PLR0124 - NaN
        return json.dumps(str(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return json.dumps(value)
    return json.dumps(_plain(value))


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
