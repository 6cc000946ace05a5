"""Nights of inventories: what their connectors deliver lands, and the whole warehouse is built."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.inputs import declared_tables
from queries.build import BuildInput, Settings, build
from queries.engines.duckdb import Limits
from queries.raw import Landed, LandedFile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from connectors.base import Delivery


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

    def land(self, deliveries: Iterable[Delivery], source: str = "aws_inventory") -> int:
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
                    connector="aws_inventory",
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
        """Build everything, and return what the warehouse answers."""
        built = build(
            BuildInput(
                tables=declared_tables(),
                landed=self.landed,
                totals=[],
                settings=Settings(),
                limits=Limits(threads=1),
                lake=self.folder / "lake",
                progress=lambda _: None,
            )
        )
        assert built is not None
        with closing(built.con):
            done = built.con.execute(sql)
            names = [column[0] for column in done.description or ()]
            return [dict(zip(names, row, strict=True)) for row in done.fetchall()]

    def ids(self, kind: str, where: str = "true") -> set[str]:
        """Return the ids of the things of a kind that are there now."""
        rows = self.rows(
            "select resource_id from staging.inventory "
            f"where resource_type = '{kind}' and ({where})"
        )
        return {row["resource_id"] for row in rows}
