"""The database a build works in: raw views, canonical tables, and models as they are computed.

Tables that are kept by day can show all their days, or only some: the day models run on the days
that are being attributed and see nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from queries.catalog import DAY, Model, canonical_columns, feeders_of
from queries.checks import check_model
from queries.detecting import FOUND, LAYER, SWITCH, check_detector
from queries.engines.duckdb import in_days, literal, name
from queries.kept_days import keep_days
from queries.raw import create_raw_view
from queries.side_by_side import do_side_by_side
from queries.stage import check_feed
from queries.tables import Tables, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from queries.engines.duckdb import Connection
    from queries.lake import StoredTable
    from queries.landed import Declared, Landed
    from queries.manifest import Manifest

SCHEMAS = ("raw", "staging", "attribution", "marts", LAYER, "whole")
"""`whole` holds hashed models with all their days, and the empty shapes of stored ones."""

Value = str | int | float | Decimal
_PARAM = re.compile(r"\$(\w+)")


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A connection, the models, and what has been staged and stored for them."""

    con: Connection
    models: Sequence[Model]
    params: Mapping[str, Value]
    lake: Path
    manifest: Manifest
    detectors: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """Detector -> its parameters, and whether it is switched on; the defaults where absent."""
    known: frozenset[str] = frozenset()
    """Lake files of models that are there from nights before."""
    tables: Tables = field(init=False)

    def __post_init__(self) -> None:
        """Begin with what the manifest remembers of tables."""
        object.__setattr__(self, "tables", Tables(self.con, self.manifest.columns))

    @property
    def staged_models(self) -> list[Model]:
        """The staging models that are kept by day."""
        return [
            model for model in self.models if model.layer == "staging" and model.kind == "partition"
        ]

    @property
    def day_models(self) -> list[Model]:
        """The models that run on the days being attributed."""
        return [
            model
            for model in self.models
            if model.layer != "staging" and model.kind in ("step", "partition")
        ]

    @property
    def beside_models(self) -> list[Model]:
        """The models that are computed from each file of staged rows alone."""
        return [model for model in self.models if model.kind == "beside"]

    @property
    def late_models(self) -> list[Model]:
        """The models that read attributed days, or what is kept beside lines, directly or not."""
        late: list[Model] = []
        names = by_day = {model.name for model in (*self.day_models, *self.beside_models)}
        for model in self.models:
            if model.name not in by_day and model.reads & names:
                late.append(model)
                names = names | {model.name}
        return late

    @property
    def metadata_models(self) -> list[Model]:
        """The models that are neither kept by day nor rest on attributed days."""
        late = {model.name for model in self.late_models}
        whole_ones = [model for model in self.models if model.kind in ("full", "hashed", "inline")]
        return [model for model in whole_ones if model.name not in late]

    @property
    def daily_tables(self) -> list[str]:
        """The canonical tables whose rows are kept by day."""
        fed = {f"staging.{model.feeds}" for model in self.staged_models if model.feeds}
        return [table for table in canonical_columns() if table in fed]

    @property
    def _of_sources(self) -> list[Model]:
        """The staging models that are not kept by day: metadata, as each source tells it."""
        return [model for model in self.metadata_models if model.layer == "staging"]

    def sql_of(self, model: Model) -> str:
        """Return a model's SQL with its parameters filled in."""
        given = self.params
        if model.layer == LAYER:
            given = self.detectors.get(model.name.partition(".")[2], {})
        values = {param.name: param.default for param in model.params}
        for key in values.keys() & given.keys():
            value = given[key]
            values[key] = literal(value) if isinstance(value, str) else str(value)
        sql = _PARAM.sub(lambda match: values.get(match[1], match[0]), model.sql)
        return sql if given.get(SWITCH, True) else f"select * from (\n{sql}\n) where false"

    def create_raw(
        self,
        tables: Mapping[str, Mapping[str, Declared]],
        landed: Sequence[Landed],
        *,
        with_all: bool = False,
    ) -> None:
        """Create the raw view of every table that a model is going to read.

        What a connector declares is asked for no other: most have landed nothing. Whoever stages by
        day creates its view itself. `with_all` every table is there, also where nothing reads it.
        """
        by_name: dict[str, list[Landed]] = {}
        for delivery in landed:
            by_name.setdefault(f"raw.{delivery.raw_name}", []).append(delivery)
        staged = {table for model in self.staged_models for table in model.reads}
        read = set().union(*(model.reads for model in self.models))
        of_sources = sorted(raw for raw in read if raw.startswith("raw.") and "__" in raw)
        if not with_all:
            of_sources = [raw for raw in of_sources if raw not in staged]
            for raw in of_sources:
                self.tables.know(raw, is_empty=raw not in by_name)
        unread = self._unread()
        for raw in of_sources:
            wanted = [] if raw in staged else by_name.get(raw, [])
            if wanted or not self._goes_unread(raw, unread):
                connector, _, table = raw.removeprefix("raw.").partition("__")
                create_raw_view(self.con, connector, tables[connector][table], wanted)

    def _goes_unread(self, raw: str, unread: Collection[str]) -> bool:
        """Tell whether all that reads a table has no rows, and none of it is asked for columns."""
        return all(
            model.name in unread
            or (self.tables.is_sure(model) and model.name in self.tables.columns)
            for model in self.models
            if raw in model.reads
        )

    def _unread(self) -> set[str]:
        """Return the metadata of sources that has no rows, and is read by such alone."""
        for model in self._of_sources:
            if self.tables.is_sure(model):
                self.tables.know(model.name, is_empty=True)
        unread: set[str] = set()
        for model in reversed(self._of_sources):
            readers = {other.name for other in self.models if model.name in other.reads}
            if model.name in self.tables.empty and readers <= unread:
                unread.add(model.name)
        return unread

    def build_metadata(self) -> None:
        """Compute everything that is not kept by day and does not rest on attributed days."""
        unread = self._unread()
        self.build_all([model for model in self._of_sources if model.name not in unread])
        for table in canonical_columns().keys() - set(self.daily_tables):
            feeders = [
                f"select * from {model.name}"
                for model in feeders_of(table, self.models)
                if model.name not in self.tables.empty
            ]
            self.tables.know(table, is_empty=not feeders)
            if feeders:
                query = " union all by name ".join([empty(table), *feeders])
                self.con.execute(f"create or replace view {table} as {query}")
            else:
                self.tables.create_empty(table, typed(canonical_columns()[table]))
        self.build_all([model for model in self.metadata_models if model.layer != "staging"])

    def forget_metadata(self) -> None:
        """Drop the tables that nothing reads any more once all metadata is there.

        A year of runs takes several times the memory while its metadata is computed.
        """
        needed = set().union(*(model.rests_on for model in (*self.day_models, *self.late_models)))
        for model in reversed(self.metadata_models):
            if f"staging.{model.feeds}" in needed:
                needed.add(model.name)
            if model.name in needed and model.kind == "inline":
                needed |= model.reads
            is_read_later = model.name in needed or model.layer == "marts"
            takes_memory = model.kind == "full" and model.name not in self.tables.empty
            if takes_memory and not is_read_later:
                self.con.execute(f"drop table if exists {model.name}")

    def build_all(self, wanted: Sequence[Model]) -> None:
        """Compute models over all there is."""
        self.do_each(wanted, Warehouse.build_whole)

    def do_each(self, wanted: Sequence[Model], work: Callable[[Warehouse, Model], None]) -> None:
        """Do `work` for each model after those of them that it needs, several at once."""
        by_name = {model.name: model for model in wanted}
        needs = {model.name: by_name.keys() & model.rests_on for model in wanted}
        do_side_by_side(self.con, needs, lambda name, con: work(self._on(con), by_name[name]))

    def _on(self, con: Connection) -> Warehouse:
        """Return the same warehouse, worked on by another connection."""
        other = replace(self, con=con)
        object.__setattr__(other, "tables", replace(self.tables, con=con))
        return other

    def build_whole(self, model: Model) -> None:
        """Compute a model over all there is, and prove what it promises."""
        if model.kind == "inline":
            self.con.execute(f"create or replace view {model.name} as {self.sql_of(model)}")
            self.tables.know(model.name, is_empty=self.tables.is_sure(model))
            if model.feeds is not None:
                check_feed(self.con, model, model.name)
            return
        if model.kind == "kept" and not self.tables.is_sure(model):
            keep_days(self, model)
            return
        target = whole(model) if model.kind == "hashed" else model.name
        is_asked = self.tables.fill(model, target, self.sql_of(model))
        if model.kind == "hashed":
            self.con.execute(f"create or replace view {model.name} as select * from {target}")
        if is_asked and model.feeds is not None:
            check_feed(self.con, model, target)
        if is_asked and model.layer == LAYER and model.name != FOUND:
            check_detector(self.con, model.name)
        check_model(self.con, model, self.tables.empty)

    def show_days(self, days: Collection[str] | None) -> None:
        """Let every table that is kept by day show some days; none means all."""
        self.show_staged(days)
        self.show_beside(days)
        for model in self.models:
            if model.kind == "hashed":
                wanted = "true" if days is None else in_days(DAY, days)
                query = f"select * from {whole(model)} where {wanted}"
                self.con.execute(f"create or replace view {model.name} as {query}")

    def show_staged(self, days: Collection[str] | None) -> None:
        """Let the staged tables that are kept by day show some days; none means all.

        A few days out of a file of many are read out of it once, not by each model anew.
        """
        read_by_day = set().union(*(model.reads for model in self.day_models))
        for table in self.daily_tables:
            stored = self.stored_of(table)
            scans = [each.scan(self.lake, days) for each in stored]
            query = " union all by name ".join([empty(table), *filter(None, scans)])
            self.tables.know(table, is_empty=not any(scans))
            taken_out = f"whole.{name('some days of ' + table)}"
            is_few = days is not None and any(each.is_mostly_skipped(days) for each in stored)
            if is_few and table in read_by_day:
                self.con.execute(f"create or replace table {taken_out} as {query}")
                query = f"select * from {taken_out}"
            else:
                self.con.execute(f"drop table if exists {taken_out}")
            self.con.execute(f"create or replace view {table} as {query}")

    def show_beside(self, days: Collection[str] | None) -> None:
        """Let what is kept beside staged files show some days; none means all."""
        for model in self.beside_models:
            stored = self.manifest.stored[model.name]
            scan = stored.scan(self.lake, days)
            query = scan or f"select * from {shape(model)}"
            self.con.execute(f"create or replace view {model.name} as {query}")
            self.tables.know(model.name, is_empty=scan is None)

    def stored_of(self, table: str) -> list[StoredTable]:
        """Return where the rows of a canonical table lie, or of a model, that is kept by day."""
        if (stored := self.manifest.stored.get(table)) is not None:
            return [stored]
        return [
            group.table
            for model in feeders_of(table, self.models)
            for group in self.manifest.staged.get(model.name, {}).values()
        ]


def whole(model: Model) -> str:
    """Return the table that holds a hashed model with all its days."""
    return f"whole.{name(model.name)}"


def shape(model: Model) -> str:
    """Return the table that holds a stored model's columns, and no rows."""
    return f"whole.{name('no ' + model.name)}"


def empty(table: str) -> str:
    """Return a query with a canonical table's columns, and no rows."""
    columns = canonical_columns()[table]
    values = ", ".join(f"cast(null as {kind}) as {column}" for column, kind in columns.items())
    return f"select {values} where false"
