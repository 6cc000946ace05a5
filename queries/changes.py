"""Which days must be attributed again: those whose inputs differ from the last generation's.

A day is what attribution read for it: the staged rows of the day, the day's rows of hashed models,
and whatever is not kept by day, a change of which touches every day.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from queries.catalog import DAY, HOME, LINES, canonical_columns, shared_macros
from queries.manifest import digest
from queries.warehouse import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from queries.lake import StoredTable
    from queries.warehouse import Warehouse


def digests_of_days(warehouse: Warehouse, settings: str) -> dict[str, str]:
    """Return each billed day's digest of all that its attribution reads."""
    reads = sorted(set().union(*(model.reads for model in warehouse.day_models)))
    common = _common(warehouse, reads, settings)
    parts: dict[str, list[str]] = {}
    for table in reads:
        for day, content in _content_by_day(warehouse, table).items():
            parts.setdefault(day, []).append(f"{table} {content}")
    billed = _content_by_day(warehouse, f"staging.{LINES}")
    return {day: digest(common, parts[day]) for day in sorted(billed)}


def changed(now: Mapping[str, str], then: Mapping[str, str]) -> set[str]:
    """Return the days that are new, gone or different."""
    return {day for day in now.keys() | then.keys() if now.get(day) != then.get(day)}


def _common(warehouse: Warehouse, reads: list[str], settings: str) -> str:
    """Return a digest of what touches every day: the SQL, settings, and tables not kept by day."""
    seeds = sorted((HOME / "seeds").glob("*.csv"))
    return digest(
        [warehouse.sql_of(model) for model in warehouse.day_models],
        shared_macros(),
        [path.read_text(encoding="utf-8") for path in seeds],
        settings,
        [_content(warehouse, table) for table in reads if _is_whole(warehouse, table)],
    )


def _is_whole(warehouse: Warehouse, table: str) -> bool:
    for model in warehouse.models:
        if model.name == table:
            return model.kind == "full"
    return table in canonical_columns() and table not in warehouse.daily_tables


def _content(warehouse: Warehouse, table: str) -> str:
    row = warehouse.con.execute(
        f"select count(*), bit_xor(hash(line)), sum(cast(hash(line) as hugeint)) "
        f"from {table} as line"
    ).fetchone()
    return f"{table} {row}"


def _content_by_day(warehouse: Warehouse, table: str) -> dict[str, str]:
    if table in {*warehouse.daily_tables, *(model.name for model in warehouse.beside_models)}:
        return _files_by_day(warehouse.stored_of(table))
    hashed = [model for model in warehouse.models if (model.name, model.kind) == (table, "hashed")]
    if not hashed:
        return {}
    rows = warehouse.con.execute(
        f"select cast(line.{DAY} as varchar), count(*), bit_xor(hash(line)), "
        f"sum(cast(hash(line) as hugeint)) from {whole(hashed[0])} as line group by line.{DAY}"
    ).fetchall()
    return {row[0]: f"{row[1:]}" for row in rows}


def _files_by_day(stored: Iterable[StoredTable]) -> dict[str, str]:
    """A day's rows are told by the files that hold it: a day that changes goes to a new file."""
    paths: dict[str, list[str]] = {}
    for file in chain.from_iterable(table.files for table in stored):
        for day in file.days:
            paths.setdefault(day, []).append(file.path)
    return {day: digest(sorted(found)) for day, found in paths.items()}
