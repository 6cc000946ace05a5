"""Nights of one source of runs: what its connector delivers lands, what has landed is staged."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from connectors import connector_class
from queries.build import Settings
from queries.catalog import HOME, in_order, read_model
from queries.engines.duckdb import Connection, Limits, connect, create_macros, create_seeds
from queries.landed import Landed, LandedFile
from queries.manifest import Manifest
from queries.warehouse import SCHEMAS, Warehouse
from tests.connectors.mlflow_nights import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import Protocol

    from connectors.base import Delivery, Known

    class Dated(Protocol):
        """A connector that can be asked as of a time."""

        def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
            """Yield what there is to deliver at a time."""
            ...


@dataclass
class Nights:
    """What has landed of one source; also what its connector asks about that."""

    folder: Path
    kind: str
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

    def night(self, connector: Dated, at: datetime) -> int:
        """Land all that is delivered; return how many rows."""
        return sum(self._land(delivery) for delivery in connector.deliveries_at(self, at))

    def _land(self, delivery: Delivery) -> int:
        files, rows = [], 0
        for file in delivery.files:
            with closing(file.open()) as opened:
                content = opened.read()
            digest = hashlib.sha256(content).hexdigest()
            path = self.folder / f"{digest}.{file.format}"
            path.write_bytes(content)
            files.append(LandedFile(path, file.name, file.format, digest))
            rows += pl.read_parquet(content).height
        assert delivery.stated_rows == rows
        at = delivery.version_at.replace(tzinfo=None)
        self.landed.append(
            Landed(
                source=self.kind,
                connector=self.kind,
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
        return rows

    def text(self) -> str:
        """Return all that has landed, and the cursors, to look for what must not be there."""
        files = [file.path for one in self.landed for file in one.files]
        return "".join([*(str(pl.read_parquet(path).rows()) for path in files), str(self.cursors)])

    def stage(self) -> Connection:
        """Return a warehouse in which the source's staging models are built and proved."""
        paths = sorted((HOME / "staging").glob(f"{self.kind}__*.sql"))
        models = in_order([read_model(path) for path in paths])
        con = connect(Limits(threads=1))
        for schema in SCHEMAS:
            con.execute(f"create schema if not exists {schema}")
        create_macros(con, Settings().tag_keys)
        create_seeds(con)
        tables: dict[str, Any] = {
            self.kind: {table.name: table for table in connector_class(self.kind).tables}
        }
        warehouse = Warehouse(con, models, {}, HOME, Manifest(night="", built_at=""))
        warehouse.create_raw(tables, self.landed)
        warehouse.build_metadata()
        return con

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """Return the rows of `staging.<table>`, in order."""
        with closing(self.stage()) as con:
            found = rows_of(con, f"select {columns} from staging.{table} order by all")
        return [tuple(row.values()) for row in found]
