"""Shared cost that teams are to carry, as the config file says: `raw.shared_costs`.

A rule empties members of the leaderboard of teams, such as `(tax)` or the platform team, into the
others. Nothing of the books changes: the result is a mart of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from queries.engines.duckdb import Connection

Split = Literal["proportional", "even", "fixed"]
COLUMNS = (
    "position integer, rule varchar, from_member varchar, split varchar, "
    "to_member varchar, share decimal(18, 12)"
)


@dataclass(frozen=True, slots=True)
class SharedCost:
    """Who is to carry what some members of the leaderboard of teams cost."""

    name: str
    from_members: tuple[str, ...]
    split: Split
    """By what each costs so far, in equal parts, or by `shares`."""
    to_teams: tuple[str, ...] = ()
    """Those that carry it; none: every team that no rule up to this one empties."""
    shares: Mapping[str, Decimal] | None = None
    """`fixed`: team -> its share; what is left of 1 stays where it was."""


def create_shared_costs(con: Connection, rules: Sequence[SharedCost]) -> None:
    """Create the table of rules: a row for each pair of members that one names.

    `to_member` is null where a rule names none.
    """
    con.execute(f"create or replace table raw.shared_costs ({COLUMNS})")
    rows = [
        (position, rule.name, member, rule.split, team, (rule.shares or {}).get(team or ""))
        for position, rule in enumerate(rules, 1)
        for member in rule.from_members
        for team in (*(rule.shares or rule.to_teams),) or (None,)
    ]
    if rows:
        con.executemany("insert into raw.shared_costs values (?, ?, ?, ?, ?, ?)", rows)
