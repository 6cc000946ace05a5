"""The digest: one person's page of the company's spend, as a mail that any client shows.

It needs no picture, script or remote content, and says the same in plain text. It stays below the
size at which clients cut mails off: sections shrink, and say by how many rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.cells import set_cell_size

from reports.base import Read
from reports.board import ZERO
from reports.books import BOOKS, FRESHNESS, freshness_rows
from reports.compiled import Compiled
from reports.digest_rows import (
    finding_row,
    moved_row,
    quota_bar,
    spend_row,
    summed_row,
    work_row,
)
from reports.figures import change, exact, member_name, money, percent, visible, whole_money

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from reports.base import Frames, Range

LARGEST = 90_000
"""Bytes of both parts as they are mailed; Gmail cuts at 102 KB."""
ROWS = tuple(range(8, 0, -1))
"""Rows a section shows: the most that fit are taken."""
_WORK = {"model": "Models", "project": "Projects"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom a digest is for, and what it is about."""

    name: str
    """As the reader is greeted."""
    team: str | None
    """None: the whole company."""
    member: str | None = None
    """The reader among the users, as the database names them."""


@dataclass(frozen=True, slots=True)
class About:
    """What every digest of a night says alike."""

    title: str
    days: Range
    site_url: str = ""
    restatements: Sequence[str] = ()
    """Sentences, the newest first."""
    is_demo: bool = False
    unknown: int = 0
    """Mails of earlier nights of which nobody knows whether they arrived."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A mail's subject and its two parts."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A table of a digest."""

    title: str
    kind: str
    """Which rows: spend, work, moved, waste or quota."""
    rows: Sequence[dict[str, Any]]
    read: Read
    note: str = ""
    left: int = 0
    """Rows that are not shown."""
    whole: Sequence[dict[str, Any]] = ()
    """The records of the rows, one each, where what is not shown is to be one more row."""
    closing: Sequence[dict[str, Any]] = ()
    """Rows below these, whatever is not shown: what is nobody's, and the total."""

    def cut(self, most: int) -> Section:
        """Return the section with at most so many rows, the first of each currency in turn."""
        places: dict[str, list[int]] = {}
        for place, row in enumerate(self.rows):
            places.setdefault(row.get("unit", ""), []).append(place)
        in_turn = [place for turn in zip_longest(*places.values()) for place in turn]
        taken = sorted([place for place in in_turn if place is not None][:most])
        left = len(self.rows) - len(taken)
        rows = [self.rows[place] for place in taken]
        if left and self.whole:
            rest = [self.whole[place] for place in range(len(self.rows)) if place not in taken]
            rows.append(summed_row(f"{left} more", rest, "more"))
            left = 0
        return replace(self, rows=rows, left=left)


@dataclass(frozen=True, slots=True)
class _Reads:
    """The queries of one team's digest."""

    days: Range
    team: str | None
    params: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        team = {} if self.team is None else {"team": self.team}
        object.__setattr__(self, "params", {**team, **self.days.params})

    def spend(self, dimension: str) -> Read:
        return Read("team_spend", {"dimension": dimension, **self.params})

    def work(self, by: str) -> Read:
        return Read("team_work", {"by": by, **self.params})

    @property
    def teams(self) -> Read:
        return Read("leaderboard", {"dimension": "team", **self.days.params})

    @property
    def _team(self) -> dict[str, str]:
        return {} if self.team is None else {"team": self.team}

    @property
    def waste(self) -> Read:
        return Read("waste_findings", self._team)

    @property
    def quotas(self) -> Read:
        return Read("quotas", self._team)

    def all(self) -> list[Read]:
        spends = [self.spend(one) for one in ("user", "dataset")]
        works = [self.work(by) for by in (*_WORK, "experiment")]
        return [self.teams, *spends, *works, self.waste, self.quotas, BOOKS, FRESHNESS]


def digest_reads(team: str | None, days: Range) -> list[Read]:
    """Return every query that a team's digest needs; none is the whole company."""
    return _Reads(days, team).all()


def people_read(team: str | None, days: Range) -> Read:
    """Return the read of what a team's people cost."""
    return _Reads(days, team).spend("user")


