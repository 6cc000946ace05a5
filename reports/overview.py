"""The first page: who spent what on which model, what was idle, what nobody owns, and the proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.base import Page, Read
from reports.board import ZERO, boards, proof
from reports.books import coverage_rows, freshness_rows
from reports.figures import (
    DASH,
    bar,
    change,
    exact,
    member_name,
    money,
    percent,
    visible,
    whole_money,
)
from reports.machines import idle_read, machine_rows
from reports.members import DIMENSIONS, TREND_DAYS, trends
from reports.views import choice_of, choice_reads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from decimal import Decimal

    from reports.base import Frames, Meta, Range, Span
    from reports.views import Choice, View

ROWS_OF_A_BOARD = 7
ROWS_OF_THE_MATRIX = 7
COLUMNS_OF_THE_MATRIX = 6
MACHINES = 5
BOARDS = DIMENSIONS[:5]
TEAMS = DIMENSIONS[1]

KINDS = {
    "direct": ("Attributed", "direct"),
    "idle": ("Idle", "idle"),
    "shared": ("Shared", "shared"),
    "commitment_unused": ("Unused commitment", "commitment"),
    "tax": ("Tax", "tax"),
    "credit": ("Credit", "credit"),
    "unattributed": ("Unattributed", "unattributed"),
}
"""Cost kind -> its name, and the word for the style sheet; in the order of the bar."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The site's first page."""

    name: str = "index"
    title: str = "Overview"

    def reads(self, span: Span) -> Sequence[Read]:
        """Return every query the page needs."""
        ranges = span.ranges()
        by_range = [read for days in ranges for read in self._reads_of(days)]
        return [
            *by_range,
            *(board.books(span) for board in BOARDS),
            TEAMS.trend(span),
            *choice_reads(span),
            Read("coverage", {"dimension": "user"}),
            Read("freshness"),
        ]

    def _reads_of(self, days: Range) -> list[Read]:
        return [
            *(board.leaderboard(days) for board in BOARDS),
            _kinds_read(days),
            _matrix_read(days),
            _unowned_read(days),
            idle_read(days),
        ]

    def pages(self, frames: Frames, meta: Meta) -> Iterator[Page]:
        """Yield the one page."""
        span = meta.span
        ranges = span.ranges()
        choice = choice_of(frames, span)
        paths = {board.name: board.paths(frames, span) for board in BOARDS}
        yield Page(
            path="index.html",
            title=self.title,
            template="overview.html",
            context={
                "choice": choice,
                "views": [
                    view
                    for days in ranges
                    for view in self._views(frames, span, choice, days, paths)
                ],
                "trends": trends(frames, TEAMS, choice, span),
                "trend_read": TEAMS.trend(span),
                "trend_days": span.recent(TREND_DAYS),
                "coverage": coverage_rows(frames.records(Read("coverage", {"dimension": "user"}))),
                "coverage_read": Read("coverage", {"dimension": "user"}),
                "freshness": freshness_rows(frames.records(Read("freshness"))),
                "freshness_read": Read("freshness"),
            },
        )

    def _views(
        self,
        frames: Frames,
        span: Span,
        choice: Choice,
        days: Range,
        paths: Mapping[str, Mapping[str, str]],
    ) -> Iterator[View[dict[str, Any]]]:
        kinds = _by_currency(frames.records(_kinds_read(days)))
        matrices = _by_currency(frames.records(_matrix_read(days)))
        unowned = _by_currency(frames.records(_unowned_read(days)))
        machines = _by_currency(frames.records(idle_read(days)))
        found = {
            board.name: boards(
                frames.records(board.leaderboard(days)),
                top=ROWS_OF_A_BOARD,
                href=paths[board.name].get,
                is_brief=True,
            )
            for board in BOARDS
        }
        for currency in choice.currencies:
            if currency not in found[TEAMS.name]:
                continue
            content = {
                "headline": _headline(
                    kinds.get(currency, []),
                    frames.records(TEAMS.leaderboard(days)),
                    currency,
                ),
                "boards": [
                    {
                        "report": board,
                        "board": found[board.name][currency],
                        "proof": proof(
                            found[board.name][currency],
                            frames.records(board.books(span)),
                            days,
                            span,
                        ),
                        "read": board.leaderboard(days),
                    }
                    for board in BOARDS
                    if currency in found[board.name]
                ],
                "kinds_read": _kinds_read(days),
                "matrix": matrix(matrices.get(currency, []), currency, paths),
                "matrix_read": _matrix_read(days),
                "unowned": _unowned(unowned.get(currency, []), currency),
                "unowned_read": _unowned_read(days),
                "machines": machine_rows(machines.get(currency, []))[:MACHINES],
                "machines_read": idle_read(days),
            }
            yield choice.view(days, currency, content)


