"""A run as systems know it: which records are its own, on what evidence, and where it was.

What is read here is computed from the metadata in force and names everybody: it is the operator's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from queries import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queries.engines.duckdb import Connection

_TYPING_SLIPS = 2
_RECORDS = """
    select relation, system, source, native_id, rule, confidence, evidence
    from marts.run_records where run_id = $run_id
    order by relation desc, rule nulls first, system, source, native_id
"""
_PLACES = """
    select
        cluster, namespace, pod, node, instance_id, gpu_count,
        min(started_at) as first_at, max(ended_at) as last_at
    from attribution.run_stays where run_id = $run_id
    group by all order by first_at, pod, instance_id, node
"""


@dataclass(frozen=True, slots=True)
class Told:
    """An answer with the names of its columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def as_json(self) -> list[dict[str, object]]:
        """Return a row each, with times and numbers as text."""
        return [
            {
                column: None if cell is None else str(cell)
                for column, cell in zip(self.columns, row, strict=True)
            }
            for row in self.rows
        ]


def run_named(con: Connection, given: str) -> str:
    """Return the run that is called so, by mlspend or by any system that saw it.

    `system:id` tells one of two that have the same id in different systems.

    Raises: ModelError where there is none, with the nearest name, or more than one.
    """
    records = "from marts.run_records where relation = 'same'"
    found = con.execute(
        f"select distinct run_id {records} and "
        "$given in (run_id, run_key, native_id, system || ':' || native_id) order by run_id",
        {"given": given},
    ).fetchall()
    if len(found) == 1:
        return str(found[0][0])
    if found:
        raise ModelError(
            f'{len(found)} runs are called "{given}"',
            where="marts.run_records",
            fix=f"ask by run_id: {', '.join(str(row[0]) for row in found)}; or by system:id",
        )
    near = con.execute(
        f"select native_id {records} and levenshtein(native_id, $given) <= {_TYPING_SLIPS} "
        "order by levenshtein(native_id, $given), native_id limit 1",
        {"given": given},
    ).fetchone()
    hint = f'; did you mean "{near[0]}"?' if near else ""
    raise ModelError(
        f'there is no run "{given}"{hint}',
        where="marts.run_records",
        fix="give its run_id, or the id that any system has for it: marts.run_records has them",
    )


def records_of(con: Connection, run_id: str) -> Told:
    """Return the records of a run and of what started it, each with why it is believed."""
    return _told(con, _RECORDS, run_id)


def places_of(con: Connection, run_id: str) -> Told:
    """Return where a run was, and from when to when."""
    return _told(con, _PLACES, run_id)


def _told(con: Connection, query: str, run_id: str) -> Told:
    cursor = con.execute(query, {"run_id": run_id})
    return Told([column[0] for column in cursor.description or ()], cursor.fetchall())
