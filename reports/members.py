"""Everyone: a page for each dimension with all its members, and a page for each dear member."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from reports.base import Page, Read, explaining
from reports.board import ZERO, boards, proof
from reports.charts import Series, stacked_days
from reports.figures import (
    DASH,
    bar,
    day,
    exact,
    hours,
    is_nobodys,
    member_name,
    moment,
    money,
    percent,
    visible,
)
from reports.full_cost import PARTS, FullCosts
from reports.views import choice_of, choice_reads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date
    from decimal import Decimal

    from reports.base import Frames, Meta, Range, Span
    from reports.charts import Chart
    from reports.views import Choice

ROWS_OF_A_BOARD = 500
PAGES_OF_A_DIMENSION = 40
"""Members with a page of their own, of each currency; the others have their row."""
RUNS_OF_A_MEMBER = 25
TREND_DAYS = 92
SERVICES_OF_A_CHART = 6

_UNSAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class OneMember:
    """A member that has a page, and what the page is made of."""

    path: str
    member: str
    name: str
    daily: Sequence[dict[str, Any]]
    runs: Sequence[dict[str, Any]]
    full_costs: Mapping[str, Sequence[dict[str, Any]]]
    """Currency -> what the member is made of, where that is known."""


@dataclass(frozen=True, slots=True)
class Members:
    """The report on one dimension."""

    dimension: str
    name: str
    title: str
    one: str
    """A member, in the middle of a sentence."""
    has_runs: bool = True

    def leaderboard(self, days: Range) -> Read:
        """Return the read of the dimension's leaderboard."""
        return Read("leaderboard", {"dimension": self.dimension, **days.params})

    def books(self, span: Span) -> Read:
        """Return the read of the dimension's proof."""
        return Read("books_proof", {"dimension": self.dimension, **span.params})

    def daily(self, span: Span) -> Read:
        """Return the read of what the dearest members cost by day and service."""
        params: dict[str, str | int] = {"dimension": self.dimension, "top": PAGES_OF_A_DIMENSION}
        return Read("member_daily", {**params, **span.recent(TREND_DAYS).params})

    @property
    def full_costs(self) -> FullCosts | None:
        """What members cost with all they were made from, in the dimensions that have that."""
        is_made = self.dimension in PARTS
        return FullCosts(self.dimension, PAGES_OF_A_DIMENSION) if is_made else None

    def runs(self, span: Span) -> Read:
        """Return the read of the members' dearest runs."""
        params: dict[str, str | int] = {"dimension": self.dimension, "top": RUNS_OF_A_MEMBER}
        return Read("member_runs", {**params, **span.recent(TREND_DAYS).params})

    def trend(self, span: Span) -> Read:
        """Return the read of the dimension's days."""
        params: dict[str, str | int] = {"dimension": self.dimension, "top": SERVICES_OF_A_CHART}
        return Read("trend_daily", {**params, **span.recent(TREND_DAYS).params})

    def reads(self, span: Span) -> Sequence[Read]:
        """Return every query the dimension's pages need."""
        boards_read = [self.leaderboard(days) for days in span.ranges()]
        runs = [self.runs(span)] if self.has_runs else []
        full = self.full_costs
        return [
            *boards_read,
            self.books(span),
            self.trend(span),
            self.daily(span),
            *runs,
            *([full.board, full.parts] if full else []),
            *choice_reads(span),
        ]

    def paths(self, frames: Frames, span: Span) -> dict[str, str]:
        """Return the members that have a page -> its path below the site's folder."""
        counts: dict[str, int] = {}
        paths: dict[str, str] = {}
        for record in frames.records(self.leaderboard(span.ranges()[-1])):
            currency, member = record["billing_currency"], record["member"]
            place = counts[currency] = counts.get(currency, 0) + (not is_nobodys(member))
            if place <= PAGES_OF_A_DIMENSION and not is_nobodys(member):
                paths[member] = f"{self.name}/{_file_name(member, record['member_name'])}.html"
        return paths

    def pages(self, frames: Frames, meta: Meta) -> Iterator[Page]:
        """Yield the page of all members, then one for each dear member."""
        span = meta.span
        paths = self.paths(frames, span)
        yield self._all_members(frames, span, paths)
        dearest = frames.records(self.leaderboard(span.ranges()[-1]))
        names = {record["member"]: record["member_name"] for record in dearest}
        daily = _by_member(frames.records(self.daily(span)))
        runs = _by_member(frames.records(self.runs(span))) if self.has_runs else {}
        made = self.full_costs.by_member(frames) if self.full_costs else {}
        for member, path in paths.items():
            rows, its_runs = daily.get(member, []), runs.get(member, [])
            its_parts = {currency: made[one, currency] for one, currency in made if one == member}
            one = OneMember(path, member, names[member], rows, its_runs, its_parts)
            yield self._one_member(one, span.recent(TREND_DAYS))

    def _all_members(self, frames: Frames, span: Span, paths: Mapping[str, str]) -> Page:
        ranges = span.ranges()
        choice = choice_of(frames, span)
        books = frames.records(self.books(span))
        views = []
        for days in ranges:
            read = self.leaderboard(days)
            found = boards(frames.records(read), top=ROWS_OF_A_BOARD, href=paths.get)
            for currency, board in found.items():
                content = {"board": board, "proof": proof(board, books, days, span), "read": read}
                views.append(choice.view(days, currency, content))
        return Page(
            path=f"{self.name}.html",
            title=self.title,
            template="members.html",
            context={
                "report": self,
                "choice": choice,
                "views": views,
                "full_costs": self.full_costs,
                "full_tables": self.full_costs and self.full_costs.tables(frames, choice, paths),
                "trends": trends(frames, self, choice, span),
                "trend_read": self.trend(span),
                "trend_days": span.recent(TREND_DAYS),
            },
        )

    def _one_member(self, one: OneMember, days: Range) -> Page:
        read_daily = Read(
            "member_daily", {"dimension": self.dimension, "member": one.member, **days.params}
        )
        read_runs = Read(
            "member_runs", {"dimension": self.dimension, "member": one.member, **days.params}
        )
        return Page(
            path=one.path,
            title=member_name(one.name),
            template="member.html",
            context={
                "report": self,
                "days": days,
                "parts": [
                    _part(currency, rows, one, days)
                    for currency, rows in _by(one.daily, "billing_currency").items()
                ],
                "read_daily": read_daily,
                "read_runs": read_runs if self.has_runs else None,
                "full_costs": one.full_costs,
                "explain": explaining(f"{self.dimension}={one.member}", days),
                "read_full": self.full_costs and self.full_costs.parts_of(one.member),
            },
        )


