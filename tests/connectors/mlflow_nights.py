"""Nights of one MLflow source: what its connector delivers lands, and what has landed is staged."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from connectors.mlflow import Mlflow
from connectors.mlflow_db import COLUMNS
from queries.catalog import HOME, in_order, read_model
from queries.engines.duckdb import Connection, Limits, connect, create_macros, create_seeds
from queries.landed import Landed, LandedFile
from queries.manifest import Manifest
from queries.warehouse import SCHEMAS, Warehouse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from connectors.base import Delivery

HOUR = 3_600_000
DAY = 24 * HOUR
MODELS = in_order([read_model(path) for path in sorted((HOME / "staging").glob("mlflow__*.sql"))])
_NUMBERS = {"start_time", "end_time", "timestamp", "creation_time", "last_updated_time"}
_NUMBERS |= {"version", "experiment_id"}


@dataclass
class Nights:
    """What has landed of one source; also what its connector asks about that."""

    folder: Path
    source: str = "mlflow"
    landed: list[Landed] = field(default_factory=list)
    cursors: dict[str, str] = field(default_factory=dict)

    def has(self, table: str, unit: str, version: str) -> bool:
        """Tell whether a version has landed."""
        return any(
            (one.table, one.unit, one.version) == (table, unit, version) for one in self.landed
        )

    def cursor(self, table: str) -> str | None:
        """Return the newest cursor of a table."""
        return self.cursors.get(table)

    def night(self, connector: Mlflow, at: datetime, *, killed_before: str = "") -> set[str]:
        """Land all that is delivered, up to a table that is never reached; return the tables."""
        tables = set()
        for delivery in connector.deliveries_at(self, at):
            if delivery.table == killed_before:
                break
            self._land(delivery)
            tables.add(delivery.table)
        return tables

    def _land(self, delivery: Delivery) -> None:
        files = []
        for file in delivery.files:
            with closing(file.open()) as opened:
                content = opened.read()
            assert file.size == len(content)
            digest = hashlib.sha256(content).hexdigest()
            path = self.folder / f"{digest}.{file.format}"
            path.write_bytes(content)
            files.append(LandedFile(path, file.name, file.format, digest))
        at = delivery.version_at.replace(tzinfo=None)
        self.landed.append(
            Landed(
                source=self.source,
                connector="mlflow",
                table=delivery.table,
                unit=delivery.unit,
                version=delivery.version,
                version_at=at,
                files=tuple(files),
                landed_at=at,
            )
        )
        if delivery.cursor is not None:
            self.cursors[delivery.table] = delivery.cursor

    def raw(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of all files of a table, in the order of landing."""
        files = [file.path for one in self.landed if one.table == table for file in one.files]
        return [row for path in files for row in pl.read_parquet(path).to_dicts()]

    def stage(self, **params: float) -> Connection:
        """Return a warehouse in which MLflow's staging models are built."""
        return stage(self.landed, **params)

    def rows(self, table: str, columns: str = "*") -> list[dict[str, Any]]:
        """Return the rows of `staging.<table>`, in order."""
        with closing(self.stage()) as con:
            return rows_of(con, f"select {columns} from staging.{table} order by all")


def stage(landed: Sequence[Landed], **params: float) -> Connection:
    """Build MLflow's staging models over deliveries, and prove their keys and columns."""
    con = connect(Limits(threads=1))
    for schema in SCHEMAS:
        con.execute(f"create schema if not exists {schema}")
    create_macros(con, {})
    create_seeds(con)
    tables: Mapping[str, Any] = {"mlflow": {table.name: table for table in Mlflow.tables}}
    warehouse = Warehouse(con, MODELS, params, HOME, Manifest(night="", built_at=""))
    warehouse.create_raw(tables, landed)
    warehouse.build_metadata()
    return con


def rows_of(con: Connection, sql: str) -> list[dict[str, Any]]:
    """Return a query's rows as dictionaries."""
    done = con.execute(sql)
    names = [column[0] for column in done.description or ()]
    return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


class Store:
    """A SQLite file with the tables of MLflow that mlspend reads."""

    def __init__(self, path: Path, location: str = "s3://models/mlflow/1") -> None:
        """Create the file; the one experiment's files lie at `location`."""
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=1)
        for table, columns in COLUMNS.items():
            kinds = [f"{one} {'bigint' if one in _NUMBERS else 'text'}" for one in columns]
            self.connection.execute(f"create table {table} ({', '.join(kinds)})")
        self.connection.execute("create unique index run_pk on runs (run_uuid)")
        self.insert("experiments", 1, "resnet", "active", location)

    def insert(self, table: str, *values: object) -> None:
        """Insert a row, its values in the order of COLUMNS."""
        marks = ", ".join("?" for _ in values)
        self.connection.execute(f"insert into {table} values ({marks})", values)

    def run(
        self,
        run_id: str,
        start: int | None,
        end: int | None = None,
        status: str = "FINISHED",
        **tags: str,
    ) -> str:
        """Log a run; in the names of tags, __ stands for a dot."""
        user, stage_ = "root", "active"
        self.insert("runs", run_id, f"the {run_id}", 1, user, status, start, end, stage_)
        for key, value in tags.items():
            self.tag(run_id, key, value)
        return run_id

    def tag(self, run_id: str, key: str, value: str) -> None:
        """Set a tag; in its key, __ stands for a dot."""
        key = key.replace("__", ".")
        self.connection.execute("delete from tags where run_uuid = ? and key = ?", (run_id, key))
        self.insert("tags", run_id, key, value)

    def update(self, run_id: str, **values: object) -> None:
        """Change columns of a run."""
        for column, value in values.items():
            self.connection.execute(
                f"update runs set {column} = ? where run_uuid = ?", (value, run_id)
            )

    def metric(self, run_id: str, at: int) -> None:
        """Log a metric."""
        self.insert("latest_metrics", run_id, at)

    def gpu(self, run_id: str, key: str, points: Sequence[tuple[int, float]]) -> None:
        """Log (time, percent) of a GPU, numbered from 0; the first call makes the table."""
        columns = "run_uuid text, key text, timestamp bigint, value real, step bigint, is_nan int"
        self.connection.execute(f"create table if not exists metrics ({columns})")
        rows = [(run_id, key, at, value, step, 0) for step, (at, value) in enumerate(points)]
        self.connection.executemany("insert into metrics values (?, ?, ?, ?, ?, ?)", rows)

    def dataset(self, run_id: str, name: str, source: str, kind: str = "s3", **tags: str) -> None:
        """Log a dataset of a run; in the names of tags, __ stands for a dot."""
        dataset_id, use = f"d-{name}", f"u-{run_id}-{name}"
        self.insert("datasets", dataset_id, name, f"digest-{name}", kind, source)
        self.insert("inputs", use, "DATASET", dataset_id, "RUN", run_id)
        for key, value in tags.items():
            self.insert("input_tags", use, key.replace("__", "."), value)

    def logged_model(self, run_id: str, model_id: str) -> None:
        """Log a model that a run made."""
        self.insert("inputs", f"o-{model_id}", "RUN_OUTPUT", run_id, "MODEL_OUTPUT", model_id)
