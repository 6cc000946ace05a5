"""Lines of an invoice of any shape: read as text, found by the columns that the config names.

Nothing is calculated here: a cost stays as it is written. It is only made sure that it can be read
in one way.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError
from connectors.damaged import read_parquet
from connectors.stored import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import SourceFile

_MOST = 20
_PLACES = 12
_SPACES = " '\u2019\u00a0\u202f"
_WHOLE = re.compile(r"[0-9]{1,24}")
_CURRENCY = re.compile(r"[A-Za-z]{3}")
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How an invoice is written, and which of its columns hold what."""

    columns: Mapping[str, str]
    """What mlspend calls it -> the header; absent where the invoice does not say."""
    tags: Sequence[str]
    date_format: str
    decimal_mark: str
    delimiter: str
    encoding: str
    currency_code: str
    has_total: bool


@dataclass(slots=True)
class _Wrong:
    """Gathers what is wrong with one file."""

    file: str
    found: list[str] = field(default_factory=list)

    def add(self, line: int, what: str) -> None:
        self.found.append(f"line {line}: {what}")

    def refuse(self) -> None:
        if not self.found:
            return
        more = len(self.found) - _MOST
        listed = self.found[:_MOST] + ([f"and {more} more"] if more > 0 else [])
        raise SourceError(
            f"{len(self.found)} cells cannot be read:\n  " + "\n  ".join(listed)
            if len(self.found) > 1
            else self.found[0],
            where=self.file,
            fix="mend the file, or say in the config file how it is written: date_format, "
            "decimal_comma, delimiter, has_total",
        )


def read_lines(file: SourceFile, mapping: Layout) -> list[Row]:
    """Return an invoice's lines by what mlspend calls their columns, and all cells in `cells`.

    Raises: SourceError that lists every mistake of the file.
    """
    headers, found = _parquet(file) if file.format == "parquet" else _csv(file, mapping)
    _check_headers(headers, mapping, file.name)
    wrong = _Wrong(file.name)
    rows: list[Row] = []
    lines = list(found)
    total = lines.pop() if mapping.has_total and lines else None
    for number, cells in lines:
        rows.append(_row(number, dict(zip(headers, cells, strict=True)), mapping, wrong))
    wrong.refuse()
    if mapping.has_total:
        _check_total(total, headers, rows, mapping, wrong)
    if not rows:
        raise SourceError(
            "an invoice has no lines: that is no data, not no cost",
            where=file.name,
            fix="have it written again; the last good delivery stays in force",
        )
    return rows


def amount_of(text: str, decimal_mark: str) -> Decimal | None:
    """Return the number that a text is in just one way: `1,234.50`, `1.234,50`; none where none.

    Thousands are set off by spaces, apostrophes, or the one of comma and point that is not the
    decimal mark, in threes throughout or not at all.
    """
    sign, text = (-1, text[1:]) if text[:1] in ("-", "\u2212") else (1, text.removeprefix("+"))
    whole, _, places = text.partition(decimal_mark)
    marks = _SPACES + (",." if decimal_mark not in ",." else {",": ".", ".": ","}[decimal_mark])
    used = {mark for mark in whole if mark in marks}
    if len(used) > 1:
        return None
    for mark in used:
        first, *threes = whole.split(mark)
        if not 1 <= len(first) <= 3 or any(len(three) != 3 for three in threes):  # noqa: PLR2004
            return None
        whole = whole.replace(mark, "")
    is_number = _WHOLE.fullmatch(whole) and (places == "" or _WHOLE.fullmatch(places))
    if not is_number or len(places) > _PLACES or text.endswith(decimal_mark):
        return None
    return sign * Decimal(f"{whole}.{places or 0}")


