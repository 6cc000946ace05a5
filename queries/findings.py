"""What earlier nights found, as a build reads it, and what a generation says of findings.

`raw.findings` is the one input of a build that nights write themselves. So it does not decide
whether a night has anything to build, except for what people set: until when a finding is muted.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from queries.detecting import COLUMNS, Finding
from queries.engines.duckdb import open_read_only

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from queries.engines.duckdb import Connection

_KINDS = {
    "finding_id": "VARCHAR",
    "detector": "VARCHAR",
    **COLUMNS,
    "fix": "VARCHAR",
    "opened_date": "DATE",
    "seen_date": "DATE",
    "resolved_date": "DATE",
    "verified_monthly_saving": "DECIMAL(38,12)",
    "muted_until": "DATE",
}


def create_findings(
    con: Connection, known: Sequence[Finding], reported_only: Collection[str]
) -> None:
    """Create `raw.findings`; those of the detectors in `reported_only` count in no total."""
    columns = ", ".join(f"{column} {kind}" for column, kind in _KINDS.items())
    con.execute(f"create or replace table raw.findings ({columns}, counts boolean)")
    names = [field.name for field in fields(Finding)]
    if known:
        marks = ", ".join("?" for _ in (*names, "counts"))
        rows = [
            (*(getattr(row, name) for name in names), row.detector not in reported_only)
            for row in known
        ]
        con.executemany(
            f"insert into raw.findings ({', '.join(names)}, counts) values ({marks})", rows
        )


def read_findings(database: Path) -> list[Finding]:
    """Return the findings of a generation; none where it is older than detectors are."""
    with open_read_only(database) as con:
        there = con.execute(
            "select count(*) from duckdb_tables() "
            "where schema_name = 'marts' and table_name = 'findings'"
        ).fetchone()
        if there == (0,):
            return []
        names = ", ".join(field.name for field in fields(Finding))
        rows = con.execute(f"select {names} from marts.findings order by finding_id").fetchall()
    return [Finding(*row) for row in rows]
