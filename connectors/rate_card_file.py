"""The card of owned machines: checked whole, every mistake listed at once, and told as machines.

Apart from the connector, which decides what of it is charged when.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError
from connectors.contract_csv import Mistakes, check_header, check_texts, day_of, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path

REQUIRED = ("machine_id", "currency", "price", "life_months", "in_service")
MONEY = ("price", "residual", "hosting_per_month", "support_per_month")
SIZES = ("gpu_count", "cpu_count", "memory_gib")
OWNERS = ("team", "user", "project")
OPTIONAL = (
    "machine_name",
    "instance_type",
    "region",
    "out_of_service",
    "residual",
    "power_watts",
    "price_per_kwh",
    "hosting_per_month",
    "support_per_month",
    *SIZES,
    *OWNERS,
)
_PLACES: Mapping[str, int] = {
    **dict.fromkeys(MONEY, 12),
    **dict.fromkeys(SIZES, 6),
    "power_watts": 3,
    "price_per_kwh": 6,
    "kwh": 6,
}
"""Column -> decimal places; a day's watts x price have twelve."""
_NUMBER = re.compile(r"([0-9]{1,12})(?:\.([0-9]+))?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LONGEST_LIFE = 600
_FIX = (
    "numbers are written 12500.50, days 2026-10-03, currencies EUR; config.example.toml says more"
)


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the card."""

    row: Mapping[str, str]
    """Its cells as written, by column; an absent one is empty."""
    in_service: date
    out_of_service: date | None
    """The first day that is not charged any more."""


def read_card(path: Path) -> list[Machine]:
    """Return the machines of a card, in its order.

    Raises: SourceError that lists every mistake of the file.
    """
    mistakes = Mistakes(path, "line" if path.suffix == ".csv" else "machine")
    rows = _csv_rows(path, mistakes) if path.suffix == ".csv" else _toml_rows(path, mistakes)
    seen: dict[str, int] = {}
    machines = []
    for place, row in rows:
        _check(row, place, mistakes)
        name = row["machine_id"].lower()
        if name in seen:
            mistakes.add(place, f"{row['machine_id']} is on {mistakes.unit} {seen[name]} already")
        seen[name] = place
        start = day_of(row["in_service"])
        if start is not None:
            machines.append(Machine(row, start, day_of(row["out_of_service"])))
    mistakes.refuse(_FIX)
    if not machines:
        raise SourceError(
            f"{path.name} holds no machine",
            where=str(path),
            fix="write at least one; retire the source when there are none left",
        )
    return machines


def read_measured(path: Path, machines: list[Machine]) -> dict[tuple[str, date], str]:
    """Return what machines drew, in kWh as written, by machine and day.

    Raises: SourceError that lists every mistake of the file.
    """
    known = {machine.row["machine_id"]: machine for machine in machines}
    mistakes = Mistakes(path)
    found: dict[tuple[str, date], str] = {}
    _require(path)
    for line, row in read_rows(
        path, required=("machine_id", "day", "kwh"), optional=(), mistakes=mistakes
    ):
        day = day_of(row["day"])
        machine = known.get(row["machine_id"])
        _check_number(row, "kwh", line, mistakes)
        if row["day"].strip() and day is None:
            mistakes.add(line, f"day {row['day']!r} is not a date like 2026-10-03")
        if row["machine_id"].strip() and machine is None:
            mistakes.add(line, f"{row['machine_id']} is not on the card")
        elif machine is not None and not machine.row["price_per_kwh"]:
            mistakes.add(line, f"{row['machine_id']} has no price_per_kwh on the card")
        if day is not None and machine is not None:
            if (row["machine_id"], day) in found:
                mistakes.add(line, f"{row['machine_id']} has another value for {day}")
            found[row["machine_id"], day] = row["kwh"]
    mistakes.refuse(_FIX)
    return found


def _csv_rows(path: Path, mistakes: Mistakes) -> Iterator[tuple[int, dict[str, str]]]:
    _require(path)
    for line, row in read_rows(path, required=REQUIRED, optional=OPTIONAL, mistakes=mistakes):
        yield line, {column: row.get(column, "") for column in (*REQUIRED, *OPTIONAL)}


def _toml_rows(path: Path, mistakes: Mistakes) -> Iterator[tuple[int, dict[str, str]]]:
    _require(path)
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ArithmeticError) as error:
        raise SourceError(
            f"{path.name} is not TOML: {error}",
            where=str(path),
            fix="mend the line; texts and days stand in quotes or as 2026-10-03",
        ) from error
    machines = written.pop("machines", [])
    is_list = isinstance(machines, list) and all(isinstance(each, dict) for each in machines)
    if written or not is_list:
        raise SourceError(
            f"{path.name} is not a list of [[machines]]"
            + (f": it holds {', '.join(sorted(written))}" if written else ""),
            where=str(path),
            fix="write each machine under a line [[machines]]",
        )
    for number, machine in enumerate(machines, start=1):
        check_header(path, [*REQUIRED, *(set(machine) - set(REQUIRED))], REQUIRED, OPTIONAL)
        row = {column: _text(machine.get(column, "")) for column in (*REQUIRED, *OPTIONAL)}
        for column, value in machine.items():
            if isinstance(value, bool | list | dict):
                mistakes.add(number, f"{column} is neither a text, a number nor a day")
        check_texts(row, REQUIRED, number, mistakes)
        yield number, row


def _text(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _require(path: Path) -> None:
    if not path.is_file():
        raise SourceError(
            f"{path.name} is not there" if not path.exists() else f"{path.name} is not a file",
            where=str(path),
            fix="put it there, or mend the place in the config file",
        )


def _check(row: Mapping[str, str], place: int, mistakes: Mistakes) -> None:
    for column in _PLACES:
        _check_number(row, column, place, mistakes)
    for column in ("in_service", "out_of_service"):
        if row[column].strip() and day_of(row[column]) is None:
            mistakes.add(place, f"{column} {row[column]!r} is not a date like 2026-10-03")
    life = row["life_months"]
    is_whole = life.isascii() and life.isdecimal() and len(life) <= len(str(_LONGEST_LIFE))
    if life.strip() and not (is_whole and 1 <= int(life) <= _LONGEST_LIFE):
        mistakes.add(place, f"life_months {life!r} is not a whole number from 1 to {_LONGEST_LIFE}")
    if row["currency"].strip() and not _CURRENCY.fullmatch(row["currency"]):
        mistakes.add(place, f"currency {row['currency']!r} is not a code like EUR")
    if row["power_watts"] and not row["price_per_kwh"]:
        mistakes.add(place, "power_watts has no price_per_kwh beside it")
    _check_order(row, place, mistakes)


def _check_order(row: Mapping[str, str], place: int, mistakes: Mistakes) -> None:
    start, end = day_of(row["in_service"]), day_of(row["out_of_service"])
    if start and end and end <= start:
        mistakes.add(place, f"out_of_service ({end}) is not after in_service ({start})")
    price, residual = row["price"], row["residual"]
    if (
        _NUMBER.fullmatch(price)
        and _NUMBER.fullmatch(residual)
        and Decimal(residual) > Decimal(price)
    ):
        mistakes.add(place, f"residual {residual} is more than price {price}")


def _check_number(row: Mapping[str, str], column: str, place: int, mistakes: Mistakes) -> None:
    text, places = row.get(column, ""), _PLACES[column]
    match = _NUMBER.fullmatch(text)
    if text.strip() and (match is None or len(match[2] or "") > places):
        mistakes.add(
            place, f"{column} {text!r} is not a number of 0 or more with at most {places} places"
        )