DIMENSIONS = (
    Members("user", "users", "Users", "user"),
    Members("team", "teams", "Teams", "team"),
    Members("project", "projects", "Projects", "project"),
    Members("model", "models", "Models", "model"),
    Members("dataset", "datasets", "Datasets", "dataset", has_runs=False),
    Members("service", "services", "Services", "service", has_runs=False),
)


def trends(
    frames: Frames, members: Members, choice: Choice, span: Span
) -> list[tuple[int, str, Chart]]:
    """Return a chart of the days for each currency, with the currency's number and name."""
    charts = []
    for currency, rows in _by(frames.records(members.trend(span)), "billing_currency").items():
        series = [
            Series(
                member,
                of_member[0]["member_name"],
                {row["charge_date"]: row["effective_cost"] for row in of_member},
            )
            for member, of_member in _by(rows, "member").items()
        ]
        series.sort(key=lambda one: (_rank(one.member), -sum(one.amounts.values(), ZERO)))
        summary = f"Cost in {currency} by day, stacked by {members.one}; {len(series)} series."
        chart = stacked_days(series, currency, span.recent(TREND_DAYS), summary=summary)
        charts.append((choice.number(currency), currency, chart))
    return sorted(charts, key=lambda entry: entry[0])


def _rank(member: str) -> int:
    """Order series: members, then the others, then what is nobody's."""
    return 1 if member == "(others)" else 2 if is_nobodys(member) else 0


