"""The two files of a card of people: checked whole, every mistake listed at once.

Apart from the connector, which decides what of them is charged when.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.base import SourceError
from connectors.contract_csv import Mistakes, day_of, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CREW = ("crew", "currency", "price_per_month", "starts")
CREW_MORE = ("ends", "work")
FOR = ("project", "team", "user", "model")
"""Whom a part of the work is for; one of them at least."""
PART = ("crew",)
PART_MORE = ("share", "day", "days", *FOR)
_DIGITS = {"price_per_month": (9, 12), "share": (1, 12), "days": (4, 6)}
"""Digits before and after the point: price x days must fit into 38."""
_NUMBER = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_FIX = (
    "numbers are written 12500.50, days 2026-10-03, currencies EUR; config.example.toml says more"
)
Work = dict[tuple[str, ...], Decimal]
"""Whom it is for, as FOR -> share or days."""


@dataclass(frozen=True, slots=True)
class Crew:
    """People whose time is charged."""

    row: Mapping[str, str]
    """Its cells as written, by column; an absent one is empty."""
    starts: date
    ends: date | None
    """The first day that is not charged any more."""
    shares: Work
    months: Mapping[str, Work]
    """Month as YYYY-MM -> days worked; empty where shares are fixed."""

    def work_of(self, month: str) -> Work:
        """Return whom a month's work was for; empty where nothing says so."""
        return self.shares or self.months.get(month, {})


def read_people(path: Path, split_path: Path | None) -> list[Crew]:
    """Return the crews of a card, in its order, with whom their work is for.

    Raises: SourceError that lists every mistake of a file.
    """
    mistakes = Mistakes(path)
    rows: dict[str, Mapping[str, str]] = {}
    for line, cells in _rows(path, CREW, CREW_MORE, mistakes):
        _check_crew(cells, line, mistakes)
        if cells["crew"] in rows:
            mistakes.add(line, f"{cells['crew']} is on the card already")
        rows[cells["crew"]] = cells
    mistakes.refuse(_FIX)
    if not rows:
        raise SourceError(
            f"{path.name} holds no crew",
            where=str(path),
            fix="write at least one; retire the source when there are none left",
        )
    shares, months = _read_split(split_path, rows) if split_path else ({}, {})
    return [
        Crew(
            row,
            date.fromisoformat(row["starts"]),
            day_of(row["ends"]),
            shares.get(name, {}),
            months.get(name, {}),
        )
        for name, row in rows.items()
    ]


def _read_split(
    path: Path, crews: Mapping[str, Mapping[str, str]]
) -> tuple[dict[str, Work], dict[str, dict[str, Work]]]:
    """Return each crew's shares, and its days by month."""
    mistakes = Mistakes(path)
    shares: dict[str, Work] = {}
    months: dict[str, dict[str, Work]] = {}
    for line, row in _rows(path, PART, PART_MORE, mistakes):
        before = len(mistakes.found)
        _check_part(row, line, crews, mistakes)
        if len(mistakes.found) > before:
            continue
        crew, whom = row["crew"], tuple(row[column] for column in FOR)
        if crew in (months if row["share"] else shares):
            mistakes.add(line, f"{crew} has shares and days; it is split by one of them")
        elif row["share"]:
            if whom in shares.setdefault(crew, {}):
                mistakes.add(line, f"{crew} has another share for the same")
            shares[crew][whom] = Decimal(row["share"])
            if sum(shares[crew].values()) > 1:
                mistakes.add(line, f"the shares of {crew} come to more than 1")
        else:
            of_month = months.setdefault(crew, {}).setdefault(row["day"][:7], {})
            of_month[whom] = of_month.get(whom, Decimal(0)) + Decimal(row["days"])
    mistakes.refuse(_FIX)
    return shares, months


def _rows(
    path: Path, required: Sequence[str], optional: Sequence[str], mistakes: Mistakes
) -> list[tuple[int, dict[str, str]]]:
    if not path.is_file():
        raise SourceError(
            f"{path.name} is not there" if not path.exists() else f"{path.name} is not a file",
            where=str(path),
            fix="put it there, or mend the place in the config file",
        )
    read = read_rows(path, required=required, optional=optional, mistakes=mistakes)
    return [
        (line, {column: (row.get(column) or "").strip() for column in (*required, *optional)})
        for line, row in read
    ]


def _check_crew(row: Mapping[str, str], line: int, mistakes: Mistakes) -> None:
    _check_number(row, "price_per_month", line, mistakes)
    for column in ("starts", "ends"):
        _check_day(row, column, line, mistakes)
    start, end = day_of(row["starts"]), day_of(row["ends"])
    if start and end and end <= start:
        mistakes.add(line, f"ends ({end}) is not after starts ({start})")
    if row["currency"] and not _CURRENCY.fullmatch(row["currency"]):
        mistakes.add(line, f"currency {row['currency']!r} is not a code like EUR")


def _check_part(
    row: Mapping[str, str],
    line: int,
    crews: Mapping[str, Mapping[str, str]],
    mistakes: Mistakes,
) -> None:
    _check_number(row, "share", line, mistakes)
    _check_number(row, "days", line, mistakes)
    _check_day(row, "day", line, mistakes)
    if row["crew"] and row["crew"] not in crews:
        mistakes.add(line, f"{row['crew']} is not on the card")
    if not any(row[column] for column in FOR):
        mistakes.add(line, f"it is for nobody: none of {', '.join(FOR)} is given")
    if bool(row["share"]) == bool(row["day"]) or bool(row["day"]) != bool(row["days"]):
        mistakes.add(line, "it has neither a share, nor a day with its days alone")
    if row["days"] and _NUMBER.fullmatch(row["days"]) and not Decimal(row["days"]):
        mistakes.add(line, "days is 0: leave the line out")


def _check_day(row: Mapping[str, str], column: str, line: int, mistakes: Mistakes) -> None:
    if row[column] and day_of(row[column]) is None:
        mistakes.add(line, f"{column} {row[column]!r} is not a date like 2026-10-03")


def _check_number(row: Mapping[str, str], column: str, line: int, mistakes: Mistakes) -> None:
    text, (digits, places) = row[column], _DIGITS[column]
    match = _NUMBER.fullmatch(text) if text.isascii() else None
    if text and (match is None or len(match[1]) > digits or len(match[2] or "") > places):
        mistakes.add(
            line,
            f"{column} {text!r} is not a number of 0 or more, {digits} digits, {places} places",
        )
