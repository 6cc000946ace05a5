"""Raw files -> staged rows -> attributed days -> marts, doing only what changed.

Three kinds of work, in this order: deliveries are staged into the lake (`stage.py`); metadata,
which is small, is computed whole; then the days whose inputs differ from the last generation's are
attributed, a month at a time, and the marts are made from all days.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from queries.catalog import (
    DAY,
    HOME,
    Model,
    canonical_columns,
    code_fingerprint,
    feeders_of,
    models,
)
from queries.checks import check_books, check_model
from queries.engines.duckdb import Limits, connect, create_macros, create_seeds, literal, name
from queries.lake import StoredTable, write
from queries.manifest import Manifest, digest
from queries.raw import create_raw_view
from queries.stage import Stager, check_feed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from decimal import Decimal
    from pathlib import Path

    from queries.engines.duckdb import Connection
    from queries.raw import Declared, Landed


@dataclass(frozen=True, slots=True)
class Settings:
    """What the config file says of attribution."""

    params: Mapping[str, str | int | float] = field(default_factory=dict)
    """Parameter of a model -> value; the header's default where absent."""
    tag_keys: Mapping[str, Sequence[str]] = field(
        default_factory=lambda: {"team": ["team"], "user": ["user"], "project": ["project"]}
    )
    """What a resource tag can own -> the tag keys that say so, in order."""

    def fingerprint(self) -> str:
        """Return a digest of every setting."""
        params = [f"{key}={value!r}" for key, value in sorted(self.params.items())]
        keys = [f"{owner}:{key}" for owner in sorted(self.tag_keys) for key in self.tag_keys[owner]]
        return digest(params, keys)


@dataclass(frozen=True, slots=True)
class Total:
    """What one delivery bills, summed from its raw bytes by other code than the models."""

    source: str
    provider: str
    billing_account_id: str
    billing_period: str
    """YYYY-MM."""
    charge_month: str
    """YYYY-MM."""
    billing_currency: str
    measure: str
    rows: int
    amount: Decimal
    """At 12 places."""
    beyond: Decimal
    """What the delivery holds beyond 12 places."""


@dataclass(frozen=True, slots=True)
class BuildInput:
    """All that a build reads."""

    tables: Mapping[str, Mapping[str, Declared]]
    """Connector -> table -> what it declares; every connector there is, configured or not."""
    landed: Sequence[Landed]
    """Every delivery that counts."""
    totals: Sequence[Total]
    settings: Settings
    limits: Limits
    lake: Path
    previous: Manifest | None = None
    progress: Callable[[str], None] = print
    models: Sequence[Model] = field(default_factory=models)
    """Each after what it reads."""

    def fingerprint(self) -> str:
        """Return a digest of everything that can change a figure."""
        deliveries = [
            f"{row.source} {row.raw_name} {row.unit} {row.version_at} {file.sha256}"
            for row in self.landed
            for file in row.files
        ]
        sql = [model.fingerprint for model in self.models]
        return digest(code_fingerprint(), sql, self.settings.fingerprint(), sorted(deliveries))


@dataclass(slots=True)
class Built:
    """A build that passed its checks, not published yet."""

    con: Connection
    manifest: Manifest
    days: int
    """Days attributed anew."""


_PARAM = re.compile(r"\$(\w+)")


def build(given: BuildInput) -> Built | None:
    """Bring the warehouse up to date; none where nothing changed since the last generation.

    Raises: DeliveryError for a delivery that cannot be read, ModelError for a check that fails.
    """
    night = given.fingerprint()
    if given.previous is not None and given.previous.night == night:
        return None
    return _Build(given, night).run()


