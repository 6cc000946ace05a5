"""Models kept beside files of staged rows: computed from one file alone, once, when it is new.

A lake file never changes, so what is computed from one file alone never does either. Its own file
is named after that one and the SQL, holds the same days, and loses them with it. One that has no
days is there as a whole as long as one of its file's days counts. A model may read another that is
kept beside the same file, and sees that one's rows alone.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from queries.catalog import DAY, LINES, ROW, SEEN_BESIDE, TAGS, shared_macros
from queries.checks import check_model
from queries.engines.duckdb import literal
from queries.lake import StoredFile, StoredTable, put
from queries.manifest import digest
from queries.warehouse import empty, shape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from queries.catalog import Model
    from queries.warehouse import Warehouse

_IN_SCAN = {ROW: "cast(file_row_number as bigint)", TAGS: "rows.tags"}


def keep_beside(warehouse: Warehouse, progress: Callable[[str], None]) -> None:
    """Compute what is missing beside the staged files, and show all of it.

    Raises: ModelError where the rows of a file do not add up to what it was computed from.
    """
    for model in warehouse.beside_models:
        _create_shape(warehouse, model)
        warehouse.manifest.stored[model.name] = StoredTable()
    for table, members in _by_table(warehouse).items():
        dated = [_is_dated(warehouse, model) for model in members]
        for staged in (file for stored in warehouse.stored_of(table) for file in stored.files):
            paths = _paths(warehouse, members, staged)
            if not warehouse.known.issuperset(paths):
                _compute(warehouse, staged, dict(zip(paths, members, strict=True)), progress)
            for model, path, is_dated in zip(members, paths, dated, strict=True):
                kept = StoredFile(path, set(staged.days), staged.held, is_dated=is_dated)
                warehouse.manifest.stored[model.name].files.append(kept)
    warehouse.show_beside(None)


def show_kept(warehouse: Warehouse) -> None:
    """Show what nights before have kept beside the staged files; nothing is computed for it."""
    for model in warehouse.beside_models:
        _create_shape(warehouse, model)
        warehouse.manifest.stored.setdefault(model.name, StoredTable())
    warehouse.show_beside(None)


def _by_table(warehouse: Warehouse) -> dict[str, list[Model]]:
    """Return the models that are kept beside each staged table, each after those that it reads."""
    found: dict[str, list[Model]] = {}
    for model in warehouse.beside_models:
        found.setdefault(_staged(model), []).append(model)
    return found


def _create_shape(warehouse: Warehouse, model: Model) -> None:
    con = warehouse.con
    also = SEEN_BESIDE if model.beside == LINES else {}
    nothing = "".join(f", cast(null as {kind}) as {column}" for column, kind in also.items())
    rows = f"select *{nothing} from ({empty(_staged(model))})"
    con.execute(f"create or replace view {_staged(model)} as {rows}")
    tables = warehouse.tables
    if shape(model) in tables.columns:
        tables.create_empty(shape(model), tables.columns[shape(model)])
    else:
        con.execute(f"create or replace table {shape(model)} as {warehouse.sql_of(model)}")
        tables.learn(shape(model))
    con.execute(f"create or replace view {model.name} as select * from {shape(model)}")


def _is_dated(warehouse: Warehouse, model: Model) -> bool:
    columns = warehouse.con.execute(f"from {shape(model)}").description
    return DAY in [column for column, *_ in columns]


def _compute(
    warehouse: Warehouse,
    staged: StoredFile,
    models: Mapping[str, Model],
    progress: Callable[[str], None],
) -> None:
    """Compute those of the models that are not known by their path, over one staged file."""
    con, lake = warehouse.con, warehouse.lake
    for path, model in models.items():
        if path not in warehouse.known:
            progress(f"{model.name} of {PurePath(staged.path).parent.name}")
            also = _IN_SCAN if model.beside == LINES else {}
            rows = staged.rows(lake, *(f"{value} as {name}" for name, value in also.items()))
            con.execute(f"create or replace view {_staged(model)} as {rows}")
            put(con, warehouse.sql_of(model), lake, path)
        scan = f"read_parquet({literal(str(lake / path))})"
        con.execute(f"create or replace view {model.name} as select * from {scan}")
        if path not in warehouse.known:
            check_model(con, model)


def _staged(model: Model) -> str:
    return f"staging.{model.beside}"


def _paths(warehouse: Warehouse, members: Sequence[Model], staged: StoredFile) -> list[str]:
    """Return where models are kept beside a file, by names that tell all that they are made of."""
    paths: dict[str, str] = {}
    for model in members:
        read = [paths[name] for name in sorted(paths.keys() & model.reads)]
        made = digest(warehouse.sql_of(model), shared_macros(), staged.path, read)[:24]
        paths[model.name] = f"{model.name}/{PurePath(staged.path).parent.name}/{made}.parquet"
    return list(paths.values())
