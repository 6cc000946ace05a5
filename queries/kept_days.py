"""Models that are kept by day: a day is computed once, and again only when what it reads changes.

Such a model reads what is staged by day, kept beside that, or kept by day itself: of the recent
days alone, and each by itself. So what it has of a day is named after its SQL and the files that
hold what it reads of that day: where the name is known, nothing is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries.catalog import RECENT_DAYS, shared_macros
from queries.checks import check_model
from queries.engines.duckdb import ENGINE_VERSION, literal
from queries.lake import StoredFile, StoredTable, put
from queries.manifest import digest

if TYPE_CHECKING:
    from queries.catalog import Model
    from queries.warehouse import Warehouse


def keep_days(warehouse: Warehouse, model: Model) -> None:
    """Compute the days that are wanted and not known, and show all that are wanted.

    Raises: ModelError where two rows have one key.
    """
    con, lake = warehouse.con, warehouse.lake
    days = con.execute(f"select cast(charge_date as varchar) from {RECENT_DAYS}").fetchall()
    if not days:
        warehouse.tables.fill(model, model.name, warehouse.sql_of(model))
        return
    stored = StoredTable()
    is_new = False
    for (day,) in sorted(days):
        path = _path(warehouse, model, day)
        if path not in warehouse.known:
            put(con, _of_day(warehouse.sql_of(model), day), lake, path)
            is_new = True
        stored.files.append(StoredFile(path, {day}, held=1))
    warehouse.manifest.stored[model.name] = stored
    con.execute(f"create or replace view {model.name} as {stored.scan(lake)}")
    row = con.execute(f"select 1 from {model.name} limit 1").fetchone()
    warehouse.tables.know(model.name, is_empty=row is None)
    if is_new:
        check_model(con, model, warehouse.tables.empty)


def _of_day(sql: str, day: str) -> str:
    return sql.replace(f"(select charge_date from {RECENT_DAYS})", f"(date {literal(day)})")


def _path(warehouse: Warehouse, model: Model, day: str) -> str:
    """Return where a day is kept, by a name that tells all that it is made of.

    The engine is part of it: days are brought together by hashes, which another may make otherwise.
    """
    read = [
        file
        for table in sorted(model.reads)
        for stored in warehouse.stored_of(table)
        if (file := stored.file_of(day))
    ]
    made = digest(ENGINE_VERSION, warehouse.sql_of(model), shared_macros(), read)[:24]
    return f"{model.name}/{day}/{made}.parquet"