def write_digest(frames: Frames, reader: Reader, about: About) -> Digest:
    """Return a reader's digest, as long as fits.

    `frames` answer `digest_reads(reader.team, about.days)`.
    """
    reads = _Reads(about.days, reader.team)
    heads = _heads(frames.records(reads.teams), reader.team)
    sections = list(_sections(frames, reads))
    context = {
        "reader_name": visible(reader.name),
        "about": about,
        "restatements": [visible(sentence) for sentence in about.restatements],
        "heads": heads,
        "own": _own(frames.records(reads.spend("user")), reader),
        "proofs": _proofs(frames.records(BOOKS), about.days),
        "stale": [row for row in freshness_rows(frames.records(FRESHNESS)) if row["is_stale"]],
        "fresh": len(frames.records(FRESHNESS)),
        "who": visible(reader.team) if reader.team is not None else "All teams",
    }
    subject = _subject(context)
    digest = _render(subject, context, [section.cut(ROWS[0]) for section in sections])
    for most in ROWS[1:]:
        if _size(digest) <= LARGEST:
            break
        digest = _render(subject, context, [section.cut(most) for section in sections])
    return digest


def _sections(frames: Frames, reads: _Reads) -> list[Section]:
    """Return the tables of a digest; the whole company's opens with what its total is made of."""
    who = reads.spend("user")
    moved = reads.work("experiment")
    teams = list(_teams(frames, reads.teams))
    found = [
        *(teams if reads.team is None else []),
        _spend("People", frames, who),
        *(_of_work(title, frames, reads.work(by)) for by, title in _WORK.items()),
        _spend("Datasets", frames, reads.spend("dataset")),
        _moved(frames, moved),
        _waste(frames, reads.waste),
        _quotas(frames, reads.quotas),
        *([] if reads.team is None else teams),
    ]
    return [section for section in found if section.rows or section.closing]


def _spend(title: str, frames: Frames, read: Read) -> Section:
    records = [one for one in frames.records(read) if one["effective_cost"]]
    records = [one for one in records if not _is_nobodys(one["member"])]
    return Section(title, "spend", _with_bars(records, spend_row), read)


def _of_work(title: str, frames: Frames, read: Read) -> Section:
    records = [one for one in frames.records(read) if one["effective_cost"]]
    note = "Whole cost of the runs started in these days."
    return Section(title, "work", _with_bars(records, work_row), read, note)


def _moved(frames: Frames, read: Read) -> Section:
    records = [one for one in frames.records(read) if one["moved_cost"]]
    records.sort(key=lambda one: (one["billing_currency"], -abs(one["moved_cost"]), one["work"]))
    return Section("What moved, and why", "moved", [moved_row(one) for one in records], read)


def _waste(frames: Frames, read: Read) -> Section:
    records = [one for one in frames.records(read) if one["is_counted"]]
    totals = _sums(records, "monthly_waste")
    note = ", ".join(f"{money(cost, unit)} {unit}" for unit, cost in sorted(totals.items()))
    rows = [finding_row(one) for one in records]
    return Section("Waste", "waste", rows, read, f"{note} a month in all." if rows else "")


def _quotas(frames: Frames, read: Read) -> Section:
    return Section("Quotas", "quota", [quota_bar(one) for one in frames.records(read)], read)


def _teams(frames: Frames, read: Read) -> Iterator[Section]:
    """Yield the teams of each currency; with what is nobody's they add up to all that it cost."""
    totals = _sums(frames.records(read), "effective_cost")
    for unit in _dearest_first(totals):
        records = [one for one in frames.records(read) if one["billing_currency"] == unit]
        teams = [one for one in records if not _is_nobodys(one["member"])]
        nobodys: dict[str, list[dict[str, Any]]] = {}
        for one in records:
            if _is_nobodys(one["member"]) and one["effective_cost"]:
                nobodys.setdefault(one["member_name"], []).append(one)
        yield Section(
            title="Teams" if len(totals) == 1 else f"Teams, {visible(unit)}",
            kind="spend",
            rows=_with_bars(teams, spend_row),
            read=read,
            whole=teams,
            closing=[
                *(summed_row(name, of_name, "nobody") for name, of_name in nobodys.items()),
                summed_row("Total", records, "total"),
            ],
        )


def _is_nobodys(member: str) -> bool:
    return member_name(member) != visible(member) or member.startswith("(not ")


