"""A small warehouse: canonical tables drawn in the test, the attribution models run over them.

As in a night, the SQL of a model that cannot have rows is not run, and read once for its columns;
that none of those ever has rows is held in test_conservation.py.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from queries.catalog import LAYERS, LINES, ROW, TAGS, canonical_columns, macro_files, models
from queries.checks import check_model
from queries.currencies import COLUMNS as REPORTING_COLUMNS
from queries.detecting import FOUND, LAYER, check_detector
from queries.engines.duckdb import Limits, connect, create_macros, create_seeds, literal
from queries.findings import create_findings
from queries.invoices import COLUMNS as INVOICE_COLUMNS
from queries.loading import COLUMNS as SHARED_COLUMNS
from queries.quotas import COLUMNS as QUOTA_COLUMNS
from queries.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from queries.catalog import Model
    from queries.engines.duckdb import Connection

Row = dict[str, Any]

DAY = date(2026, 10, 5)
TAG_KEYS = {"user": ["user", "owner"], "team": ["team"], "project": ["project"], "model": ["model"]}
LEDGERS = {
    "raw.totals": "source varchar, provider varchar, billing_account_id varchar, "
    "billing_period date, charge_month date, billing_currency varchar, measure varchar, "
    "row_count bigint, amount decimal(38, 12), beyond varchar",
    "raw.deliveries": "source varchar, connector varchar, table_name varchar, unit varchar, "
    "version_at timestamp, landed_at timestamp, is_bill boolean",
    "raw.restatements": "restatement_no bigint, restated_at timestamp, source varchar, "
    "unit varchar, charge_month date, billing_currency varchar, measure varchar, "
    "cost_before decimal(38, 12), cost_after decimal(38, 12), lines_before bigint, "
    "lines_after bigint, was_open boolean",
    "raw.shared_costs": SHARED_COLUMNS,
    "raw.reporting": REPORTING_COLUMNS,
    "raw.quotas": ", ".join(f"{column} {kind}" for column, kind in QUOTA_COLUMNS.items()),
    "raw.invoices": ", ".join(f"{column} {kind}" for column, kind in INVOICE_COLUMNS.items()),
}


def inputs() -> tuple[str, ...]:
    """Return the tables that the models read and none of them builds."""
    return (*canonical_columns(), *LEDGERS, "raw.findings")


@cache
def models_of(tables: tuple[str, ...]) -> tuple[Model, ...]:
    """Return the models that some tables rest on, in order; of no tables, every model."""
    found = [model for model in models() if model.layer != "staging"]
    needed = set(tables)
    for model in reversed(found):
        if model.name in needed:
            needed |= model.reads | {promise.table for promise in model.conserves}
    return tuple(model for model in found if not tables or model.name in needed)


def sql_of(model: Model, params: Mapping[str, str | float]) -> str:
    """Return a model's SQL with its parameters filled in."""
    sql = model.sql
    for param in model.params:
        value = params.get(param.name)
        shown = literal(value) if isinstance(value, str) else str(value)
        sql = sql.replace(f"${param.name}", param.default if value is None else shown)
    return sql


