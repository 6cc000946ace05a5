"""Which days of a bill's raw lines differ from those read before, told without staging any of them.

A day's digest is of the values that the files hold in the columns that the model may read, in the
files' own types, so hardly more is done than to read them. What lines of a day depend on besides
themselves is in every day's digest: the model's header names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from queries.engines.duckdb import in_days, literal, name
from queries.manifest import digest
from queries.raw import PROVENANCE, by_shape, columns_of, read_places, scan_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from queries.catalog import Model
    from queries.engines.duckdb import Connection
    from queries.landed import Declared, Landed, LandedFile
    from queries.shapes import Shape

_PLAIN = ("VARCHAR", "DOUBLE", "FLOAT", "BIGINT", "INTEGER", "BOOLEAN", "DATE", "TIMESTAMP")
"""Types of which no value hashes as null does; an empty map does."""
_FEW = 20
"""One day in so many is few: of two thousand lines that are read together a hundred are left."""


@dataclass(frozen=True, slots=True)
class RawDays:
    """The days of some deliveries' raw lines."""

    digests: Mapping[str, str]
    """Day (ISO) -> digest of its lines; the day of lines without one is empty."""
    is_reaching: bool
    """Whether there are lines that lines of other days depend on."""

    def are_few(self, days: Collection[str]) -> bool:
        """Tell whether some days are so few of all that their lines had better be gathered."""
        return len(days) * _FEW <= len(self.digests)


@dataclass(frozen=True, slots=True)
class DayReader:
    """Reads the raw lines of one bill's model by day."""

    con: Connection
    model: Model
    table: Declared
    columns: AbstractSet[str]
    """The declared columns that the model may read."""

    def read(self, landed: Sequence[Landed]) -> RawDays:
        """Return every day's digest."""
        parts: dict[str, list[str]] = {}
        reached: set[str] = set()
        for shape, members in by_shape(self.con, self.table, landed).items():
            files = [file for _, file in members]
            for day, *content in self._by_day(shape, files):
                parts.setdefault(day or "", []).append(f"{self._name_of(shape)} {content}")
            reached |= self._reached(shape, files)
        digests = {day: digest(sorted(reached), sorted(found)) for day, found in parts.items()}
        return RawDays(digests, bool(reached))

    def _by_day(self, shape: Shape, files: Sequence[LandedFile]) -> list[tuple[str, ...]]:
        lines = self._lines(shape, files, f"hash({', '.join(self._values(shape))}) as line")
        return self.con.execute(
            "select cast(day as varchar), count(*), bit_xor(line), sum(cast(line as hugeint)) "
            f"from (select {day_of(self.model)} as day, line from ({lines})) group by day"
        ).fetchall()

    def _reached(self, shape: Shape, files: Sequence[LandedFile]) -> set[str]:
        """Return what the lines that others depend on are told by.

        Most bills have none, which one column tells: to ask it of each line that is hashed takes as
        long again as a third of the hashing.
        """
        if not self.model.reaches:
            return set()
        found = self.con.execute(
            f"select distinct cast(hash({self.model.reached}) as varchar) "
            f"from ({self._lines(shape, files)}) where {self.model.reaches}"
        )
        return {value for (value,) in found.fetchall()}

    def _lines(self, shape: Shape, files: Sequence[LandedFile], *also: str) -> str:
        """Return the query of the columns that the header names, and of some more."""
        meant = columns_of(self.table, shape)
        columns = [f"{meant[column]} as {column}" for column in self._named()]
        scan = scan_of(self.table, shape, files)
        return f"select {', '.join([*columns, *also])} from {scan} as rows"

    def _named(self) -> list[str]:
        """Return the columns that the header's lines name: no maps."""
        header = (*self.model.dated, self.model.reaches, self.model.reached)
        return sorted(self.columns & set(re.findall(r"\w+", " ".join(header))))

    def _places(self, shape: Shape) -> list[int]:
        return read_places(self.table, shape.headers, self.columns)

    def _values(self, shape: Shape) -> list[str]:
        """Return what of a line is hashed."""
        values = [shape.sources[place] for place in self._places(shape)]
        nested = [
            f"{shape.sources[place]} is null"
            for place in self._places(shape)
            if not shape.types[place].startswith(_PLAIN)
        ]
        return [*values, *nested]

    def _name_of(self, shape: Shape) -> str:
        """Return a name for how a shape's values are to be understood."""
        columns = [(shape.headers[place], shape.types[place]) for place in self._places(shape)]
        return digest(map(repr, columns), repr(shape.told), repr(shape.is_month_first))


def day_of(model: Model) -> str:
    """Return the day of a raw line in SQL."""
    return f"cast(coalesce({', '.join(model.dated)}, null) as date)"


def only_days(raw: str, model: Model, days: Collection[str], *, is_reaching: bool) -> str:
    """Return the query of the raw lines of some days, and of those that these depend on.

    The bounds say less than the days, but of files they are looked at before all else is read.
    """
    wanted = in_days(day_of(model), days)
    if is_reaching:
        return f"select * from ({raw}) where {wanted} or {model.reaches}"
    first = model.dated[0]
    end = date.fromisoformat(max(days)) + timedelta(days=1)
    return (
        f"select * from ({raw}) where {wanted} and ({first} is null or "
        f"({first} >= timestamp {literal(min(days))} and {first} < timestamp '{end}'))"
    )


def gathering(sql: str, lines: str, columns: Collection[str]) -> str:
    """Return a model's query that first gathers the raw lines it reads, `columns` of them.

    Few lines of a file come some dozens at a time, and each step of a model takes nearly as long
    for those as for two thousand. Of many lines it would only be one more copy.
    """
    gathered = ", ".join(map(name, [*columns, *PROVENANCE]))
    model = re.sub(rf"\b{re.escape(lines)}\b", "gathered_lines", sql)
    return (
        f"with gathered_lines as materialized (select {gathered} from {lines}) "
        f"select * from ({model}\n)"
    )
