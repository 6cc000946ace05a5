"""Models kept beside files of staged rows: computed from one file alone, once, when it is new.

A lake file never changes, so what is computed from one file alone never does either. Its own file
is named after that one and the SQL, holds the same days, and loses them with it.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from queries.catalog import ROW, shared_macros
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


def keep_beside(warehouse: Warehouse, before: Manifest, progress: Callable[[str], None]) -> None:
    """Compute what is missing beside the staged files, and show all of it.

    Raises: ModelError where the rows of a file do not add up to what it was computed from.
    """
    known = {file.path for table in before.stored.values() for file in table.files}
    for model in warehouse.beside_models:
        _create_shape(warehouse, model)
        stored = StoredTable()
        for table in warehouse.stored_of(_staged(model)):
            for staged in table.files:
                path = _path(warehouse, model, staged)
                if path not in known:
                    progress(f"{model.name} of {PurePath(staged.path).parent.name}")
                    _compute(warehouse, model, staged, path)
                stored.files.append(StoredFile(path, set(staged.days), staged.held))
        warehouse.manifest.stored[model.name] = stored
    warehouse.show_beside(None)


def show_kept(warehouse: Warehouse) -> None:
    """Show what nights before have kept beside the staged files; nothing is computed for it."""
    for model in warehouse.beside_models:
        _create_shape(warehouse, model)
        warehouse.manifest.stored.setdefault(model.name, StoredTable())
    warehouse.show_beside(None)


def _create_shape(warehouse: Warehouse, model: Model) -> None:
    con = warehouse.con
    rows = f"select *, {_numbered('null')} from ({empty(_staged(model))})"
    con.execute(f"create or replace view {_staged(model)} as {rows}")
    tables = warehouse.tables
    if shape(model) in tables.columns:
        tables.create_empty(shape(model), tables.columns[shape(model)])
    else:
        con.execute(f"create or replace table {shape(model)} as {warehouse.sql_of(model)}")
        tables.learn(shape(model))


def _compute(warehouse: Warehouse, model: Model, staged: StoredFile, path: str) -> None:
    con, lake = warehouse.con, warehouse.lake
    rows = staged.rows(lake, _numbered("file_row_number"))
    con.execute(f"create or replace view {_staged(model)} as {rows}")
    write(con, warehouse.sql_of(model), lake, path)
    scan = f"read_parquet({literal(str(lake / path))})"
    con.execute(f"create or replace view {model.name} as select * from {scan}")
    check_model(con, model)


def _staged(model: Model) -> str:
    return f"staging.{model.beside}"


def _numbered(number: str) -> str:
    """Return a row's place in its file, which only these models see."""
    return f"cast({number} as bigint) as {ROW}"


def _path(warehouse: Warehouse, model: Model, staged: StoredFile) -> str:
    made = digest(warehouse.sql_of(model), shared_macros(), staged.path)[:24]
    return f"{model.name}/{PurePath(staged.path).parent.name}/{made}.parquet"
