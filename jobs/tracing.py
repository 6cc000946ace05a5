"""`mlspend lineage`: which columns of which sources a column of the database is computed from."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TextIO

from connectors import CONNECTORS, declared_tables
from queries.build import BuildInput, Settings, shapes
from queries.catalog import models
from queries.engines.duckdb import Limits
from queries.lineage import Lineage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from queries.lineage import Column, Step


def print_lineage(
    text: str, connectors: Collection[str], depth: int, out: TextIO, *, as_json: bool
) -> None:
    """Print what a column, `marts.runs.effective_cost`, is computed from.

    `connectors` are those to look at; with none, every one there is. The way down is shown for
    `depth` models; the sources' own columns are listed whole, however deep they lie.

    Raises: ModelError where there is no such column.
    """
    lineage = lineage_of(connectors)
    column = lineage.of(text)
    steps, bottom = list(lineage.steps(column)), lineage.sources(column)
    if as_json:
        out.write(json.dumps(_as_json(lineage, steps, bottom), indent=1) + "\n")
        return
    for step in steps:
        if step.depth <= depth:
            out.write(_line(lineage, step))
    out.write("\nin the end from\n")
    tables: dict[str, list[str]] = {}
    for each in bottom:
        tables.setdefault(each.table, []).append(each.name)
    out.writelines(f"  {table}: {', '.join(names)}\n" for table, names in tables.items())


def lineage_of(connectors: Collection[str] = ()) -> Lineage:
    """Return the lineage of every column that a build has."""
    with TemporaryDirectory() as folder:
        given = BuildInput(
            tables=declared_tables(),
            landed=[],
            totals=[],
            settings=Settings(),
            limits=Limits(memory="1GB", threads=2, spill=Path(folder) / "spill"),
            lake=Path(folder) / "lake",
        )
        return Lineage(models(), shapes(given), frozenset(connectors or CONNECTORS))


def _line(lineage: Lineage, step: Step) -> str:
    about = "as above" if step.is_repeated else lineage.comment(step.column)
    return f"{'  ' * step.depth}{step.column}{'  -- ' + about if about else ''}\n"


def _as_json(
    lineage: Lineage, steps: Sequence[Step], bottom: Sequence[Column]
) -> dict[str, object]:
    columns = dict.fromkeys(step.column for step in steps)
    return {
        "column": str(steps[0].column),
        "from": {str(each): sorted(map(str, lineage.origins(each))) for each in columns},
        "sources": [str(each) for each in bottom],
    }
