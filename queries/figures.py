"""The published figures that can be explained: of a member, a version or a run; a full cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queries import ModelError
from queries.answers import visible
from queries.catalog import HOME
from queries.engines.duckdb import Limits, connect, literal
from queries.hints import did_you_mean
from queries.named import parse_query
from queries.run_records import run_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from queries.engines.duckdb import Connection
    from queries.named import Value

RUN = "run"
"""Not a dimension of the marts: a run's cost is its own figure."""
FULL_COSTS = {"model_full_cost": "model", "dataset_full_cost": "dataset"}
"""A figure that holds what a member was made from, too -> the dimension of the member."""


_SHOWN_VERSIONS = 10
VERSIONED = ("model", "dataset")
"""The dimensions whose members have versions."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose figures are asked for."""

    dimension: str
    member: str
    """A run by its run_id or by any system's id."""
    version: str | None = None
    """Of a model or dataset; '': what no version is known for; none: all of the member."""
    from_date: date | None = None
    """None: from the first day; a run and a full cost are of all their days."""
    to_date: date | None = None
    """Inclusive; none: to the newest."""

    def __str__(self) -> str:
        """Say it as it was asked, such as `team=vision`."""
        said = f"{self.dimension}={self.member}"
        return said if self.version is None else f"{said}, version {self.version or 'unknown'}"

    @property
    def mart(self) -> str:
        """The table that publishes the figure."""
        if self.dimension in FULL_COSTS:
            return f"marts.{self.dimension}"
        return "marts.spend_daily" if self.version is None else "marts.version_spend"


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


def refuse_unknown(generation: Path, asked: Asked) -> None:
    """Refuse at once what a generation that names everybody does not have.

    Raises: ModelError as `figures_of` does, which needs what takes seconds to compute.
    """
    con = connect(Limits(threads=1))
    try:
        con.execute(f"attach {literal(str(generation))} as published (read_only)")
        con.execute("use published")
        if asked.dimension == RUN:
            run_named(con, asked.member)
        elif asked.dimension in FULL_COSTS:
            _currencies_of(con, asked)
        else:
            _figures_of_member(con, asked)
    finally:
        con.close()


def figures_of(con: Connection, asked: Asked) -> list[Figures]:
    """Return the figures asked for, a currency each.

    Raises: ModelError for a dimension or a member that there is not, with the nearest name.
    """
    if asked.dimension == RUN:
        return _figures_of_run(con, asked.member)
    if asked.dimension in FULL_COSTS:
        return _full_costs_of(con, asked)
    return _figures_of_member(con, asked)


def _figures_of_member(con: Connection, asked: Asked) -> list[Figures]:
    params = {
        "dimension": asked.dimension,
        "member": asked.member,
        "first": asked.from_date,
        "last": asked.to_date,
    }
    of_version = ""
    if asked.version is not None:
        params["version"] = asked.version
        of_version = "and coalesce(version, '') = $version "
    rows = con.execute(
        "select billing_currency, min(charge_date), max(charge_date), "
        "list(distinct {'source': source, 'period': strftime(billing_period, '%Y-%m')}) "
        f"from published.{asked.mart} where dimension = $dimension and member = $member "
        "and charge_date between coalesce($first, charge_date) and coalesce($last, charge_date) "
        f"{of_version}group by billing_currency order by billing_currency",
        params,
    ).fetchall()
    if not rows:
        raise _unknown(con, asked)
    return [
        Figures(
            asked.member, row[0], asked.from_date or row[1], asked.to_date or row[2], _bills(row[3])
        )
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


def _currencies_of(con: Connection, asked: Asked) -> list[str]:
    """Return the currencies of a full cost.

    Raises: ModelError where the member has none.
    """
    about = FULL_COSTS[asked.dimension]
    currencies = con.execute(
        f"select distinct billing_currency from published.{asked.mart} where {about} = $member "
        "order by billing_currency",
        {"member": asked.member},
    ).fetchall()
    if not currencies:
        names = con.execute(f"select distinct {about} from published.{asked.mart}").fetchall()
        hint = did_you_mean(asked.member, [str(row[0]) for row in names])
        raise ModelError(
            f'the {about} "{asked.member}" has no full cost{hint}',
            where=asked.mart,
            fix=f"`mlspend sql --named {asked.dimension}` names those that do",
        )
    return [str(row[0]) for row in currencies]


def _full_costs_of(con: Connection, asked: Asked) -> list[Figures]:
    about, member = FULL_COSTS[asked.dimension], asked.member
    figures = []
    for currency in _currencies_of(con, asked):
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


def _unknown(con: Connection, asked: Asked) -> ModelError:
    """Say what of a member there is not, with the nearest: its dimension, itself or its version."""
    dimension, member = asked.dimension, asked.member
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
    if asked.version is not None and member in members:
        return _unknown_version(con, asked)
    hint = "" if member in members else did_you_mean(member, sorted(members))
    return ModelError(
        f'the {dimension} "{member}" has no cost in these days{hint}',
        where=asked.mart,
        fix=f"`mlspend sql --named leaderboard --param dimension={dimension}` names those that do",
    )


def _unknown_version(con: Connection, asked: Asked) -> ModelError:
    dimension, version = asked.dimension, asked.version or ""
    found = con.execute(
        "select distinct version from published.marts.version_spend where dimension = $dimension "
        "and member = $member and version is not null order by len(version) desc, version desc",
        {"dimension": dimension, "member": asked.member},
    ).fetchall()
    versions = [str(row[0]) for row in found]
    hint = "" if version in versions else did_you_mean(version, versions)
    what = f'version "{version}"' if version else "part without a version"
    return ModelError(
        f'the {dimension} "{asked.member}" has no {what} with cost in these days{hint}',
        where=asked.mart,
        fix=f"it has {', '.join(versions[:_SHOWN_VERSIONS]) or 'none'}; `mlspend sql --named "
        f"versions --param dimension={dimension}` names the dearest",
    )
