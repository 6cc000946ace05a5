"""Nights of inventories: what their connectors deliver lands, and what has landed is staged."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connectors import connector_class
from queries.build import Settings
from queries.catalog import HOME, in_order, read_model
from queries.engines.duckdb import Limits, connect, create_macros
from queries.landed import Landed, LandedFile
from queries.manifest import Manifest
from queries.stage import Stager
from queries.warehouse import SCHEMAS, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from connectors.base import Delivery
    from queries.catalog import Model
    from queries.engines.duckdb import Connection

MODELS = in_order(
    [
        read_model(path)
        for path in sorted((HOME / "staging").glob("*inventory__*.sql"))
        if not path.stem.startswith("storage_")
    ]
)


@dataclass
class Nights:
    """What has landed of some sources; also what their connectors ask about that."""

    folder: Path
    landed: list[Landed] = field(default_factory=list)

    def has(self, table: str, unit: str, version: str) -> bool:
        """Tell whether a version has landed."""
        return any(
            (one.table, one.unit, one.version) == (table, unit, version) for one in self.landed
        )

    def cursor(self, table: str) -> str | None:
        """Return none: an inventory has no cursor."""
        return None if table else ""

    def land(
        self,
        deliveries: Iterable[Delivery],
        source: str = "aws_inventory",
        connector: str = "aws_inventory",
    ) -> int:
        """Land deliveries one by one, so that those before an error stay; return how many."""
        count = 0
        for count, delivery in enumerate(deliveries, start=1):  # noqa: B007 - counted
            files = []
            for file in delivery.files:
                with closing(file.open()) as opened:
                    content = opened.read()
                digest = hashlib.sha256(content).hexdigest()
                path = self.folder / f"{digest}.{file.format}"
                path.write_bytes(content)
                files.append(LandedFile(path, file.name, file.format, digest))
            at = delivery.version_at.replace(tzinfo=None)
            self.landed.append(
                Landed(
                    source=source,
                    connector=connector,
                    table=delivery.table,
                    unit=delivery.unit,
                    version=delivery.version,
                    version_at=at,
                    files=tuple(files),
                    landed_at=at,
                )
            )
        return count

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Stage what has landed, by day and then whole, and return what the tables answer."""
        with closing(connect(Limits(threads=1))) as con:
            for schema in SCHEMAS:
                con.execute(f"create schema if not exists {schema}")
            create_macros(con, Settings().tag_keys)
            warehouse = Warehouse(
                con, MODELS, {}, self.folder / "lake", Manifest(night="", built_at="")
            )
            for model in warehouse.staged_models:
                connector = model.name.removeprefix("staging.").partition("__")[0]
                stager = Stager(
                    con=con,
                    model=model,
                    sql=model.sql,
                    connector=connector,
                    table=connector_class(connector).tables[0],
                    lake=self.folder / "lake",
                    progress=lambda _: None,
                )
                warehouse.manifest.staged[model.name] = stager.stage(
                    [one for one in self.landed if one.connector == connector], {}
                )
            warehouse.show_staged(None)
            for model in warehouse.staged_models:
                _check_key(con, model)
            warehouse.build_metadata()
            done = con.execute(sql)
            names = [column[0] for column in done.description or ()]
            return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def ids(self, kind: str, where: str = "true") -> set[str]:
        """Return the ids of the things of a kind that are there now."""
        rows = self.rows(
            "select resource_id from staging.inventory "
            f"where resource_type = '{kind}' and ({where})"
        )
        return {row["resource_id"] for row in rows}


def _check_key(con: Connection, model: Model) -> None:
    """Prove the key of a model that is kept by day; the build does so for the others."""
    keys = ", ".join(model.key)
    twice = con.execute(
        f"select {keys} from staging.{model.feeds} group by {keys} having count(*) > 1"
    ).fetchall()
    assert twice == []
