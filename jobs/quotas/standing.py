"""Where quotas stand in the newest generation, in a small file that is read in a millisecond.

`quotas/<generation>.json` is written when a generation is published. The plan and the gate read it
and nothing else of the warehouse. Its settings are those of the night: a config file that is being
edited changes nothing until a night has read it whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FOLDER = "quotas"
ROLLING = "days"


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """One row of `marts.quotas`."""

    quota: str
    dimension: str
    member: str
    measure: str
    window_kind: str
    window_start: date
    window_end: date
    """Exclusive."""
    limit_amount: Decimal
    used_amount: Decimal
    forecast_amount: Decimal | None
    billing_currency: str | None
    provisional_amount: Decimal
    state: str

    @property
    def until(self) -> date:
        """When a stop for it ends at the latest: a rolling window has forgotten today by then."""
        if self.window_kind != ROLLING:
            return self.window_end
        return self.window_end + (self.window_end - self.window_start)

    @property
    def window_key(self) -> str:
        """What names its window in the journal: a rolling one is one window for ever."""
        return "" if self.window_kind == ROLLING else self.window_start.isoformat()

    def is_over(self, today: date) -> bool:
        """Tell whether the window has ended, so that nobody is to be stopped for it."""
        return today >= self.until


@dataclass(frozen=True, slots=True)
class Rule:
    """What the config file said of a quota when the night ran."""

    name: str
    dimension: str
    member: str
    measure: str
    window: str
    limit_amount: Decimal
    billing_currency: str | None
    thresholds: tuple[tuple[Decimal, str], ...]
    """(share of the limit, action), rising."""

    @property
    def enforced_at(self) -> Decimal | None:
        """The amount at which new work is stopped; none where it never is."""
        shares = [share for share, action in self.thresholds if action == "enforce"]
        return self.limit_amount * shares[0] if shares else None

    def reached(self, used: Decimal) -> tuple[tuple[Decimal, str], ...]:
        """Return the thresholds that are reached."""
        return tuple(
            (share, action)
            for share, action in self.thresholds
            if used >= self.limit_amount * share
        )


@dataclass(frozen=True, slots=True)
class Price:
    """What GPU-hours have cost a team lately, by GPU model."""

    team: str
    gpu_model: str
    billing_currency: str
    gpu_hours: Decimal
    effective_cost: Decimal


@dataclass(frozen=True, slots=True)
class Table:
    """How new a table of a source is."""

    source: str
    table_name: str
    newest_unit: str
    is_stale: bool
    note: str

    @property
    def is_dated(self) -> bool:
        """Tell whether it grows by days or months; what is kept by hand may be old."""
        return self.newest_unit[:4].isdecimal() and self.newest_unit[4:5] == "-"


@dataclass(frozen=True, slots=True)
class Standings:
    """Where every quota stands, and what that rests on."""

    generation: str
    as_of: date | None
    """The newest charge date; none where there is no cost."""
    open_books: int
    """Lines of the books that do not close; 0, or the generation would not be there."""
    rows: tuple[QuotaRow, ...]
    rules: tuple[Rule, ...]
    prices: tuple[Price, ...]
    tables: tuple[Table, ...]
    members: Mapping[str, tuple[str, ...]]
    """Dimension -> everybody known, for the dimensions that quotas and levers speak of."""
    gate: Mapping[str, Any]
    teams: Mapping[str, str] = field(default_factory=dict)
    """User -> the team they are in, for those of whom it is known."""

    def rule_of(self, row: QuotaRow) -> Rule:
        """Return the quota that a row is about."""
        return next(rule for rule in self.rules if rule.name == row.quota)


def path_of(state_dir: Path, generation: str) -> Path:
    """Return where the standings of a generation lie."""
    return state_dir / FOLDER / f"{generation}.json"


def newest_standings(state_dir: Path) -> Standings | None:
    """Return where quotas stand in the generation in force; none where nobody wrote it down."""
    try:
        number = (state_dir / "generations" / "current").read_text(encoding="ascii").strip()
        text = path_of(state_dir, number).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return read_standings(json.loads(text))


def read_standings(table: Mapping[str, Any]) -> Standings:
    """Read what `writing.py` wrote."""
    return Standings(
        generation=table["generation"],
        as_of=None if table["as_of"] is None else date.fromisoformat(table["as_of"]),
        open_books=table["open_books"],
        rows=tuple(_row(row) for row in table["rows"]),
        rules=tuple(_rule(rule) for rule in table["rules"]),
        prices=tuple(
            Price(row[0], row[1], row[2], Decimal(row[3]), Decimal(row[4]))
            for row in table["prices"]
        ),
        tables=tuple(Table(*row) for row in table["tables"]),
        members={dimension: tuple(names) for dimension, names in table["members"].items()},
        gate=table["gate"],
        teams=table.get("teams", {}),
    )


def _row(row: Sequence[Any]) -> QuotaRow:
    return QuotaRow(
        quota=row[0],
        dimension=row[1],
        member=row[2],
        measure=row[3],
        window_kind=row[4],
        window_start=date.fromisoformat(row[5]),
        window_end=date.fromisoformat(row[6]),
        limit_amount=Decimal(row[7]),
        used_amount=Decimal(row[8]),
        forecast_amount=None if row[9] is None else Decimal(row[9]),
        billing_currency=row[10],
        provisional_amount=Decimal(row[11]),
        state=row[12],
    )


def _rule(rule: Mapping[str, Any]) -> Rule:
    return Rule(
        name=rule["name"],
        dimension=rule["dimension"],
        member=rule["member"],
        measure=rule["measure"],
        window=rule["window"],
        limit_amount=Decimal(rule["limit_amount"]),
        billing_currency=rule["billing_currency"],
        thresholds=tuple((Decimal(share), action) for share, action in rule["thresholds"]),
    )


def days_old(as_of: date, today: date) -> int:
    """Return how many whole days lie between the newest charge date and today."""
    return (today - as_of - timedelta(days=1)).days
