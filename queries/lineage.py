"""Column by column, what a table's values are computed from, down to what sources deliver.

Read out of the SQL itself by sqlglot. A column comes from another where its value is computed from
it; what only decides which rows there are, in a join or a condition, is not told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from queries import ModelError
from queries.catalog import LINES, SEEN_BESIDE, canonical_columns, canonical_comments, feeders_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope
    from sqlglot.schema import Schema

    from queries.catalog import Model


class Column(NamedTuple):
    """A column of a table, `schema.name`."""

    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.table}.{self.name}"


@dataclass(frozen=True, slots=True)
class Step:
    """A column on the way down."""

    column: Column
    depth: int
    is_repeated: bool
    """What it comes from was told above."""


@dataclass(frozen=True)
class Lineage:
    """Where columns come from."""

    models: Sequence[Model]
    shapes: Mapping[str, Mapping[str, str]]
    """Table -> column -> type, of every table there is."""
    connectors: frozenset[str]
    """The connectors to look at; others deliver nothing here."""
    _scopes: dict[str, Scope] = field(default_factory=dict)
    _known: dict[Column, frozenset[Column]] = field(default_factory=dict)

    def of(self, text: str) -> Column:
        """Return the column that a text names, `marts.runs.effective_cost`.

        Raises: ModelError where there is none.
        """
        table, _, name = text.rpartition(".")
        if f"marts.{table}" in self.shapes:
            table = f"marts.{table}"
        if not table:
            raise ModelError(
                f"{text} is no column of a table",
                where=text,
                fix="write TABLE.COLUMN, such as marts.runs.effective_cost",
            )
        columns = self.shapes.get(table, {})
        if name not in columns:
            what = f"{table} has no column {name}" if columns else f"there is no table {table}"
            there = sorted(columns) or sorted(t for t in self.shapes if t.startswith("marts."))
            raise ModelError(what, where=text, fix="one of " + ", ".join(there))
        return Column(table, name)

    def steps(self, column: Column) -> Iterator[Step]:
        """Walk down from a column, depth first, each column's own way told once."""
        seen: set[Column] = set()
        waiting = [(column, 0)]
        while waiting:
            at, depth = waiting.pop()
            origins = sorted(self.origins(at))
            yield Step(at, depth, at in seen and bool(origins))
            if at not in seen:
                seen.add(at)
                waiting += [(origin, depth + 1) for origin in reversed(origins)]

    def sources(self, column: Column) -> list[Column]:
        """Return the columns at the very bottom: of sources, of reference tables, of ledgers."""
        reached = {step.column for step in self.steps(column)}
        return sorted(
            each
            for each in reached
            if each.table not in self._by_name and each.table not in canonical_columns()
        )

    def origins(self, column: Column) -> frozenset[Column]:
        """Return the columns that a column is computed from, one model further down."""
        if column not in self._known:
            self._known[column] = self._origins_of(column)
        return self._known[column]

    def comment(self, column: Column) -> str:
        """Return what is said of a column where it is defined, nothing where nothing is."""
        model = self._by_name.get(column.table)
        if model is not None:
            return model.columns.get(column.name, "")
        return canonical_comments().get(column.table, {}).get(column.name, "")

    @cached_property
    def _by_name(self) -> dict[str, Model]:
        return {model.name: model for model in self.models}

    def _origins_of(self, column: Column) -> frozenset[Column]:
        model = self._by_name.get(column.table)
        if model is None and column.name in SEEN_BESIDE:
            return frozenset()  # a line's place, and its tags once more
        if model is None:
            return frozenset(
                Column(feeder.name, column.name)
                for feeder in feeders_of(column.table, self.models)
                if feeder.name.partition(".")[2].partition("__")[0] in self.connectors
            )
        if model.name not in self._scopes:
            self._scopes[model.name] = scope_of(model.sql, self._schema)
        return columns_of(column.name, self._scopes[model.name], self._schema)

    @cached_property
    def _schema(self) -> Schema:
        lines = f"staging.{LINES}"
        return schema_of({**self.shapes, lines: {**self.shapes.get(lines, {}), **SEEN_BESIDE}})


def schema_of(shapes: Mapping[str, Mapping[str, str]]) -> Schema:
    """Return tables and their columns as sqlglot takes them."""
    from sqlglot.schema import ensure_schema  # noqa: PLC0415  (slow to import, seldom needed)

    nested: dict[str, dict[str, object]] = {}
    for table, columns in shapes.items():
        schema, _, name = table.partition(".")
        nested.setdefault(schema, {})[name] = dict(columns)
    return ensure_schema({**nested}, dialect="duckdb")


def scope_of(sql: str, schema: Schema) -> Scope:
    """Return a select with every name in it resolved."""
    from sqlglot import exp, parse_one  # noqa: PLC0415  (slow to import, and seldom needed)
    from sqlglot.optimizer.qualify import qualify  # noqa: PLC0415
    from sqlglot.optimizer.scope import build_scope  # noqa: PLC0415

    tree = qualify(
        parse_one(sql, read="duckdb"),
        dialect="duckdb",
        schema=schema,
        validate_qualify_columns=False,
        identify=False,
    )
    for union in tree.find_all(exp.SetOperation):
        if union.args.get("by_name"):
            _by_position(union)
    scope = build_scope(tree)
    if scope is None:
        raise TypeError("a model is a select")
    return scope


def columns_of(name: str, scope: Scope, schema: Schema) -> frozenset[Column]:
    """Return the columns of tables that a column of a select is computed from."""
    from sqlglot import exp  # noqa: PLC0415
    from sqlglot.lineage import lineage  # noqa: PLC0415

    top = lineage(name, scope.expression, schema=schema, dialect="duckdb", scope=scope, copy=False)
    leaves = ((node.expression, node.name) for node in top.walk() if not node.downstream)
    return frozenset(
        Column(f"{table.db}.{table.name}", path.rpartition(".")[2])
        for table, path in leaves
        if isinstance(table, exp.Table)
    )


def _by_position(union: exp.SetOperation) -> None:
    """Make a union by name one by position, with null for what a part lacks."""
    from sqlglot import exp  # noqa: PLC0415

    parts = list(_parts(union))
    names = dict.fromkeys(name for part in parts for name in part.named_selects)
    for part in parts:
        given = {each.alias_or_name: each for each in part.selects}
        nothing = {name: exp.alias_(exp.Null(), name) for name in names if name not in given}
        part.set("expressions", [(given | nothing)[name] for name in names])
    union.set("by_name", None)


def _parts(query: exp.Expr) -> Iterator[exp.Select]:
    """Yield the selects that a query unites."""
    from sqlglot import exp  # noqa: PLC0415

    if isinstance(query, exp.Select):
        yield query
    elif isinstance(query, exp.SetOperation):
        yield from _parts(query.left)
        yield from _parts(query.right)
    elif isinstance(query, exp.Subquery):
        yield from _parts(query.this)
