"""What a figure is made of: the postings behind a member of a dimension, by rule and method."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from queries import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from queries.engines.duckdb import Connection

_COLUMNS: Mapping[str, tuple[str, str]] = {
    "user": ("user_id", "user_rule"),
    "team": ("team", "team_rule"),
    "project": ("project", "project_rule"),
    "service": ("service_name", "'the bill'"),
    "run": ("run_id", "method"),
}
"""Dimension -> column of the postings that names the member, and the rule that found it."""
DIMENSIONS = tuple(_COLUMNS)

_NOBODY = """case cost_kind
    when 'idle' then '(idle)'
    when 'shared' then '(shared)'
    when 'tax' then '(tax)'
    when 'credit' then '(credit)'
    when 'commitment_unused' then '(unused commitment)'
    else 'unattributed'
end"""


def explain(
    con: Connection, dimension: str, member: str, days: tuple[date | None, date | None]
) -> list[dict[str, object]]:
    """Return the parts of a member's cost, dearest first in each currency; they add up to it.

    `days` are the first and the last one, both inclusive; none: without a bound.

    Raises: ModelError for a dimension that postings do not have, or a member without cost.
    """
    if dimension not in _COLUMNS:
        raise ModelError(
            f'"{dimension}" is not explained by postings',
            where="the question",
            fix=f"ask for one of {', '.join(DIMENSIONS)}",
        )
    column, rule = _COLUMNS[dimension]
    named = f"coalesce({column}, {_NOBODY})"
    cursor = con.execute(
        f"select billing_currency, source, billing_period, service_name, line_class, cost_kind, "
        f"method, {rule} as rule, sum(effective_cost) as effective_cost, "
        f"sum(billed_cost) as billed_cost from marts.postings_daily where {named} = $member "
        "and charge_date between coalesce($first, charge_date) and coalesce($last, charge_date) "
        "group by all order by billing_currency, effective_cost desc, 2, 3, 4, 5, 6, 7, 8",
        {"member": member, "first": days[0], "last": days[1]},
    )
    columns = [str(column[0]) for column in cursor.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    if not rows:
        raise _no_cost(con, dimension, member, named)
    return rows


def _no_cost(con: Connection, dimension: str, member: str, named: str) -> ModelError:
    rows = con.execute(f"select distinct {named} from marts.postings_daily").fetchall()
    near = get_close_matches(member, [str(row[0]) for row in rows], 1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return ModelError(
        f'the {dimension} "{member}" has no cost in these days{hint}',
        where="marts.postings_daily",
        fix=f"`mlspend sql --named leaderboard --param dimension={dimension}` names those that do",
    )