def _csv(file: SourceFile, mapping: Layout) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    try:
        data = read_whole(file)
        text = (gzip.decompress(data) if file.format == "csv.gz" else data).decode(mapping.encoding)
    except (UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"a file is not text in {mapping.encoding}: {error}",
            where=file.name,
            fix='name its encoding in the config file, such as encoding = "cp1251"',
        ) from error
    reader = csv.reader(
        io.StringIO(text.removeprefix("\ufeff"), newline=""),
        delimiter=mapping.delimiter,
        strict=True,
    )
    try:
        headers = next(reader, [])
        lines = [
            (reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise SourceError(
            f"a file is not CSV: line {reader.line_num}: {error}",
            where=file.name,
            fix="have it written again; the last good delivery stays in force",
        ) from error
    if any("\0" in cell for _, cells in lines for cell in cells):
        raise SourceError("a file holds zero bytes", where=file.name, fix="have it written again")
    wrong = _Wrong(file.name)
    for number, cells in lines:
        if len(cells) != len(headers):
            wrong.add(number, f"it has {len(cells)} fields, the header has {len(headers)}")
    wrong.refuse()
    return headers, iter(lines)


def _parquet(file: SourceFile) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    frame = read_parquet(
        read_whole(file),
        "a file",
        where=file.name,
        fix="have it written again; the last good delivery stays in force",
    )
    lines = ([_text(value) for value in values] for values in frame.iter_rows())
    return frame.columns, ((number, cells) for number, cells in enumerate(lines, start=1))


def _text(value: Any) -> str:
    """Return a value of Parquet as text would have it: numbers in full, times in UTC."""
    if value is None:
        return ""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _check_headers(headers: Sequence[str], mapping: Layout, file: str) -> None:
    wrong = []
    for name, header in [*mapping.columns.items(), *(("tags", tag) for tag in mapping.tags)]:
        count = headers.count(header)
        if count == 0:
            near = get_close_matches(header, headers, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            wrong.append(f"there is no column {header!r} ({name} in the config file){hint}")
        elif count > 1:
            wrong.append(f"the column {header!r} ({name}) is there {count} times")
    if wrong:
        raise SourceError(
            "; ".join(wrong),
            where=file,
            fix=f"the columns are {', '.join(repr(header) for header in headers) or 'none'}",
        )


def _row(number: int, cells: Row, mapping: Layout, wrong: _Wrong) -> Row:
    row = {name: cells[header].strip() for name, header in mapping.columns.items()}
    row["line_no"] = str(number)
    row["date"] = _day(row["date"], mapping, number, wrong)
    row["currency"] = row.get("currency", "") or mapping.currency_code
    if not _CURRENCY.fullmatch(row["currency"]):
        wrong.add(number, f"currency {row['currency']!r} is not a code like EUR")
    row["currency"] = row["currency"].upper()
    for name in ("cost", "quantity"):
        text = row.get(name, "")
        if (name == "cost" or text) and amount_of(text, mapping.decimal_mark) is None:
            wrong.add(number, f"{name} {text!r} is not a number with {mapping.decimal_mark!r}")
    row["tags"] = json.dumps(
        {tag: cells[tag].strip() for tag in mapping.tags if cells[tag].strip()}
    )
    row["cells"] = json.dumps(cells, ensure_ascii=False)
    return row


def _day(text: str, mapping: Layout, number: int, wrong: _Wrong) -> str:
    """Return a day as ISO writes it; a time with an offset is of the day that it is in UTC."""
    try:
        if mapping.date_format:
            day = datetime.strptime(text, mapping.date_format)  # noqa: DTZ007 - checked below
        else:
            # "20261003" is ISO too, and so is a number that happens to have eight digits
            day = datetime.fromisoformat(text if text[4:5] == "-" else "")
    except ValueError:
        how = f"as {mapping.date_format}" if mapping.date_format else "like 2026-10-03"
        wrong.add(number, f"date {text!r} is not written {how}")
        return ""
    if not 2000 <= day.year <= 2100:  # noqa: PLR2004
        wrong.add(number, f"date {text!r} is of the year {day.year}")
    return (day.astimezone(UTC) if day.tzinfo else day).date().isoformat()


def _check_total(
    total: tuple[int, list[str]] | None,
    headers: Sequence[str],
    rows: Sequence[Row],
    mapping: Layout,
    wrong: _Wrong,
) -> None:
    """Compare the last line with the sum of the others."""
    if total is None:
        wrong.add(1, "there is no line of the total")
    else:
        number, cells = total
        text = dict(zip(headers, cells, strict=True))[mapping.columns["cost"]].strip()
        stated = amount_of(text, mapping.decimal_mark)
        summed = sum(
            (amount_of(row["cost"], mapping.decimal_mark) or 0 for row in rows), Decimal(0)
        )
        currencies = {row["currency"] for row in rows}
        if len(currencies) > 1:
            wrong.add(number, f"one total for {len(currencies)} currencies")
        elif stated != summed:
            wrong.add(number, f"the total {text!r} is not the sum of the lines, {summed}")
    wrong.refuse()
