"""Nights of a source of runs: what its connector delivers lands, and what has landed is staged."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from connectors import connector_class
from queries.build import Settings
from queries.catalog import HOME, in_order, read_model
from queries.engines.duckdb import Limits, connect, create_macros, create_seeds
from queries.landed import Landed, LandedFile
from queries.manifest import Manifest
from queries.warehouse import SCHEMAS, Warehouse

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from connectors.base import Delivery
    from tests.connectors.scheduler_nights import Dated


@dataclass
class Nights:
    """What has landed of one source; also what its connector asks about that."""

    kind: str
    folder: Path
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

    def night(self, connector: Dated, at: datetime) -> dict[str, set[str]]:
        """Land all that is delivered; return the keys, by table."""
        told: dict[str, set[str]] = {}
        for delivery in connector.deliveries_at(self, at):
            told[delivery.table] = self._land(delivery)
        return told

    def _land(self, delivery: Delivery) -> set[str]:
        files, keys = [], set()
        for file in delivery.files:
            with closing(file.open()) as opened:
                content = opened.read()
            digest = hashlib.sha256(content).hexdigest()
            path = self.folder / f"{digest}.{file.format}"
            path.write_bytes(content)
            if file.format == "parquet":
                keys |= set(pl.read_parquet(path).to_dict(as_series=False).get("key", ()))
            files.append(LandedFile(path, file.name, file.format, digest))
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
        return keys

    def raw_text(self) -> str:
        """Return all that lies in the raw files, as text."""
        paths = [file.path for one in self.landed for file in one.files]
        return "\n".join(str(pl.read_parquet(path).to_dicts()) for path in paths)

    def rows(self, *models: str) -> list[dict[str, Any]]:
        """Return the rows of staging models, one after the other; their keys are proved, too."""
        files = sorted((HOME / "staging").glob(f"{self.kind}__*.sql"))
        with closing(connect(Limits(threads=1))) as con:
            for schema in SCHEMAS:
                con.execute(f"create schema if not exists {schema}")
            create_macros(con, Settings().tag_keys)
            create_seeds(con)
            tables = {self.kind: {one.name: one for one in connector_class(self.kind).tables}}
            in_place = in_order([read_model(path) for path in files])
            house = Warehouse(con, in_place, {}, HOME, Manifest(night="", built_at=""))
            house.create_raw(tables, self.landed)
            house.build_metadata()
            found = []
            for model in models:
                done = con.execute(f"select * from staging.{model} order by all")
                names = [column[0] for column in done.description or ()]
                found += [dict(zip(names, row, strict=True)) for row in done.fetchall()]
            return found
