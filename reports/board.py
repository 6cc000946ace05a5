"""Leaderboards: rows with a bar and a number, and the proof line that stands under them.

One board is one currency; currencies are never added. What is nobody's follows the members in
rows of its own, so that the rows shown add up to the bill, and the line below says by how much
they do not: 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from reports.figures import (
    COLOURS,
    DASH,
    bar,
    change,
    exact,
    hours,
    is_nobodys,
    member_name,
    money,
    percent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from reports.base import Range, Span

ZERO = Decimal(0)
UNCHANGEABLE = ("(shared)", "(tax)", "(unused commitment)", "(credit)")


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One member of a board, ready to be shown."""

    place: int | None
    name: str
    note: str
    """A second, quieter name: the team of a user."""
    href: str | None
    kind: str
    """Word for the style sheet: member, more, other, or one of `COLOURS`."""
    cost: str
    exact: str
    share: str
    bar: float
    change: str
    direction: str
    """up, down or same."""
    gpu_hours: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What the rows add up to, beside what was billed."""

    parts: Sequence[tuple[str, str, str]]
    """Name, amount, exact amount: attributed, idle, shared, unattributed."""
    billed: str
    billed_exact: str
    difference: str
    """With all its places."""
    closes: bool
    is_whole: bool
    """False: the days are part of months, and the months' books are what is proven."""
    months: str


@dataclass(frozen=True, slots=True)
class Board:
    """One leaderboard in one currency."""

    currency: str
    rows: Sequence[BoardRow]
    nobodys: Sequence[BoardRow]
    total: str
    total_exact: str
    total_value: Decimal
    member_count: int


def boards(
    records: Iterable[dict[str, Any]],
    *,
    top: int,
    href: Callable[[str], str | None],
    is_brief: bool = False,
) -> dict[str, Board]:
    """Return a board for each currency of a leaderboard's records, as many members as `top`.

    A brief one has a single row for what no member could change: shared, tax and the like.
    """
    by_currency: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_currency.setdefault(record["billing_currency"], []).append(record)
    return {
        currency: _board(currency, rows, top, href, is_brief=is_brief)
        for currency, rows in sorted(by_currency.items())
    }


def _board(
    currency: str,
    records: Sequence[dict[str, Any]],
    top: int,
    href: Callable[[str], str | None],
    *,
    is_brief: bool,
) -> Board:
    total = sum((record["effective_cost"] for record in records), ZERO)
    members = [record for record in records if not is_nobodys(record["member"])]
    nobodys = [record for record in records if is_nobodys(record["member"])]
    if is_brief:
        nobodys = _lumped(nobodys)
    most = max((record["effective_cost"] for record in records), default=ZERO)
    rows = [
        _row(record, currency, total, most, place=place, href=href(record["member"]))
        for place, record in enumerate(members[:top], 1)
    ]
    rest = members[top:]
    if rest:
        rows.append(_row(_summed(rest, f"{len(rest)} more"), currency, total, most))
    return Board(
        currency=currency,
        rows=rows,
        nobodys=[
            _row(record, currency, total, most, href=href(record["member"])) for record in nobodys
        ],
        total=money(total, currency),
        total_exact=exact(total, currency),
        total_value=total,
        member_count=len(members),
    )


def _lumped(nobodys: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with those that no member could change summed into one, the last."""
    lump = [record for record in nobodys if record["member"] in UNCHANGEABLE]
    if len(lump) < 2:  # noqa: PLR2004 - one alone keeps its name
        return list(nobodys)
    name = ", ".join(member_name(record["member"]) for record in lump).capitalize()
    others = [record for record in nobodys if record["member"] not in UNCHANGEABLE]
    return [*others, _summed(lump, name) | {"member": "(lumped)"}]


def _summed(records: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    before = [record["previous_cost"] for record in records if record["previous_cost"] is not None]
    return {
        "member": None,
        "member_name": name,
        "team": None,
        "effective_cost": sum((record["effective_cost"] for record in records), ZERO),
        "previous_cost": sum(before, ZERO) if before else None,
        "gpu_hours": sum((record["gpu_hours"] or ZERO for record in records), ZERO),
    }


def _row(  # noqa: PLR0913 - a row is drawn from all of it
    record: dict[str, Any],
    currency: str,
    total: Decimal,
    most: Decimal,
    *,
    place: int | None = None,
    href: str | None = None,
) -> BoardRow:
    cost, before = record["effective_cost"], record["previous_cost"]
    gpu_hours = record["gpu_hours"] or ZERO
    return BoardRow(
        place=place,
        name=member_name(record["member_name"]),
        note=member_name(record["team"] or "") if record["team"] != record["member"] else "",
        href=href,
        kind=_kind(record["member"]),
        cost=money(cost, currency),
        exact=exact(cost, currency),
        share=percent(cost, total),
        bar=bar(cost, most),
        change=change(cost, before),
        direction=_direction(cost, before),
        gpu_hours=hours(gpu_hours) if gpu_hours else DASH,
    )


def _kind(member: str | None) -> str:
    if member is None:
        return "more"
    if not is_nobodys(member) and member != "(lumped)":
        return "member"
    return COLOURS.get(member, "other")


def _direction(now: Decimal, before: Decimal | None) -> str:
    if before is None or now == before:
        return "same"
    return "up" if now > before else "down"


def proof(board: Board, books: Sequence[dict[str, Any]], days: Range, span: Span) -> Proof | None:
    """Return what the board's rows prove; none where the books hold no month of the range.

    `books` are the records of `books_proof` in the board's dimension.
    """
    months = [
        record
        for record in books
        if record["billing_currency"] == board.currency and days.touches(record["charge_month"])
    ]
    if not months:
        return None
    is_whole = all(days.covers(record["charge_month"], span) for record in months)
    billed = _sum(months, "billed")
    difference = billed - board.total_value if is_whole else _sum(months, "difference")
    currency = board.currency
    return Proof(
        parts=[
            (name, money(amount, currency), exact(amount, currency))
            for name in ("attributed", "idle", "shared", "unattributed")
            for amount in (_sum(months, name),)
        ],
        billed=money(billed, currency),
        billed_exact=exact(billed, currency),
        difference=f"{difference:.12f}",
        closes=not difference and not _sum(months, "difference"),
        is_whole=is_whole,
        months=_month_names([record["charge_month"] for record in months]),
    )


def _sum(records: Sequence[dict[str, Any]], column: str) -> Decimal:
    return sum((record[column] for record in records), ZERO)


def _month_names(months: Sequence[date]) -> str:
    first, last = min(months), max(months)
    return f"{last:%B %Y}" if first == last else f"{first:%B %Y} to {last:%B %Y}"
