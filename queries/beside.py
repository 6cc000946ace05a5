"""Models kept beside bill lines: computed from one file of lines, once, when it is new.

A lake file never changes, so what is computed from one file alone never does either. Its own file
is named after that one and the SQL, holds the same days, and loses them with it.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from queries.catalog import BESIDE, ROW, SEEN_BESIDE, TAGS, shared_macros
from queries.checks import check_model
from queries.engines.duckdb import literal
from queries.lake import StoredFile, StoredTable, write
from queries.manifest import digest
from queries.warehouse import empty, shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from queries.catalog import Model
    from queries.manifest import Manifest
    from queries.warehouse import Warehouse

LINES = f"staging.{BESIDE}"


def keep_beside(warehouse: Warehouse, before: Manifest, progress: Callable[[str], None]) -> None:
    """Compute what is missing beside the staged lines, and show all of it.

    Raises: ModelError where the rows of a file do not add up to its lines.
    """
    known = {file.path for table in before.stored.values() for file in table.files}
    for model in warehouse.beside_models:
        _create_shape(warehouse, model)
        stored = StoredTable()
        for table in warehouse.stored_of(LINES):
            for lines in table.files:
                path = _path(warehouse, model, lines)
                if path not in known:
                    progress(f"{model.name} of {PurePath(lines.path).parent.name}")
                    _compute(warehouse, model, lines, path)
                stored.files.append(StoredFile(path, set(lines.days), lines.held))
        warehouse.manifest.stored[model.name] = stored
    warehouse.show_beside(None)


def show_kept(warehouse: Warehouse) -> None:
    """Show what nights before have kept beside the staged lines; nothing is computed for it."""
    for model in warehouse.beside_models:
        _create_shape(warehouse, model)
        warehouse.manifest.stored.setdefault(model.name, StoredTable())
    warehouse.show_beside(None)


def _create_shape(warehouse: Warehouse, model: Model) -> None:
    con = warehouse.con
    also = ", ".join(f"cast(null as {kind}) as {column}" for column, kind in SEEN_BESIDE.items())
    rows = f"select *, {also} from ({empty(LINES)})"
    con.execute(f"create or replace view {LINES} as {rows}")
    tables = warehouse.tables
    if shape(model) in tables.columns:
        tables.create_empty(shape(model), tables.columns[shape(model)])
    else:
        con.execute(f"create or replace table {shape(model)} as {warehouse.sql_of(model)}")
        tables.learn(shape(model))


def _compute(warehouse: Warehouse, model: Model, lines: StoredFile, path: str) -> None:
    con, lake = warehouse.con, warehouse.lake
    rows = lines.rows(lake, f"cast(file_row_number as bigint) as {ROW}", f"rows.tags as {TAGS}")
    con.execute(f"create or replace view {LINES} as {rows}")
    write(con, warehouse.sql_of(model), lake, path)
    scan = f"read_parquet({literal(str(lake / path))})"
    con.execute(f"create or replace view {model.name} as select * from {scan}")
    check_model(con, model)


def _path(warehouse: Warehouse, model: Model, lines: StoredFile) -> str:
    made = digest(warehouse.sql_of(model), shared_macros(), lines.path)[:24]
    return f"{model.name}/{PurePath(lines.path).parent.name}/{made}.parquet"
