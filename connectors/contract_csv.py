"""CSV files that people write for mlspend: checked line by line, so that a slip is named by line.

Every mistake in a file is listed at once. The file itself is delivered as it stands.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING

from connectors.base import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_MOST = 20
"""Mistakes listed of one file; the rest are counted."""


@dataclass(slots=True)
class Mistakes:
    """What is wrong with one file."""

    path: Path
    found: list[str] = field(default_factory=list)

    def add(self, line: int, what: str) -> None:
        """Note a mistake on a line; line 1 is the header."""
        self.found.append(f"line {line}: {what}")

    def refuse(self, fix: str) -> None:
        """Raise what was found, if anything was.

        Raises: SourceError
        """
        if not self.found:
            return
        more = len(self.found) - _MOST
        listed = self.found[:_MOST] + ([f"and {more} more"] if more > 0 else [])
        raise SourceError(
            f"{self.path.name} has {len(self.found)} mistakes:\n  " + "\n  ".join(listed)
            if len(self.found) > 1
            else f"{self.path.name}, {self.found[0]}",
            where=str(self.path),
            fix=fix,
        )


def read_rows(
    path: Path, *, required: Sequence[str], optional: Sequence[str], mistakes: Mistakes
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield (line, row) of a CSV file, noting what is wrong with its shape.

    Raises: SourceError for a file that is not UTF-8 text, is empty, or lacks a required column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            _check_header(path, reader.fieldnames or [], required, optional)
            for row in reader:
                if None in row or None in row.values():
                    mistakes.add(reader.line_num, "has another number of fields than the header")
                    continue
                for column in required:
                    if not row[column].strip():
                        mistakes.add(reader.line_num, f"{column} is empty")
                yield reader.line_num, row
    except (UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"{path.name} is not CSV in UTF-8: {error}",
            where=str(path),
            fix="save it as CSV with commas, encoded in UTF-8",
        ) from error


def _check_header(
    path: Path, header: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    wrong = [f"the column {column} is missing" for column in required if column not in header]
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


def check_span(row: Mapping[str, str], line: int, mistakes: Mistakes) -> tuple[date, date]:
    """Return a row's validity, [valid_from, valid_to); note what is wrong with it."""
    start = _date(row.get("valid_from", ""), date.min, line, mistakes)
    end = _date(row.get("valid_to", ""), date.max, line, mistakes)
    if start >= end:
        mistakes.add(line, f"valid_to ({end}) is not after valid_from ({start})")
    return start, end


def _date(text: str, otherwise: date, line: int, mistakes: Mistakes) -> date:
    if not text.strip():
        return otherwise
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        mistakes.add(line, f"{text!r} is not a date like 2026-10-03")
        return otherwise