class Warehouse:
    """Canonical tables in memory; `build` runs every model but staging's over them."""

    def __init__(self, threads: int = 2) -> None:
        self.con = connect(Limits(threads=threads))
        for schema in ("raw", *LAYERS):
            self.con.execute(f"create schema {schema}")
        create_macros(self.con, TAG_KEYS)
        create_seeds(self.con)
        self.con.execute("create sequence line_rows")
        beside = {
            ROW: "bigint default nextval('line_rows')",
            TAGS: "varchar generated always as (cast(to_json(tags) as varchar))",
        }
        for table, columns in canonical_columns().items():
            more = beside if table == f"staging.{LINES}" else {}
            drawn = ", ".join(f"{column} {kind}" for column, kind in {**columns, **more}.items())
            self.con.execute(f"create table {table} ({drawn})")
        for table, drawn in LEDGERS.items():
            self.con.execute(f"create table {table} ({drawn})")
        create_findings(self.con, (), ())
        self.tables = Tables(self.con, {})

    def fill(self, tables: Mapping[str, Sequence[Row]]) -> None:
        """Replace what is in the canonical tables by `tables`; those not named are emptied."""
        for table in inputs():
            self.con.execute(f"delete from {table}")
        for table, rows in tables.items():
            name = table if "." in table else f"staging.{table}"
            for row in rows:
                columns = ", ".join(row)
                marks = ", ".join("?" for _ in row)
                self.con.execute(
                    f"insert into {name} ({columns}) values ({marks})", list(row.values())
                )

    def build(self, only: tuple[str, ...] = (), **params: str | float) -> None:
        """Run the models in order; prove the key and the sums that each promises.

        Of `only` some tables: these and what they rest on; what else there is stays as it was.
        """
        for table in inputs():
            is_empty = not self.rows(f"select 1 from {table} limit 1")
            self.tables.know(table, is_empty=is_empty)
        for model in models_of(only):
            is_asked = self.tables.fill(model, model.name, sql_of(model, params))
            if is_asked and model.layer == LAYER and model.name != FOUND:
                check_detector(self.con, model.name)
            if model.kind == "partition":
                self._read_back(model.name)
            check_model(self.con, model, self.tables.empty)
        unsure = "select * from attribution.postings where confidence is null limit 1"
        assert not self.rows(unsure), "a way of cutting cost does not say how sure it is"
        for path in () if only else macro_files():
            self.con.execute(path.read_text(encoding="utf-8"))

    def _read_back(self, table: str) -> None:
        """Have texts of lists as text, as a night has that reads the file it wrote."""
        for column, kind, *_ in self.rows(f"describe {table}"):
            if kind.startswith("ENUM("):
                self.con.execute(f"alter table {table} alter {column} type varchar")

    @contextmanager
    def published(self, *marts: str) -> Iterator[Connection]:
        """Show some marts as the generation has them that an explanation reads."""
        self.con.execute("attach ':memory:' as published")
        self.con.execute("create schema published.marts")
        for mart in marts:
            self.con.execute(f"create table published.{mart} as from {mart}")
        yield self.con
        self.con.execute("detach published")

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the answer to a query."""
        return self.con.execute(query).fetchall()

    def costs(self, columns: str, where: str = "true") -> dict[Any, Decimal]:
        """Return effective cost by some columns of the postings; one column gives plain keys."""
        rows = self.rows(
            f"select {columns}, sum(effective_cost) from attribution.postings where {where} "
            "group by all"
        )
        return {row[0] if len(row) == 2 else row[:-1]: row[-1] for row in rows}

    def digest(self, table: str) -> list[tuple[Any, ...]]:
        """Return all rows of a table in an order of their own."""
        return self.rows(f"select * from {table} order by all")


class Build:
    """Fills a warehouse with tables and builds it; a call ends what the one before returned."""

    def __init__(self) -> None:
        self.kept: dict[int, Warehouse] = {}

    def __call__(
        self,
        tables: Mapping[str, Sequence[Row]],
        threads: int = 1,
        only: tuple[str, ...] = (),
        **params: str,
    ) -> Warehouse:
        """Return the warehouse built from `tables` alone, with the models' `params`.

        Of `only` some tables, the others are not to be read.
        """
        if threads not in self.kept:
            self.kept[threads] = Warehouse(threads)
        warehouse = self.kept[threads]
        warehouse.fill(tables)
        warehouse.build(only, **params)
        return warehouse


@pytest.fixture(scope="session")
def build() -> Iterator[Build]:
    """Return what builds a warehouse."""
    build = Build()
    yield build
    for warehouse in build.kept.values():
        warehouse.con.close()


class Draw:
    """Rows of the canonical tables, with what a test does not care about filled in."""

    day = DAY

    @staticmethod
    def at(hour: float, day: date = DAY) -> datetime:
        """Return a moment of the day, in UTC without a zone, as the tables hold it."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC).replace(tzinfo=None)
        return midnight + timedelta(hours=hour)

    @classmethod
    def line(cls, cost: Decimal | str | int, hour: int | None = None, **more: object) -> Row:
        """Return a bill line of the day, or of one hour of it."""
        start = cls.at(hour or 0)
        end = start + timedelta(hours=1 if hour is not None else 24)
        money = Decimal(cost)
        return {
            "source": "aws",
            "billing_period": DAY.replace(day=1),
            "charge_date": DAY,
            "charge_hour": start if hour is not None else None,
            "charge_period_start": start,
            "charge_period_end": end,
            "billed_cost": money,
            "effective_cost": money,
            "list_cost": money,
            "billing_currency": "USD",
            "service_name": "Amazon EC2",
            "x_line_class": "other",
            "tags": {},
        } | more

    @classmethod
    def machine(
        cls, cost: Decimal | str | int, hour: int | None = 0, instance: str = "i-1", **more: object
    ) -> Row:
        """Return a machine's bill line."""
        return cls.line(cost, hour, resource_id=instance, x_line_class="instance", **more)

    @classmethod
    def node(cls, hour: int = 0, instance: str = "i-1", **more: object) -> Row:
        """Return what telemetry knows of a node in an hour; `gpu`, `cpu`, `memory`: capacity."""
        return {
            "charge_date": DAY,
            "charge_hour": cls.at(hour),
            "cluster": "c1",
            "node": f"node-{instance}",
            "instance_id": instance,
            "gpu_capacity": more.pop("gpu", 8),
            "cpu_capacity": more.pop("cpu", 64),
            "memory_gib_capacity": more.pop("memory", 488),
            "up_seconds": 3600,
        } | more

    @classmethod
    def pod(cls, pod: str, hour: int = 0, instance: str = "i-1", **more: object) -> Row:
        """Return what a pod held in an hour: `gpu`, `cpu`, `memory`."""
        return {
            "charge_date": DAY,
            "charge_hour": cls.at(hour),
            "cluster": "c1",
            "namespace": "lab",
            "pod": pod,
            "node": f"node-{instance}",
            "held_seconds": 3600,
            "gpu_units": more.pop("gpu", 0),
            "cpu_cores": more.pop("cpu", 0),
            "memory_gib": more.pop("memory", 0),
        } | more

    @classmethod
    def run(cls, run: str, start: float = 0, end: float | None = 1, **more: object) -> Row:
        """Return a run between two hours of the day."""
        return {
            "run_key": run,
            "source": "mlflow",
            "native_id": run,
            "attempt": 1,
            "kind": "training",
            "run_name": run,
            "status": "succeeded",
            "started_at": cls.at(start),
            "ended_at": None if end is None else cls.at(end),
        } | more


@pytest.fixture(scope="session")
def draw() -> type[Draw]:
    """Return the makers of canonical rows."""
    return Draw
