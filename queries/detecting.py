"""Detectors: what each file of `queries/detectors` finds, promises and lets one set.

A detector is one SQL file. It yields the columns below, always and only; what is to be done
(`fix:`) stands in its header, and `marts.findings` is made of all of them. Knows nothing of DuckDB
or sqlglot, so that the config file is read without either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from queries import ModelError
from queries.named import Param, parse_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from decimal import Decimal

LAYER: Final = "detectors"
FOUND: Final = "detectors.found"
"""All that the detectors found: generated, a row per finding."""
SWITCH: Final = "is_enabled"
"""The key that every detector has in the config file."""
COLUMNS: Final[Mapping[str, str]] = {
    "resource_id": "VARCHAR",
    "resource_name": "VARCHAR",
    "provider": "VARCHAR",
    "region_id": "VARCHAR",
    "owner_user": "VARCHAR",
    "owner_team": "VARCHAR",
    "since": "DATE",
    "monthly_waste": "DECIMAL(38,12)",
    "billing_currency": "VARCHAR",
    "confidence": "VARCHAR",
    "evidence": "VARCHAR",
    "conflict_key": "VARCHAR",
}
"""What a detector yields: column -> type, in this order."""
NEEDED: Final = (
    "resource_id",
    "since",
    "monthly_waste",
    "billing_currency",
    "confidence",
    "evidence",
    "conflict_key",
)
"""The columns that a finding has no null in."""
CONFIDENCES: Final = ("high", "medium", "low")


class _Rows(Protocol):
    def fetchall(self) -> list[tuple[object, ...]]: ...


class _Connection(Protocol):
    def execute(self, query: str) -> _Rows: ...


@dataclass(frozen=True, slots=True)
class Detector:
    """One file of the folder, as its header has it."""

    name: str
    title: str
    """What it finds, in one sentence."""
    params: tuple[Param, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding as one generation has it."""

    finding_id: str
    detector: str
    resource_id: str
    resource_name: str | None
    provider: str | None
    region_id: str | None
    owner_user: str | None
    owner_team: str | None
    since: date
    monthly_waste: Decimal
    billing_currency: str
    confidence: str
    evidence: str
    conflict_key: str
    fix: str
    opened_date: date
    seen_date: date
    """The newest day of the bill on which it was found."""
    resolved_date: date | None
    verified_monthly_saving: Decimal | None
    muted_until: date | None


@cache
def detectors() -> Mapping[str, Detector]:
    """Return every detector by its name, in the order of the alphabet."""
    paths = sorted((Path(__file__).parent / LAYER).glob("*.sql"))
    queries = [parse_query(path.stem, path.read_text(encoding="utf-8")) for path in paths]
    return {query.name: Detector(query.name, query.title, query.params) for query in queries}


def union_of(found: Iterable[tuple[str, str, bool]]) -> str:
    """Return the SQL of all findings; `found` is name, fix and whether it counts, per detector."""
    parts = [
        f"select '{name}' as detector, {', '.join(COLUMNS)}, '{fix.replace(chr(39), chr(39) * 2)}' "
        f"as fix, {str(is_counted).lower()} as counts from {LAYER}.{name}"
        for name, fix, is_counted in found
    ]
    return "\nunion all\n".join([_no_finding(), *parts])


def _no_finding() -> str:
    columns = {"detector": "VARCHAR", **COLUMNS, "fix": "VARCHAR", "counts": "BOOLEAN"}
    nulls = ", ".join(f"cast(null as {kind}) as {column}" for column, kind in columns.items())
    return f"select {nulls} where false"


def check_detector(con: _Connection, table: str) -> None:
    """Prove that what a detector yielded is findings.

    Raises: ModelError for other columns, a null where there may be none, two rows of one thing.
    """
    given = {str(row[0]): str(row[1]) for row in con.execute(f"describe {table}").fetchall()}
    if list(given.items()) != list(COLUMNS.items()):
        wrong = sorted({*given.items()} ^ {*COLUMNS.items()}) or sorted(given.items())
        raise _error(
            table,
            f"{table} does not yield the columns of a finding: {wrong}",
            f"yield these, in this order: {', '.join(COLUMNS)}; cast each to its type",
        )
    nulls = " ".join(f"when {column} is null then '{column}'" for column in NEEDED)
    rows = con.execute(
        f"select case {nulls} end as lacking, resource_id, evidence from {table} "
        "where lacking is not null limit 1"
    ).fetchall()
    if rows:
        column, *thing = rows[0]
        raise _error(table, f"{table} has a finding without {column}: {tuple(thing)}", "fill it")
    words = ", ".join(f"'{word}'" for word in CONFIDENCES)
    rows = con.execute(
        f"select resource_id, confidence from {table} where confidence not in ({words}) limit 1"
    ).fetchall()
    if rows:
        raise _error(table, f"{table} has a confidence that is none: {rows[0]}", f"use {words}")
    rows = con.execute(
        f"select resource_id, billing_currency, count(*) from {table} "
        "group by resource_id, billing_currency having count(*) > 1 limit 1"
    ).fetchall()
    if rows:
        raise _error(table, f"{table} finds one thing more than once: {rows[0]}", "group by it")


def _error(table: str, what: str, fix: str) -> ModelError:
    return ModelError(what, where=f"queries/{table.replace('.', '/')}.sql", fix=fix)
