"""What every report is made of: frames read by named queries, ranges of days, pages.

Nothing here reads a database. A report says which queries of the cookbook it needs (`reads`), the
caller runs them, and the report turns the answers into pages. So every figure has a query that
gives it, and the page can name it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from shlex import quote
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class ReportError(Exception):
    """A report cannot be made. The notes say where, and how to put it right."""

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        """Say what is wrong in one line, `where` it is, and the `fix`."""
        super().__init__(what)
        self.add_note(f"in:  {where}")
        self.add_note(f"fix: {fix}")


@dataclass(frozen=True, slots=True)
class Frame:
    """The answer of a query: columns, and rows of plain Python values in the query's order."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def records(self) -> list[dict[str, Any]]:
        """Return the rows as column -> value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def _quoted(word: str) -> str:
    """Return a word for a shell; what does not print is written out, as bash reads it."""
    if word.isprintable():
        return quote(word)
    plain = (char if char.isprintable() and char not in "'\\" else _escaped(char) for char in word)
    return f"$'{''.join(plain)}'"


def _escaped(char: str) -> str:
    return f"\\U{ord(char):08x}"


@dataclass(frozen=True, slots=True)
class Read:
    """A named query with its parameters: what a figure is taken from."""

    query: str
    params: Mapping[str, str | int | date] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The frame's name among the frames."""
        return " ".join([self.query, *(f"{name}={value}" for name, value in self.params.items())])

    @property
    def command(self) -> str:
        """The command that gives the same rows, safe to paste into a shell."""
        given = "".join(f" --param {_quoted(f'{name}={v}')}" for name, v in self.params.items())
        return f"mlspend sql --named {self.query}{given}"


def explaining(asked: str, days: Range) -> str:
    """Return the command that writes what a figure is made of, safe to paste into a shell."""
    first, last = days.from_date, days.to_date
    return f"mlspend explain {_quoted(asked)} --from {first} --to {last} --html figure.html"


def in_currency(currency: str) -> dict[str, str]:
    """Return what a query is told to answer in the reporting currency, where there is one."""
    return {"currency": currency} if currency else {}


@dataclass(frozen=True, slots=True)
class Range:
    """Days a reader may choose, both ends inclusive."""

    key: str
    label: str
    from_date: date
    to_date: date
    currency: str = ""
    """The reporting currency, where cost is shown in it; empty: each bill in its own."""

    @property
    def dates(self) -> str:
        """The first and the last day, as people write them."""
        first, last = self.from_date, self.to_date
        start = f"{first.day}" if first.replace(day=1) == last.replace(day=1) else f"{first:%-d %b}"
        if first.year != last.year:
            start = f"{first:%-d %b %Y}"
        return f"{start} – {last:%-d %b %Y}"  # noqa: RUF001 - an en dash is meant

    @property
    def params(self) -> dict[str, str | date]:
        """The range as parameters of a query."""
        dates = {"from_date": self.from_date, "to_date": self.to_date}
        return {**dates, **in_currency(self.currency)}

    def covers(self, month: date, span: Span) -> bool:
        """Tell whether the range holds every day of `month` that has cost."""
        last = (month.replace(day=28) + timedelta(4)).replace(day=1) - timedelta(1)
        first = max(month, span.first_day)
        return self.from_date <= first and self.to_date >= min(last, span.newest_day)

    def touches(self, month: date) -> bool:
        """Tell whether the range holds a day of `month`."""
        return self.from_date.replace(day=1) <= month <= self.to_date


@dataclass(frozen=True, slots=True)
class Span:
    """The days there is cost for, both ends inclusive."""

    first_day: date
    newest_day: date
    currency: str = ""
    """The reporting currency, where one is set and all rates are known; empty: none."""

    @property
    def params(self) -> dict[str, str]:
        """What a query of all days is told."""
        return in_currency(self.currency)

    def ranges(self) -> tuple[Range, ...]:
        """Return the ranges a page offers, the newest month first."""
        month = self.newest_day.replace(day=1)
        before = (month - timedelta(1)).replace(day=1)
        week = max(self.newest_day - timedelta(6), self.first_day)
        ranges = [self._range("month", f"{month:%B %Y}", max(month, self.first_day))]
        if before >= self.first_day.replace(day=1):
            start = max(before, self.first_day)
            last = month - timedelta(1)
            ranges.append(Range("previous", f"{before:%B %Y}", start, last, self.currency))
        ranges.append(self._range("week", "Last 7 days", week))
        ranges.append(self._range("all", "All days", self.first_day))
        return tuple(ranges)

    def recent(self, days: int) -> Range:
        """Return the newest `days`, or as many as there are."""
        start = max(self.newest_day - timedelta(days - 1), self.first_day)
        return self._range("recent", f"Last {days} days", start)

    def _range(self, key: str, label: str, start: date) -> Range:
        return Range(key, label, start, self.newest_day, self.currency)


@dataclass(frozen=True, slots=True)
class Meta:
    """What a site says about itself."""

    span: Span
    generation: str
    """The number of the generation that was read."""
    built_at: datetime
    """UTC."""
    title: str = "What machine learning costs"
    is_demo: bool = False
    audience: str = ""
    """For whom it is; empty: everybody."""

    @property
    def asking(self) -> str:
        """What the command of a query needs besides, to ask the database of the audience."""
        return f" --audience {self.audience}" if self.audience else ""


@dataclass(frozen=True, slots=True)
class Page:
    """One HTML file of the site."""

    path: str
    """Below the site's folder; at most one folder deep."""
    title: str
    template: str
    context: Mapping[str, Any]


class Report(Protocol):
    """One report: what it reads, and the pages it makes of it."""

    @property
    def name(self) -> str:
        """Its page's file name, without the ending."""
        ...

    @property
    def title(self) -> str:
        """Its name for people, as the navigation shows it."""
        ...

    def reads(self, span: Span) -> Sequence[Read]:
        """Return the queries whose frames `pages` needs."""
        ...

    def pages(self, frames: Frames, meta: Meta) -> Iterator[Page]:
        """Yield the report's pages, its first page first."""
        ...


class Frames:
    """The frames of a site, by the read that they answer."""

    def __init__(self, frames: Mapping[str, Frame]) -> None:
        self._frames = frames

    def of(self, read: Read) -> Frame:
        """Return the frame of a read.

        Raises: ReportError where the caller did not run it.
        """
        if read.key not in self._frames:
            raise ReportError(
                f'the frame "{read.key}" is missing',
                where="the frames given to write_site",
                fix="run every query that `site_reads` names",
            )
        return self._frames[read.key]

    def records(self, read: Read) -> list[dict[str, Any]]:
        """Return the rows of a read's frame as column -> value."""
        return self.of(read).records()
