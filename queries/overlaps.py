"""Two files of a bill that hold the same lines, as exports do that each hold the month so far.

A line is told by a digest of all that its file says of it, but for what changes from one export to
the next, such as its place in the file and the invoice that it is on in the end. Of many lines one
in so many is looked at: of a file twice as long one in twice as many, so that what is looked at of
the longer is looked at of the shorter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from queries import ModelError
from queries.engines.duckdb import Error, Limits, connect, literal
from queries.landed import Declared
from queries.manifest import digest
from queries.raw import scan_of, shape_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from queries.engines.duckdb import Connection
    from queries.landed import LandedFile
    from queries.shapes import Shape

_LOOKED_AT = 2000
"""Lines of a file, or half as many."""
_ENOUGH = 100
"""Lines looked at of a file, where not all are, by which half of it is told from less."""
_ALIKE = """
with

shared as (
    select
        one.path,
        other.path as other_path,
        greatest(one.step, other.step) as step,
        sum(least(one.copies, other.copies)) as line_count
    from looked_at as one
    inner join looked_at as other on one.line = other.line
    where one.path in $new and other.path in $all and one.path <> other.path
    group by all
),

sizes as (
    select
        shared.path,
        shared.other_path,
        looked_at.path as of_path,
        sum(looked_at.copies) as line_count
    from shared
    inner join looked_at on looked_at.path in (shared.path, shared.other_path)
    where looked_at.line % shared.step = 0
    group by all
),

smaller as (
    select path, other_path, min(line_count) as line_count
    from sizes
    group by path, other_path
)

select shared.path, shared.other_path
from shared
inner join smaller using (path, other_path)
where
    shared.line_count > 1
    and shared.line_count * 2 >= smaller.line_count
    and (shared.step = 1 or smaller.line_count >= $enough)
"""


class Billed(Declared, Protocol):
    """What a connector says of a bill; `connectors.base.Table` is one."""

    @property
    def of_export(self) -> Collection[str]:
        """Columns in which a line differs from one export to the next."""
        ...


def _no_lines() -> Connection:
    con = connect(Limits())
    con.execute("create table looked_at (path text, step ubigint, line ubigint, copies bigint)")
    return con


@dataclass(frozen=True, slots=True)
class SeenLines:
    """The lines of files that were looked at, each file once."""

    con: Connection = field(default_factory=_no_lines)
    paths: set[str] = field(default_factory=set)

    def find_overlap(
        self, table: Billed, new: Mapping[LandedFile, int], old: Mapping[LandedFile, int]
    ) -> tuple[str, str] | None:
        """Return the names of two files of which one holds half of the other's lines, or more.

        One of the two is new; `new` and `old` say how many lines a file has, about. A single line
        is not enough: two bills may say as little. One that cannot be read is not compared: whoever
        counts it says why.
        """
        names = {str(file.path): file.name for file in (*new, *old)}
        asked = {"new": [str(file.path) for file in new], "all": list(names), "enough": _ENOUGH}
        try:
            self._look(table, {**new, **old})
            alike = self.con.execute(_ALIKE, asked).fetchall()
        except (Error, ModelError):
            return None
        return min((_in_order(names[one], names[other]) for one, other in alike), default=None)

    def _look(self, table: Billed, files: Mapping[LandedFile, int]) -> None:
        alike: dict[tuple[Shape, int], list[LandedFile]] = {}
        for file, lines in files.items():
            if str(file.path) not in self.paths:
                step = 1 << (lines // _LOOKED_AT).bit_length()
                alike.setdefault((shape_in(self.con, table, file), step), []).append(file)
        for (shape, step), members in alike.items():
            if shape.headers:
                self.con.execute(
                    "insert into looked_at select x_path, $step, line, count(*) "
                    f"from (select x_path, {_line(table, shape)} as line "
                    f"from {scan_of(table, shape, members)}) where line % $step = 0 group by all",
                    {"step": step},
                )
            self.paths.update(str(file.path) for file in members)


def _in_order(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one <= other else (other, one)


def _line(table: Billed, shape: Shape) -> str:
    """Return the digest of a line in SQL, in whatever order its cells are; empty ones say nothing.

    So a column more, with nothing in it, makes no other line of it.
    """
    told = digest([f"{column} {value}" for column, value in shape.told])
    said = [f"hash({literal(told)})"]
    for header, kind, source in zip(shape.headers, shape.types, shape.sources, strict=True):
        column = (table.rename or str)(header).lower()
        if column not in table.of_export:
            nothing = f"coalesce({source}, '') = ''" if kind == "VARCHAR" else f"{source} is null"
            said.append(f"if({nothing}, 0::ubigint, hash({literal(column)}, {source}))")
    return _mixed(said)


def _mixed(digests: Sequence[str]) -> str:
    """Return one digest of many; an engine takes calls within calls so deep and no deeper."""
    if len(digests) == 1:
        return digests[0]
    half = len(digests) // 2
    return f"xor({_mixed(digests[:half])}, {_mixed(digests[half:])})"