def run_row(run: Mapping[str, Any], most: Decimal) -> dict[str, Any]:
    """Return a run as a table shows it; the bar is against the dearest run, `most`."""
    currency = run["billing_currency"]
    return {
        "name": visible(run["run_name"] or run["run_id"]),
        "run_id": visible(run["run_id"]),
        "experiment": visible(run["experiment"] or DASH),
        "user": member_name(run["user_name"] or "unattributed"),
        "team": member_name(run["team"] or "unattributed"),
        "model": member_name(run["model"] or "not a model's"),
        "status": visible(run["status"] or DASH),
        "is_failed": run["status"] in ("failed", "lost"),
        "started": moment(run["started_at"]),
        "started_value": run["started_at"].isoformat(),
        "duration": f"{hours(run['duration_hours'])} h",
        "gpu_hours": hours(run["gpu_hours"]),
        "cost": money(run["effective_cost"], currency),
        "exact": exact(run["effective_cost"], currency),
        "bar": bar(run["effective_cost"], most),
        "is_provisional": run["is_provisional"],
    }


def _part(
    currency: str,
    daily: Sequence[dict[str, Any]],
    one: OneMember,
    days: Range,
) -> dict[str, Any]:
    """Return a member's page in one currency."""
    total = sum((row["effective_cost"] for row in daily), ZERO)
    services: dict[str, dict[date, Decimal]] = {}
    for row in daily:
        services.setdefault(str(row["service_name"]), {})[row["charge_date"]] = row[
            "effective_cost"
        ]
    costs = {service: sum(amounts.values(), ZERO) for service, amounts in services.items()}
    dearest = sorted(costs, key=lambda service: (-costs[service], service))
    runs = [run for run in one.runs if run["billing_currency"] == currency]
    most = max((run["effective_cost"] for run in runs), default=ZERO)
    gpu_hours = sum((row["gpu_hours"] or ZERO for row in daily), ZERO)
    dearest_day = max(_day_costs(daily).items(), key=lambda entry: (entry[1], entry[0]))
    return {
        "currency": currency,
        "total": money(total, currency),
        "exact": exact(total, currency),
        "gpu_hours": hours(gpu_hours),
        "dearest_day": day(dearest_day[0]),
        "dearest_cost": money(dearest_day[1], currency),
        "chart": stacked_days(
            _series(services, dearest),
            currency,
            days,
            summary=f"Cost of {member_name(one.name)} in {currency} by day and service.",
        ),
        "services": [
            {
                "name": visible(service),
                "cost": money(costs[service], currency),
                "exact": exact(costs[service], currency),
                "share": percent(costs[service], total),
                "bar": bar(costs[service], costs[dearest[0]]),
            }
            for service in dearest
        ],
        "runs": [run_row(run, most) for run in runs],
    }


def _series(services: Mapping[str, dict[date, Decimal]], dearest: Sequence[str]) -> list[Series]:
    """Return the dearest services, and the others as one."""
    series = [Series(name, name, services[name]) for name in dearest[:SERVICES_OF_A_CHART]]
    others: dict[date, Decimal] = {}
    for name in dearest[SERVICES_OF_A_CHART:]:
        for when, amount in services[name].items():
            others[when] = others.get(when, ZERO) + amount
    return [*series, Series("(others)", "(others)", others)] if others else series


def _day_costs(daily: Sequence[dict[str, Any]]) -> dict[date, Decimal]:
    costs: dict[date, Decimal] = {}
    for row in daily:
        costs[row["charge_date"]] = costs.get(row["charge_date"], ZERO) + row["effective_cost"]
    return costs


def _by_member(records: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return _by(records, "member")


def _by(records: Sequence[dict[str, Any]], column: str) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(record[column], []).append(record)
    return groups


def _file_name(member: str, name: str) -> str:
    """Return a file name that no member can steer: letters of the name, and a digest."""
    letters = _UNSAFE.sub("-", name.lower()).strip("-")[:40] or "member"
    return f"{letters}-{sha256(member.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"
