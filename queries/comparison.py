"""Two generations, or a build and a generation: whose figures differ, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from queries.engines.duckdb import Limits, connect, literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal
    from pathlib import Path

    from queries.engines.duckdb import Connection

_QUERY = """
with

sums as (
    select dimension, member, billing_currency, 0 as before, effective_cost as after
    from marts.spend_daily
    union all
    select dimension, member, billing_currency, effective_cost, 0
    from earlier.marts.spend_daily
)

select
    dimension,
    member,
    billing_currency,
    cast(sum(before) as decimal(38, 12)) as before,
    cast(sum(after) as decimal(38, 12)) as after
from sums
where list_contains({dimensions}, dimension)
group by dimension, member, billing_currency
having sum(before) <> sum(after)
order by dimension, abs(sum(after) - sum(before)) desc, member, billing_currency
"""


@dataclass(frozen=True, slots=True)
class Moved:
    """A member whose cost differs."""

    dimension: str
    member: str
    billing_currency: str
    before: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        """What it has more now."""
        return self.after - self.before


def open_beside(generation: Path) -> Connection:
    """Open a generation so that another can be looked at beside it."""
    con = connect(Limits())
    con.execute(f"attach {literal(str(generation))} as now (read_only)")
    con.execute("use now")
    return con


def compare(con: Connection, earlier: Path, dimensions: Sequence[str]) -> list[Moved]:
    """Return the members whose effective cost over all days differs from an earlier generation's.

    Within a dimension, the largest change comes first. `con` holds the marts of now.
    """
    con.execute(f"attach {literal(str(earlier))} as earlier (read_only)")
    try:
        listed = "[" + ", ".join(literal(name) for name in dimensions) + "]"
        rows = con.execute(_QUERY.format(dimensions=listed)).fetchall()
    finally:
        con.execute("detach earlier")
    return [Moved(*row) for row in rows]
