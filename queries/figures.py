"""The published figures that can be explained: a member's, a run's, or a full cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queries import ModelError
from queries.answers import visible
from queries.catalog import HOME
from queries.hints import did_you_mean
from queries.named import parse_query
from queries.run_records import run_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from queries.engines.duckdb import Connection
    from queries.named import Value

RUN = "run"
"""Not a dimension of the marts: a run's cost is its own figure."""
FULL_COSTS = {"model_full_cost": "model", "dataset_full_cost": "dataset"}
"""A figure that holds what a member was made from, too -> the dimension of the member."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a member cost in one currency, and where that stands."""

    member: str
    """A run by its run_id, whatever it was asked for by."""
    billing_currency: str
    from_date: date
    to_date: date
    bills: Sequence[tuple[str, str]]
    """(source, billing period as YYYY-MM)."""


def figures_of(
    con: Connection, dimension: str, member: str, days: tuple[date | None, date | None]
) -> list[Figures]:
    """Return a member's figures, a currency each; `days` are inclusive, none is without a bound.

    A run is asked for by its run_id or by any system's id, and for all its days, as is a full cost.

    Raises: ModelError for a dimension or a member that there is not, with the nearest name.
    """
    if dimension == RUN:
        return _figures_of_run(con, member)
    if dimension in FULL_COSTS:
        return _full_costs_of(con, dimension, member)
    rows = con.execute(
        "select billing_currency, min(charge_date), max(charge_date), "
        "list(distinct {'source': source, 'period': strftime(billing_period, '%Y-%m')}) "
        "from published.marts.spend_daily where dimension = $dimension and member = $member "
        "and charge_date between coalesce($first, charge_date) and coalesce($last, charge_date) "
        "group by billing_currency order by billing_currency",
        {"dimension": dimension, "member": member, "first": days[0], "last": days[1]},
    ).fetchall()
    if not rows:
        raise _unknown(con, dimension, member)
    return [
        Figures(member, row[0], days[0] or row[1], days[1] or row[2], _bills(row[3]))
        for row in rows
    ]


def _figures_of_run(con: Connection, given: str) -> list[Figures]:
    run_id = run_named(con, given)
    rows = con.execute(
        "select billing_currency, min(charge_date), max(charge_date), "
        "list(distinct {'source': source, 'period': strftime(billing_period, '%Y-%m')}) "
        "from attribution.postings where run_id = $run_id "
        "group by billing_currency order by billing_currency",
        {"run_id": run_id},
    ).fetchall()
    if not rows:
        raise _unbilled(con, given, run_id)
    return [Figures(run_id, row[0], row[1], row[2], _bills(row[3])) for row in rows]


def _unbilled(con: Connection, given: str, run_id: str) -> ModelError:
    """Say why a run has no cost, as far as the bills tell."""
    found = con.execute(
        "select distinct billed.resource_id, coalesce(billed.x_line_class, 'other') "
        "from staging.cost_lines as billed inner join attribution.run_stays as stays "
        "on split_part(billed.resource_id, '/', -1) in (stays.instance_id, stays.node) "
        "where stays.run_id = $run_id and billed.x_line_class is distinct from 'instance' "
        "order by all limit 1",
        {"run_id": run_id},
    ).fetchone()
    if found is None:
        return ModelError(
            f'no bill shows the run "{given}"',
            where="marts.runs",
            fix="its machine is not on a bill yet, or nothing says where it ran",
        )
    return ModelError(
        f'the run "{given}" was on {visible(str(found[0]))}, whose lines on the bill are '
        f"not told apart as a machine's: they are of the class {found[1]}",
        where="staging.cost_lines",
        fix='have the bill say so (FOCUS: ServiceSubcategory "Virtual Machines", or a SkuMeter '
        'with "instance"), or read it by [connectors.mapped_csv] with line_class = "instance"',
    )


def _full_costs_of(con: Connection, asked: str, member: str) -> list[Figures]:
    about = FULL_COSTS[asked]
    currencies = con.execute(
        f"select distinct billing_currency from published.marts.{asked} where {about} = $member "
        "order by billing_currency",
        {"member": member},
    ).fetchall()
    if not currencies:
        names = con.execute(f"select distinct {about} from published.marts.{asked}").fetchall()
        hint = did_you_mean(member, [str(row[0]) for row in names])
        raise ModelError(
            f'the {about} "{member}" has no full cost{hint}',
            where=f"marts.{asked}",
            fix=f"`mlspend sql --named {asked}` names those that do",
        )
    figures = []
    for (currency,) in currencies:
        rows = ask(
            con,
            "full_cost_parts",
            {"dimension": about, "member": member, "billing_currency": currency},
        )
        days = [row["charge_date"] for row in rows]
        bills = {(row["source"], f"{row['billing_period']:%Y-%m}") for row in rows}
        figures.append(Figures(member, currency, min(days), max(days), sorted(bills)))
    return figures


def ask(con: Connection, query: str, params: Mapping[str, Value]) -> list[dict[str, Any]]:
    """Return the rows of a query in `queries/explained/`, as column -> value."""
    path = HOME / "explained" / f"{query}.sql"
    parsed = parse_query(query, path.read_text(encoding="utf-8"))
    cursor = con.execute(parsed.sql, parsed.bind(params))
    columns = [column[0] for column in cursor.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _bills(found: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    return sorted((bill["source"], bill["period"]) for bill in found)


def _unknown(con: Connection, dimension: str, member: str) -> ModelError:
    pairs = con.execute(
        "select distinct dimension, member from published.marts.spend_daily"
    ).fetchall()
    dimensions = sorted({str(row[0]) for row in pairs})
    if dimension not in dimensions:
        return ModelError(
            f'"{dimension}" is no dimension of cost',
            where="marts.spend_daily",
            fix=f"ask for one of {', '.join([*dimensions, RUN, *FULL_COSTS])}",
        )
    members = {str(row[1]) for row in pairs if row[0] == dimension}
    hint = "" if member in members else did_you_mean(member, sorted(members))
    return ModelError(
        f'the {dimension} "{member}" has no cost in these days{hint}',
        where="marts.spend_daily",
        fix=f"`mlspend sql --named leaderboard --param dimension={dimension}` names those that do",
    )
