"""Walk a figure back to the bill: figure -> rules -> runs -> resources -> bill lines.

Every level must add up to the one above, exactly, and each node carries the difference. Nothing
here trusts the marts: the figure is read from the published generation, everything below it from
the postings and the bill lines in the lake, found by the same rules again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from queries import ModelError
from queries.answers import visible
from queries.beside import show_kept
from queries.build import opened
from queries.engines.duckdb import literal
from queries.figures import FULL_COSTS, ask
from queries.lake import StoredTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from queries.build import BuildInput
    from queries.engines.duckdb import Connection
    from queries.named import Value
    from queries.warehouse import Warehouse

Measure = Literal["effective_cost", "billed_cost"]
Rows = list[dict[str, Any]]

ZERO = Decimal(0)
KEY = (
    *("charge_date", "source", "billing_period", "billing_currency", "sub_account_id"),
    *("service_name", "region_id", "resource_id", "x_line_class", "x_from_region", "x_to_region"),
    *("tag_user", "tag_team", "tag_project"),
)
"""What a posting and the bill lines it was cut from have in common."""
LINEAGE = ("attribution.full_cost_units", "attribution.full_cost_lines")
"""What full costs are read from, beside postings."""


@dataclass(frozen=True, slots=True)
class Question:
    """The figure to explain."""

    dimension: str
    member: str
    from_date: date
    to_date: date
    """Inclusive."""
    billing_currency: str
    version: str | None = None
    """Of a model or dataset; '': what no version is known for; none: all of the member."""
    measure: Measure = "effective_cost"
    top: int = 5
    """Children shown of each node; the rest is summed in one."""

    @property
    def is_full_cost(self) -> bool:
        """Tell whether what the member was made from belongs to the figure."""
        return self.dimension in FULL_COSTS

    def __str__(self) -> str:
        """Name the member, and its version."""
        name = f"{self.dimension} {visible(self.member)}"
        if self.version is None:
            return name
        return f"{name}, version {visible(self.version)}" if self.version else f"{name}, no version"


@dataclass(slots=True)
class Node:
    """A cost, and what it is made of."""

    label: str
    cost: Decimal
    """Of the member that is being explained."""
    whole: Decimal | None = None
    """What the children add up to, where the cost is only a part of it."""
    children: list[Node] = field(default_factory=list)
    kind: str = ""
    """What the children are: rule, run, resource, bill line."""
    count: int = 0
    """Children there are, shown or not."""

    @property
    def difference(self) -> Decimal:
        """By how much the children miss: 0, or the explanation is wrong."""
        if not self.children:
            return ZERO
        wanted = self.cost if self.whole is None else self.whole
        return wanted - sum((child.cost for child in self.children), ZERO)

    def closes(self) -> bool:
        """Tell whether this node and all below it add up exactly."""
        return not self.difference and all(child.closes() for child in self.children)

    def as_json(self) -> dict[str, object]:
        """Return the tree with amounts as text, every digit kept."""
        row: dict[str, object] = {"label": self.label, "cost": f"{self.cost:f}"}
        if self.whole is not None:
            row["of"] = f"{self.whole:f}"
        if self.children:
            row["difference"] = f"{self.difference:f}"
            row["children"] = [child.as_json() for child in self.children]
        return row


def open_books(
    given: BuildInput, generation: Path, *, is_open: bool = True, has_lineage: bool = False
) -> Connection:
    """Return a database that shows the generation beside the lake it was made from.

    `given` is what the night that built it was given; names of people and shares of models are
    computed from it again, and lineage, where full costs are to be explained. So are the figures,
    where the generation is not open: it does not name everybody then, and this does.

    Raises: ModelError where nothing has been built yet.
    """
    if given.previous is None:
        raise ModelError(
            "there is nothing to explain yet",
            where=str(generation),
            fix="run `mlspend nightly` once",
        )
    manifest = given.previous
    warehouse = opened(given, manifest)
    con = warehouse.con
    warehouse.create_raw(given.tables, given.landed)
    show_kept(warehouse)
    warehouse.show_staged(None)
    warehouse.build_metadata()
    scan = manifest.stored.get("attribution.postings", StoredTable()).scan(given.lake)
    if scan is None:
        raise ModelError(
            "no posting is in the lake", where=str(given.lake), fix="run `mlspend nightly` again"
        )
    con.execute(f"create view attribution.postings as {scan}")
    _show_stored(warehouse, "attribution.owner_spend")
    for model in warehouse.late_models:
        if model.name == "attribution.user_days" or (has_lineage and model.name in LINEAGE):
            warehouse.build_whole(model)
    if is_open:
        con.execute(f"attach {literal(str(generation))} as published (read_only)")
    else:
        _compute_figures(con, warehouse, generation)
        if has_lineage:
            _compute_full_costs(con, warehouse)
    return con


def _show_stored(warehouse: Warehouse, table: str) -> None:
    """Show all days of what is kept of a model; older programs have not kept all of them."""
    (model,) = (model for model in warehouse.day_models if model.name == table)
    stored = warehouse.manifest.stored.get(table, StoredTable())
    query = stored.scan(warehouse.lake) or warehouse.sql_of(model)
    warehouse.con.execute(f"create view {table} as {query}")


def _compute_figures(con: Connection, warehouse: Warehouse, generation: Path) -> None:
    """Compute from the lake what the generation would show if it named everybody."""
    con.execute(f"attach {literal(str(generation))} as masked (read_only)")
    for name in ("attribution.member_spend", "attribution.version_spend"):
        _show_stored(warehouse, name)
    con.execute("create view marts.covered_days as from masked.marts.covered_days")
    (rates,) = (model for model in warehouse.models if model.name == "attribution.reporting_rates")
    warehouse.build_whole(rates)
    con.execute("attach ':memory:' as published")
    con.execute("create schema published.marts")
    for model in warehouse.models:
        if model.name in ("marts.spend_daily", "marts.version_spend"):
            con.execute(f"create table published.{model.name} as {warehouse.sql_of(model)}")
    con.execute("create table published.marts.runs as from masked.marts.runs")


def _compute_full_costs(con: Connection, warehouse: Warehouse) -> None:
    for model in warehouse.late_models:
        if model.name == "attribution.full_costs":
            warehouse.build_whole(model)
        elif model.name.removeprefix("marts.") in FULL_COSTS:
            con.execute(f"create table published.{model.name} as {warehouse.sql_of(model)}")


def explain(con: Connection, question: Question) -> Node:
    """Return the tree of a figure.

    `con` shows attribution.postings, .user_days and .run_members, staging.cost_lines and the
    generation as `published`.

    Raises: ModelError where the member has no cost in those days.
    """
    figure, parts = _figure_and_parts(con, question)
    if not figure["row_count"]:
        raise ModelError(
            f'{question.dimension} "{question.member}" has no cost in {question.billing_currency} '
            f"from {question.from_date} to {question.to_date}",
            where="marts.spend_daily",
            fix=f"`mlspend sql --named leaderboard --param dimension={question.dimension}` "
            "names those who have",
        )
    label = (
        f"{question}, {question.from_date} to {question.to_date}, {question.measure}, "
        f"{question.billing_currency}"
    )
    if question.is_full_cost:
        label += " (not to be added to other members')"
    tree = _Tree(con, question)
    root = tree.grow(Node(label, figure["cost"]), parts)
    tree.add_lines()
    return root


def _figure_and_parts(con: Connection, question: Question) -> tuple[dict[str, Any], Rows]:
    params: dict[str, Value] = {
        "dimension": FULL_COSTS.get(question.dimension, question.dimension),
        "member": question.member,
        "billing_currency": question.billing_currency,
    }
    if question.is_full_cost:
        (figure,) = ask(con, "full_cost_figure", {**params, "measure": question.measure})
        return figure, ask(con, "full_cost_parts", params)
    params["from_date"] = question.from_date.isoformat()
    params["to_date"] = question.to_date.isoformat()
    params["version"] = question.version
    (figure,) = ask(con, "figure", {**params, "measure": question.measure})
    return figure, ask(con, "parts", params) if figure["row_count"] else []


class _Tree:
    """Grows the levels between the figure and the bill lines."""

    def __init__(self, con: Connection, question: Question) -> None:
        self.con, self.question = con, question
        self.resources: list[tuple[Node, Rows]] = []

    def grow(self, root: Node, parts: Rows) -> Node:
        """Hang rules, runs and resources under the figure."""
        root.kind, label = ("part", _part) if self.question.is_full_cost else ("rule", _rule)
        for rule, of_rule in self.split(root, parts, label, self._cost):
            rule.kind = "run"
            for run, of_run in self.split(rule, of_rule, _run, self._cost):
                whole = self._whole(of_run)
                run.whole = None if whole == run.cost else whole
                run.kind = "resource"
                self.resources += self.split(run, of_run, _resource, self._whole)
        return root

    def split(
        self,
        parent: Node,
        rows: Rows,
        label: Callable[[Mapping[str, Any]], str],
        cost: Callable[[Iterable[Mapping[str, Any]]], Decimal],
    ) -> list[tuple[Node, Rows]]:
        """Group rows by label under `parent`, dearest first; return the groups that are shown."""
        groups: dict[str, Rows] = {}
        for row in rows:
            groups.setdefault(label(row), []).append(row)
        ordered = sorted(groups.items(), key=lambda entry: (-cost(entry[1]), entry[0]))
        shown, rest = ordered[: self.question.top], ordered[self.question.top :]
        nodes = [(Node(text, cost(of_text)), of_text) for text, of_text in shown]
        parent.children = [node for node, _ in nodes]
        parent.count = len(ordered)
        if rest:
            amount = sum((cost(of_text) for _, of_text in rest), ZERO)
            parent.children.append(Node(f"{len(rest)} more", amount))
        return nodes

    def add_lines(self) -> None:
        """Hang the bill lines under every resource that is shown."""
        if not self.resources:
            return
        columns = ", ".join(KEY)
        self.con.execute(
            f"create or replace temp table behind as "
            f"select cast(null as bigint) as node_no, {columns} from attribution.postings limit 0"
        )
        marks = ", ".join("?" for _ in ("node_no", *KEY))
        keys = [
            (number, *key)
            for number, (_, rows) in enumerate(self.resources)
            for key in dict.fromkeys(tuple(row[column] for column in KEY) for row in rows)
        ]
        self.con.executemany(f"insert into behind values ({marks})", keys)
        measure: dict[str, Value] = {"measure": self.question.measure}
        wholes = {row["node_no"]: row["cost"] for row in ask(self.con, "whole", measure)}
        lines: dict[int, Rows] = {}
        for row in ask(self.con, "lines", measure):
            lines.setdefault(row["node_no"], []).append(row)
        for number, (node, _) in enumerate(self.resources):
            if number in lines:
                self._hang(node, wholes[number], lines[number])
            else:
                node.label += " (what the machines of a cluster have in common)"

    def _hang(self, node: Node, whole: Decimal, lines: Rows) -> None:
        node.whole = None if whole == node.cost else whole
        node.kind = "bill line"
        self.split(node, lines, _line, lambda rows: sum((row["cost"] for row in rows), ZERO))
        node.count = sum(row["line_count"] for row in lines)

    def _cost(self, rows: Iterable[Mapping[str, Any]]) -> Decimal:
        return sum((row[self.question.measure] or ZERO for row in rows), ZERO)

    def _whole(self, rows: Iterable[Mapping[str, Any]]) -> Decimal:
        return sum((row[f"whole_{self.question.measure}"] for row in rows), ZERO)


def _rule(row: Mapping[str, Any]) -> str:
    return (
        f"{row['cost_kind']}: owner by {visible(str(row['rule']))}, cut by {row['method']} "
        f"(confidence {row['confidence']})"
    )


def _part(row: Mapping[str, Any]) -> str:
    if not row["depth"]:
        return str(row["part"])
    return f"{row['part']}, {row['depth']} back: {visible(row['path'])}"


def _run(row: Mapping[str, Any]) -> str:
    if row["run_id"] is None:
        return f"pod {visible(row['pod_id'])}" if row["pod_id"] else "no run"
    share = row["share_to"] - row["share_from"]
    text = f"run {visible(row['run_id'])}"
    return text if share == 1 else f"{text}, {share:.4%} of it"


def _resource(row: Mapping[str, Any]) -> str:
    parts = (
        row["resource_id"] or "no resource",
        row["service_name"] or "",
        row["x_line_class"] or "",
    )
    return visible(", ".join(part for part in parts if part))


def _line(row: Mapping[str, Any]) -> str:
    said = row["charge_description"] or row["sku_meter"] or "no description"
    days = str(row["first_day"])
    if row["last_day"] != row["first_day"]:
        days = f"{days} to {row['last_day']}"
    count = row["line_count"]
    return f"{visible(said)} ({count} {'line' if count == 1 else 'lines'}, {days})"


def masked(node: Node, clean: Callable[[str], str]) -> Node:
    """Return the tree with `clean` labels."""
    children = [masked(child, clean) for child in node.children]
    return replace(node, label=clean(node.label), children=children)


def as_text(root: Node) -> str:
    """Return the tree as lines of text; every node with children says whether they add up."""
    lines: list[str] = []
    _write(root, lines, "", "")
    return "\n".join(lines) + "\n"


def _write(node: Node, lines: list[str], first: str, later: str) -> None:
    lines.append(f"{first}{_amount(node.cost)}  {node.label}{_check(node)}")
    for place, child in enumerate(node.children):
        is_last = place == len(node.children) - 1
        _write(
            child,
            lines,
            later + ("└─ " if is_last else "├─ "),
            later + ("   " if is_last else "│  "),
        )


def _check(node: Node) -> str:
    if not node.children:
        return ""
    things = f"{node.count} {node.kind}{'' if node.count == 1 else 's'}"
    of = "" if node.whole is None else f"part of {_amount(node.whole)} "
    if node.difference:
        return f"  [{of}≠ {things}: DIFFERENCE {node.difference:f}]"
    return f"  [{of}= {things}, difference 0]"


def _amount(cost: Decimal) -> str:
    whole, _, places = f"{cost:,f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


__all__ = ["Measure", "Node", "Question", "as_text", "explain", "masked", "open_books"]