class _Build:
    """One build: a connection, and the manifest as it grows."""

    def __init__(self, given: BuildInput, night: str) -> None:
        self.given = given
        self.con = connect(given.limits)
        before = given.previous
        self.manifest = Manifest(night=night, built_at=datetime.now(UTC).isoformat())
        self.before = Manifest() if before is None else before
        self.models = given.models
        self.day_models = [model for model in self.models if model.kind in ("step", "partition")]
        self.day_models = [model for model in self.day_models if model.layer != "staging"]
        self.late = self._late()

    def _late(self) -> set[str]:
        """Return the full models that read attributed days, directly or not."""
        late: set[str] = set()
        by_day = {model.name for model in self.day_models}
        for model in self.models:
            if model.name not in by_day and model.reads & (late | by_day):
                late.add(model.name)
        return late

    def run(self) -> Built:
        con, given = self.con, self.given
        for layer in ("raw", "staging", "attribution", "marts", "whole"):
            con.execute(f"create schema if not exists {layer}")
        create_macros(con, {key: list(keys) for key, keys in given.settings.tag_keys.items()})
        create_seeds(con)
        self._create_raw()
        self._stage()
        self._create_canonical()
        self._build_metadata()
        days = self._changed_days()
        self._attribute(days)
        self._build_marts()
        check_books(con)
        self.manifest.raw = [file.sha256 for row in given.landed for file in row.files]
        return Built(con, self.manifest, len(days))

    def sql_of(self, model: Model) -> str:
        """Return a model's SQL with its parameters filled in."""
        values = {param.name: param.default for param in model.params}
        for key, value in self.given.settings.params.items():
            if key in values:
                values[key] = literal(value) if isinstance(value, str) else repr(value)
        return _PARAM.sub(lambda match: values.get(match[1], match[0]), model.sql)

    def _create_raw(self) -> None:
        """Create the raw views that metadata models read whole, and the two ledgers."""
        by_name: dict[str, list[Landed]] = {}
        for delivery in self.given.landed:
            by_name.setdefault(delivery.raw_name, []).append(delivery)
        daily = {table for model in self._staged_models() for table in model.reads}
        for connector, tables in self.given.tables.items():
            for table in tables.values():
                raw_name = f"{connector}__{table.name}"
                landed = [] if f"raw.{raw_name}" in daily else by_name.get(raw_name, [])
                create_raw_view(self.con, connector, table, landed)
        self._create_ledgers()

    def _create_ledgers(self) -> None:
        con, given = self.con, self.given
        con.execute(
            "create table raw.totals (source varchar, provider varchar, "
            "billing_account_id varchar, billing_period date, charge_month date, "
            "billing_currency varchar, measure varchar, row_count bigint, "
            "amount decimal(38, 12), beyond varchar)"
        )
        con.execute(
            "create table raw.deliveries (source varchar, connector varchar, table_name varchar, "
            "unit varchar, version_at timestamp, landed_at timestamp, is_bill boolean)"
        )
        totals = [
            (
                total.source,
                total.provider,
                total.billing_account_id,
                f"{total.billing_period}-01",
                f"{total.charge_month}-01",
                total.billing_currency,
                total.measure,
                total.rows,
                total.amount,
                format(total.beyond, "f"),
            )
            for total in given.totals
        ]
        deliveries = [
            (
                delivery.source,
                delivery.connector,
                delivery.table,
                delivery.unit,
                delivery.version_at,
                delivery.landed_at,
                given.tables[delivery.connector][delivery.table].is_bill,
            )
            for delivery in given.landed
        ]
        _insert(con, "raw.totals", totals)
        _insert(con, "raw.deliveries", deliveries)

    def _staged_models(self) -> list[Model]:
        return [
            model for model in self.models if model.layer == "staging" and model.kind == "partition"
        ]

    def _stage(self) -> None:
        for model in self._staged_models():
            (raw_table,) = [table for table in model.reads if table.startswith("raw.")]
            connector, _, table = raw_table.removeprefix("raw.").partition("__")
            stager = Stager(
                con=self.con,
                model=model,
                sql=self.sql_of(model),
                connector=connector,
                table=self.given.tables[connector][table],
                lake=self.given.lake,
                progress=self.given.progress,
            )
            landed = [
                delivery
                for delivery in self.given.landed
                if (delivery.connector, delivery.table) == (connector, table)
            ]
            self.manifest.staged[model.name] = stager.stage(
                landed, self.before.staged.get(model.name, {})
            )

    def _create_canonical(self, days: Collection[str] | None = None) -> None:
        """Create the staged-by-day canonical tables as views over the lake, or over some days."""
        for table in self._daily_tables():
            parts = [_empty(table)]
            for model in feeders_of(table, self.models):
                for group in self.manifest.staged.get(model.name, {}).values():
                    scan = group.table.scan(self.given.lake, days)
                    if scan is not None:
                        parts.append(scan)
            query = " union all by name ".join(parts)
            self.con.execute(f"create or replace view {table} as {query}")

    def _daily_tables(self) -> list[str]:
        return [
            table
            for table in canonical_columns()
            if any(model.kind == "partition" for model in feeders_of(table, self.models))
        ]

    def _build_metadata(self) -> None:
        """Compute everything that does not rest on attributed days."""
        daily = set(self._daily_tables())
        staging = [model for model in self.models if model.layer == "staging"]
        for model in staging:
            if model.kind == "full":
                self._build_full(model)
        for table in canonical_columns():
            if table not in daily:
                feeders = [f"select * from {model.name}" for model in feeders_of(table, staging)]
                query = " union all by name ".join([_empty(table), *feeders])
                self.con.execute(f"create or replace table {table} as {query}")
        for model in self.models:
            early = model.layer != "staging" and model.name not in self.late
            if early and model.kind in ("full", "hashed"):
                self._build_full(model)

    def _build_full(self, model: Model) -> None:
        target = model.name if model.kind == "full" else _whole(model)
        self.con.execute(f"create or replace table {target} as {self.sql_of(model)}")
        if model.kind == "hashed":
            self.con.execute(f"create or replace view {model.name} as select * from {target}")
        if model.feeds is not None:
            check_feed(self.con, model, target)
        check_model(self.con, model)

    def _changed_days(self) -> set[str]:
        """Return the days whose inputs differ from the last generation's; note today's digests."""
        reads = set().union(*(model.reads for model in self.day_models))
        common = digest(
            [self.sql_of(model) for model in self.day_models],
            (HOME / "macros.sql").read_text(encoding="utf-8"),
            [path.read_text(encoding="utf-8") for path in sorted((HOME / "seeds").glob("*.csv"))],
            self.given.settings.fingerprint(),
            [self._content(table) for table in sorted(reads) if self._is_whole(table)],
        )
        parts: dict[str, list[str]] = {}
        for table in sorted(reads):
            for day, content in self._content_by_day(table).items():
                parts.setdefault(day, []).append(f"{table} {content}")
        billed = set().union(
            *(
                group.table.days()
                for model in feeders_of("staging.cost_lines", self.models)
                for group in self.manifest.staged.get(model.name, {}).values()
            )
        )
        self.manifest.days = {
            day: digest(common, texts) for day, texts in sorted(parts.items()) if day in billed
        }
        now, then = self.manifest.days, self.before.days
        return {day for day in now.keys() | then.keys() if now.get(day) != then.get(day)}

    def _is_whole(self, table: str) -> bool:
        """Tell whether a change anywhere in the table touches every day."""
        for model in self.models:
            if model.name == table:
                return model.kind == "full"
        return table in canonical_columns() and table not in self._daily_tables()

    def _content(self, table: str) -> str:
        row = self.con.execute(
            f"select count(*), bit_xor(hash(line)), sum(cast(hash(line) as hugeint)) "
            f"from {table} as line"
        ).fetchone()
        return f"{table} {row}"

    def _content_by_day(self, table: str) -> dict[str, str]:
        if table in self._daily_tables():
            by_day: dict[str, list[str]] = {}
            for model in feeders_of(table, self.models):
                for group in self.manifest.staged.get(model.name, {}).values():
                    for file in group.table.files:
                        for day in file.days:
                            by_day.setdefault(day, []).append(file.path)
            return {day: digest(sorted(paths)) for day, paths in by_day.items()}
        hashed = [model for model in self.models if (model.name, model.kind) == (table, "hashed")]
        if not hashed:
            return {}
        (model,) = hashed
        rows = self.con.execute(
            f"select cast(line.{DAY} as varchar), count(*), bit_xor(hash(line)), "
            f"sum(cast(hash(line) as hugeint)) from {_whole(model)} as line group by line.{DAY}"
        ).fetchall()
        return {row[0]: f"{row[1:]}" for row in rows}

    def _attribute(self, days: Collection[str]) -> None:
        partitions = [model for model in self.day_models if model.kind == "partition"]
        for model in partitions:
            self.manifest.stored[model.name] = self.before.stored.get(model.name, StoredTable())
        months: dict[str, list[str]] = {}
        for day in sorted(days):
            months.setdefault(day[:7], []).append(day)
        for month, of_month in months.items():
            self.given.progress(f"attribute {month}: {len(of_month)} days")
            self._attribute_days(of_month)
        if not all(self.manifest.stored[model.name].files for model in partitions):
            self._attribute_days([])
        for model in self.day_models:
            if model.kind == "step":
                self.con.execute(f"drop table if exists {model.name}")
        self._show_days(None)
        for model in partitions:
            scan = self.manifest.stored[model.name].scan(self.given.lake)
            query = scan or f"select * from {_none_of(model)}"
            self.con.execute(f"create or replace view {model.name} as {query}")

    def _attribute_days(self, days: Sequence[str]) -> None:
        """Run the day models over some days; over none, to have their empty tables."""
        self._show_days(days)
        for model in self.day_models:
            sql = self.sql_of(model)
            if model.kind == "step":
                self.con.execute(f"create or replace table {model.name} as {sql}")
            else:
                query = self._store(model, sql, days)
                self.con.execute(f"create or replace view {model.name} as {query}")
            check_model(self.con, model)

    def _store(self, model: Model, sql: str, days: Sequence[str]) -> str:
        """Write the rows of some days to the lake, and return the query that reads them."""
        contents = [f"{day} {self.manifest.days.get(day, '')}" for day in days]
        month = days[0][:7] if days else "none"
        path = f"{model.name}/{month}/{digest(model.fingerprint, contents)[:24]}.parquet"
        written = write(self.con, sql, self.given.lake, path)
        self.manifest.stored[model.name].replace(days, written)
        if written is not None:
            return f"select * from read_parquet({literal(str(self.given.lake / path))})"
        self.con.execute(
            f"create or replace table {_none_of(model)} as select * from ({sql}) limit 0"
        )
        return f"select * from {_none_of(model)}"

    def _show_days(self, days: Sequence[str] | None) -> None:
        """Let the tables that are kept by day show some days, or all."""
        self._create_canonical(days)
        for model in self.models:
            if model.kind == "hashed":
                where = ""
                if days is not None:
                    wanted = ", ".join(f"date {literal(day)}" for day in days) or "null"
                    where = f" where {DAY} in ({wanted})"
                self.con.execute(
                    f"create or replace view {model.name} as select * from {_whole(model)}{where}"
                )

    def _build_marts(self) -> None:
        self.given.progress("build the marts")
        for model in self.models:
            if model.name in self.late:
                self._build_full(model)


def _whole(model: Model) -> str:
    return f"whole.{name(model.name)}"


def _none_of(model: Model) -> str:
    return f"whole.{name('no ' + model.name)}"


def _empty(table: str) -> str:
    columns = canonical_columns()[table]
    values = ", ".join(f"cast(null as {kind}) as {column}" for column, kind in columns.items())
    return f"select {values} where false"


def _insert(con: Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        con.executemany(f"insert into {table} values ({marks})", rows)
