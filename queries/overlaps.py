"""Two files of a bill that hold the same lines, as exports do that each hold the month so far.

A line is told by a digest of all that its file says of it, but for what is of the export and not of
the bill, such as its place in the file. Of many lines one in so many is looked at, the same ones in
each file.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from queries import ModelError
from queries.engines.duckdb import Error, Limits, connect
from queries.landed import Declared
from queries.manifest import digest
from queries.raw import scan_of, shape_in

if TYPE_CHECKING:
    from collections.abc import Collection

    from queries.engines.duckdb import Connection
    from queries.landed import LandedFile
    from queries.shapes import Shape

_LOOKED_AT = 500_000
"""Lines at most, about, of all files."""
_ENOUGH = 100
"""Lines looked at of a file, where not all are, by which half of it is told from less."""
_ALIKE = """
with

sizes as (
    select path, sum(copies) as line_count
    from looked_at
    group by path
    having line_count >= $enough
),

shared as (
    select
        one.path,
        other.path as other_path,
        sum(least(one.copies, other.copies)) as line_count
    from looked_at as one
    inner join looked_at as other on one.line = other.line and one.path < other.path
    where one.is_new or other.is_new
    group by one.path, other.path
)

select shared.path, shared.other_path
from shared
inner join sizes as one on shared.path = one.path
inner join sizes as other on shared.other_path = other.path
where shared.line_count > 1 and shared.line_count * 2 >= least(one.line_count, other.line_count)
"""


class Billed(Declared, Protocol):
    """What a connector says of a bill; `connectors.base.Table` is one."""

    @property
    def of_export(self) -> Collection[str]:
        """Columns that tell a line within one export, and say nothing of the bill."""
        ...


def find_overlap(
    table: Billed, new: Collection[LandedFile], old: Collection[LandedFile], lines: int
) -> tuple[str, str] | None:
    """Return the names of two files of which one holds half of the other's lines, or more.

    One of the two is new. A single line is not enough: two bills may say as little. Files whose
    columns differ are not compared, nor is one that cannot be read: whoever counts it says why.
    `lines` is how many there are in all, about.
    """
    names = {str(file.path): file.name for file in (*new, *old)}
    step = max(1, lines // _LOOKED_AT)
    try:
        with closing(connect(Limits())) as con:
            con.execute(
                "create temp table looked_at (path text, is_new bool, line ubigint, copies bigint)"
            )
            _look(con, table, new, step, is_new=True)
            _look(con, table, old, step, is_new=False)
            alike = con.execute(_ALIKE, {"enough": _ENOUGH if step > 1 else 1}).fetchall()
    except (Error, ModelError):
        return None
    return min((_in_order(names[one], names[other]) for one, other in alike), default=None)


def _in_order(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)


def _look(
    con: Connection, table: Billed, files: Collection[LandedFile], step: int, *, is_new: bool
) -> None:
    shapes: dict[Shape, list[LandedFile]] = {}
    for file in files:
        shapes.setdefault(shape_in(con, table, file), []).append(file)
    for shape, members in shapes.items():
        if shape.headers:
            con.execute(
                "insert into looked_at select x_path, $is_new, line, count(*) "
                f"from (select x_path, {_line(table, shape)} as line "
                f"from {scan_of(table, shape, members)}) where line % $step = 0 group by all",
                {"is_new": is_new, "step": step},
            )


def _line(table: Billed, shape: Shape) -> str:
    """Return the digest of a line in SQL; lines of other columns have others."""
    columns = sorted(
        (header, kind, source)
        for header, kind, source in zip(shape.headers, shape.types, shape.sources, strict=True)
        if (table.rename or str)(header).lower() not in table.of_export
    )
    what = digest([f"{header} {kind}" for header, kind, _ in columns], map(str, shape.told))
    return f"hash('{what}', {', '.join(source for _, _, source in columns)})"