def _with_bars(records: Sequence[dict[str, Any]], row: Any) -> list[dict[str, Any]]:
    most: dict[str, Decimal] = {}
    for one in records:
        unit = one["billing_currency"]
        most[unit] = max(most.get(unit, ZERO), one["effective_cost"])
    return [row(one, most[one["billing_currency"]]) for one in records]


def _heads(records: Sequence[dict[str, Any]], team: str | None) -> list[dict[str, Any]]:
    """Return what was spent in each currency, and how it moved."""
    wanted = [one for one in records if team is None or one["member"] == team]
    totals = _sums(records, "effective_cost")
    now, before = _sums(wanted, "effective_cost"), _sums(wanted, "previous_cost")
    return [
        {
            "currency": visible(unit),
            "cost": whole_money(now[unit], unit),
            "exact": exact(now[unit], unit),
            "change": change(now[unit], before.get(unit)),
            "share": percent(now[unit], totals[unit]) if team is not None else "",
        }
        for unit in _dearest_first(now)
    ]


def _dearest_first(costs: dict[str, Decimal]) -> list[str]:
    return sorted(costs, key=lambda unit: (-costs[unit], unit))


def _own(records: Sequence[dict[str, Any]], reader: Reader) -> list[str]:
    wanted = [one for one in records if one["member"] == reader.member and one["effective_cost"]]
    return [
        f"{money(one['effective_cost'], one['billing_currency'])} {one['billing_currency']} "
        f"({change(one['effective_cost'], one['previous_cost'])})"
        for one in wanted
    ]


def _sums(records: Sequence[dict[str, Any]], column: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for one in records:
        unit = one["billing_currency"]
        found[unit] = found.get(unit, ZERO) + (one[column] or ZERO)
    return found


def _proofs(records: Sequence[dict[str, Any]], days: Range) -> list[dict[str, Any]]:
    """Return the proof of the months that the days lie in, a line a currency."""
    wanted = [
        one
        for one in records
        if one["measure"] == "effective_cost" and days.touches(one["charge_month"])
    ]
    columns = ("billed", "attributed", "idle", "shared", "unattributed", "difference")
    found = {column: _sums(wanted, column) for column in columns}
    return [
        {
            "currency": visible(unit),
            "closes": not found["difference"][unit],
            "difference": exact(found["difference"][unit], unit).rpartition(" ")[0],
            **{column: money(found[column][unit], unit) for column in columns[:-1]},
        }
        for unit in sorted(found["billed"])
    ]


def _subject(context: dict[str, Any]) -> str:
    """Return a line for a list of mails: who, how much, how it moved, when."""
    about: About = context["about"]
    costs = " + ".join(f"{one['cost']} {one['currency']}" for one in context["heads"][:3])
    heads = context["heads"]
    moved = f" ({heads[0]['change']})" if len(heads) == 1 else ""
    demo = "[demo] " if about.is_demo else ""
    return f"{demo}{context['who'][:60]}: {costs or 'no cost'}{moved}, {about.days.dates}"


def _render(subject: str, context: dict[str, Any], sections: Sequence[Section]) -> Digest:
    given = {**context, "sections": sections, "subject": subject}
    html = _templates(is_html=True).get_template("digest.html").render(given)
    text = _templates(is_html=False).get_template("digest.txt").render(given)
    return Digest(subject, html, text)


def _size(digest: Digest) -> int:
    """Return about how large the mail will be: as base64, the larger encoding."""
    return (len(digest.html.encode()) + len(digest.text.encode())) * 4 // 3 + 2_000


@cache
def _templates(*, is_html: bool) -> Environment:
    templates = Environment(
        loader=FileSystemLoader(str(files("reports") / "templates")),
        autoescape=is_html,  # noqa: S701  (text has no markup: a name is text there already)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        bytecode_cache=Compiled("mail" if is_html else "text"),
    )
    templates.filters["left"] = lambda text, width: _cell(str(text), width)
    templates.filters["right"] = lambda text, width: f"{text!s:>{width}}"
    return templates


def _cell(text: str, width: int) -> str:
    """Cut or pad a name to a width on a terminal, where some characters are two wide."""
    cut = set_cell_size(text, width)
    return cut if set_cell_size(text, width).rstrip() == text else cut[:-1] + "…"
