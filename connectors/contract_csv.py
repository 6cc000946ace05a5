"""CSV files that people write for mlspend: checked line by line, so that a slip is named by line.

Every mistake in a file is listed at once. The file itself is delivered as it stands.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, TextIO

from connectors.base import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_MOST = 20
"""Mistakes listed of one file; the rest are counted."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATES = "write days as 2026-10-03, or leave them empty"
_SPANS = "valid_to is the first day that no longer counts: let it come after valid_from"


@dataclass(slots=True)
class Mistakes:
    """What is wrong with one file."""

    path: Path
    unit: str = "line"
    """What the numbers count: rows, where a file has no lines."""
    found: list[str] = field(default_factory=list)
    fixes: set[str] = field(default_factory=set)
    """What mends each of them; empty where nothing special does."""

    def add(self, line: int, what: str, fix: str = "") -> None:
        """Note a mistake on a line, and what mends just this one; line 1 is the header."""
        self.found.append(f"{self.unit} {line}: {what}")
        self.fixes.add(fix)

    def refuse(self, fix: str) -> None:
        """Raise what was found, if anything was; `fix` is told unless one of theirs mends all.

        Raises: SourceError
        """
        if not self.found:
            return
        (own, *others) = self.fixes
        more = len(self.found) - _MOST
        listed = self.found[:_MOST] + ([f"and {more} more"] if more > 0 else [])
        raise SourceError(
            f"{self.path.name} has {len(self.found)} mistakes:\n  " + "\n  ".join(listed)
            if len(self.found) > 1
            else f"{self.path.name}, {self.found[0]}",
            where=str(self.path),
            fix=fix if others else own or fix,
        )


def read_rows(
    path: Path, *, required: Sequence[str], optional: Sequence[str], mistakes: Mistakes
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield (line, row) of a CSV file, noting what is wrong with its shape.

    Raises: SourceError for a file that is not UTF-8 text, is empty, or lacks a required column.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        yield from read_stream(
            stream, path, required=required, optional=optional, mistakes=mistakes
        )


def read_stream(
    stream: TextIO,
    path: Path,
    *,
    required: Sequence[str],
    optional: Sequence[str],
    mistakes: Mistakes,
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield what `read_rows` does, of a file that is open already; errors quote `path`."""
    try:
        reader = csv.DictReader(stream, strict=True)
        check_header(path, reader.fieldnames or [], required, optional)
        for row in reader:
            if None in row or None in row.values():
                mistakes.add(reader.line_num, "has another number of fields than the header")
                continue
            check_texts(row, required, reader.line_num, mistakes)
            yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{path.name} is not CSV in UTF-8: {error}",
            where=str(path),
            fix="save it as CSV with commas, encoded in UTF-8",
        ) from error


def check_texts(
    row: Mapping[str, str], required: Sequence[str], line: int, mistakes: Mistakes
) -> None:
    """Note what is empty and must not be, and names that spaces or odd signs would set apart."""
    for column, text in row.items():
        if column in required and not text.strip():
            mistakes.add(line, f"{column} is empty")
        elif text != text.strip():
            mistakes.add(line, f"{column} {text!r} begins or ends with a space")
        elif not text.isprintable():
            mistakes.add(line, f"{column} {text!r} holds signs that cannot be seen")


def check_header(
    path: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    """Refuse a header that lacks a column, or has one twice or unknown.

    Raises: SourceError
    """
    wrong = [f"the column {column} is missing" for column in required if column not in header]
    wrong += [f"the column {name} is there twice" for name in twice_in(header)]
    known = [*required, *optional]
    for column in header:
        if column not in known:
            near = get_close_matches(column, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            wrong.append(f"the column {column} is not known{hint}")
    if wrong:
        mistakes = Mistakes(path)
        for what in wrong:
            mistakes.add(1, what)
        mistakes.refuse(f"the columns are {', '.join(known)}")


def twice_in(names: Sequence[str]) -> list[str]:
    """Return what is there more than once, each once, in order."""
    return sorted({name for name in names if names.count(name) > 1})


def check_span(row: Mapping[str, str], line: int, mistakes: Mistakes) -> tuple[date, date]:
    """Return a row's validity, [valid_from, valid_to); note what is wrong with it."""
    start = _date(row.get("valid_from", ""), date.min, line, mistakes)
    end = _date(row.get("valid_to", ""), date.max, line, mistakes)
    if start >= end:
        mistakes.add(line, f"valid_to ({end}) is not after valid_from ({start})", _SPANS)
    return start, end


def _date(text: str, otherwise: date, line: int, mistakes: Mistakes) -> date:
    if not text.strip():
        return otherwise
    day = day_of(text)
    if day is None:
        mistakes.add(line, f"{text!r} is not a date like 2026-10-03", _DATES)
    return day or otherwise


def day_of(text: str) -> date | None:
    """Read a day, as 2026-10-03 and in no other way; none where it is not one."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
