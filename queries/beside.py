"""Models kept beside bill lines: computed from one file of lines, once, when it is new.

A lake file never changes, so what is computed from one file alone never does either. Its own file
is named after that one and the SQL, holds the same days, and loses them with it.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from queries.catalog import BESIDE, HOME, ROW
from queries.checks import check_model
from queries.engines.duckdb import literal
from queries.lake import StoredFile, StoredTable, write
from queries.manifest import digest
from queries.warehouse import empty, shape

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def _create_shape(warehouse: Warehouse, model: Model) -> None:
    con = warehouse.con
    con.execute(f"create or replace view {LINES} as {_numbered(f'({empty(LINES)})', 'null')}")
    con.execute(f"create or replace table {shape(model)} as {warehouse.sql_of(model)}")


def _compute(warehouse: Warehouse, model: Model, lines: StoredFile, path: str) -> None:
    con, lake = warehouse.con, warehouse.lake
    con.execute(f"create or replace view {LINES} as {_numbered(_scan(lake / lines.path))}")
    write(con, warehouse.sql_of(model), lake, path)
    con.execute(f"create or replace view {model.name} as select * from {_scan(lake / path)}")
    check_model(con, model)


def _scan(path: Path) -> str:
    return f"read_parquet({literal(str(path))})"


def _numbered(relation: str, number: str = "file_row_number") -> str:
    """Return the lines with their place in the file, which only these models see."""
    return f"select *, cast({number} as bigint) as {ROW} from {relation}"


def _path(warehouse: Warehouse, model: Model, lines: StoredFile) -> str:
    macros = (HOME / "macros.sql").read_text(encoding="utf-8")
    made = digest(warehouse.sql_of(model), macros, lines.path)[:24]
    return f"{model.name}/{PurePath(lines.path).parent.name}/{made}.parquet"