def _kinds_read(days: Range) -> Read:
    return Read("cost_kinds", {"dimension": "team", **days.params})


def _matrix_read(days: Range) -> Read:
    return Read("users_by_model", days.params)


def _unowned_read(days: Range) -> Read:
    return Read("unattributed", {"dimension": "team", **days.params})


def _by_currency(records: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(record["billing_currency"], []).append(record)
    return groups


def _headline(
    kinds: Sequence[dict[str, Any]], leaderboard: Sequence[dict[str, Any]], currency: str
) -> dict[str, Any]:
    """Return the total, how it moved, and what became of it."""
    costs = {record["cost_kind"]: record["effective_cost"] for record in kinds}
    total = sum(costs.values(), ZERO)
    before = [
        record["previous_cost"]
        for record in leaderboard
        if record["billing_currency"] == currency and record["previous_cost"] is not None
    ]
    positive = sum((cost for cost in costs.values() if cost > 0), ZERO)
    order = [*KINDS, *sorted(kind for kind in costs if kind not in KINDS)]
    segments, start = [], 0.0
    for kind in order:
        if not costs.get(kind):
            continue
        name, style = KINDS.get(kind, (visible(kind), "other"))
        width = bar(costs[kind], positive)
        segments.append(
            {
                "name": name,
                "style": style,
                "start": round(start, 2),
                "width": width,
                "share": percent(costs[kind], total),
                "cost": money(costs[kind], currency),
                "exact": exact(costs[kind], currency),
            }
        )
        start += width
    return {
        "total": whole_money(total, currency),
        "exact": exact(total, currency),
        "change": change(total, sum(before, ZERO)) if before else "",
        "segments": segments,
    }


def matrix(
    records: Sequence[dict[str, Any]], currency: str, paths: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return users against models: the dearest of both, the rest summed, everything added up."""
    by_user = _ranked(records, "user_id")
    by_model = _ranked(records, "model_name")
    users, models = by_user[:ROWS_OF_THE_MATRIX], by_model[:COLUMNS_OF_THE_MATRIX]
    names = {record["user_id"]: record["user_name"] for record in records}
    cells: dict[tuple[str | None, str | None], Decimal] = {}
    for record in records:
        user = record["user_id"] if record["user_id"] in users else None
        model = record["model_name"] if record["model_name"] in models else None
        for key in ((user, model), (user, "total"), ("total", model), ("total", "total")):
            cells[key] = cells.get(key, ZERO) + record["effective_cost"]
    rows: list[str | None] = [*users, *([None] if len(by_user) > len(users) else [])]
    columns: list[str | None] = [*models, *([None] if len(by_model) > len(models) else [])]
    most = max((cost for (user, _), cost in cells.items() if user in users), default=ZERO)
    top = max((cells.get((user, model), ZERO) for user in users for model in models), default=most)
    return {
        "columns": [
            {
                "name": f"{len(by_model) - len(models)} more"
                if model is None
                else member_name(model),
                "href": paths["models"].get(model or ""),
            }
            for model in columns
        ],
        "rows": [
            {
                "name": f"{len(by_user) - len(users)} more"
                if user is None
                else member_name(names[user]),
                "href": paths["users"].get(user or ""),
                "cells": [_cell(cells.get((user, model)), top, currency) for model in columns],
                "total": _cell(cells.get((user, "total")), ZERO, currency),
            }
            for user in rows
        ],
        "totals": [_cell(cells.get(("total", model)), ZERO, currency) for model in columns],
        "total": _cell(cells.get(("total", "total")), ZERO, currency),
    }


def _ranked(records: Sequence[dict[str, Any]], column: str) -> list[str]:
    costs: dict[str, Decimal] = {}
    for record in records:
        costs[record[column]] = costs.get(record[column], ZERO) + record["effective_cost"]
    return sorted(costs, key=lambda name: (-costs[name], name))


def _cell(cost: Decimal | None, most: Decimal, currency: str) -> dict[str, Any]:
    """Return a cell: its number, and how deep its tint is, 0 to 5."""
    if cost is None:
        return {"cost": "", "exact": "", "heat": 0}
    heat = min(5, 1 + int(bar(cost, most) / 20)) if most and cost > 0 else 0
    return {"cost": whole_money(cost, currency), "exact": exact(cost, currency), "heat": heat}


def _unowned(records: Sequence[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    most = max((record["effective_cost"] for record in records), default=ZERO)
    return [
        {
            "service": visible(record["service_name"] or DASH),
            "source": visible(record["source"]),
            "cost": money(record["effective_cost"], currency),
            "exact": exact(record["effective_cost"], currency),
            "bar": bar(record["effective_cost"], most),
        }
        for record in records[:MACHINES]
    ]


OVERVIEW = Overview()
