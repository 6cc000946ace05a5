"""What a lake file leaves out of bill lines, and how its rows are put together again.

A text that is the same in all lines of a bill is kept once, beside the file's name, and a cost that
equals the billed one is not written a second time: of a bill of AWS that is a fifth of the work of
writing it, and a third of the bytes. A map is written as JSON, which Parquet keeps once for all
lines that say the same; each text is parsed once where the map is asked for. Readers see the same
rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from queries.engines.duckdb import literal, name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from queries.engines.duckdb import Connection

OF_A_BILL = (
    "source",
    "billing_currency",
    "billing_account_id",
    "billing_account_name",
    "invoice_id",
    "service_provider_name",
    "host_provider_name",
    "resource_name",
)
"""Texts that are often the same in all lines of a bill: no others are looked at."""
ALIKE: Mapping[str, str] = {
    "effective_cost": "billed_cost",
    "list_cost": "billed_cost",
    "contracted_cost": "billed_cost",
}
"""A cost -> the cost that it mostly equals."""
MAPS = ("tags",)
"""Maps of bill lines: few sets of tags stand on many lines."""
_NOTHING = "cast('-99999999999999999999999999.999999999999' as decimal(38, 12))"
"""Written for a cost that is null, because null is written for one that equals the other."""
_KEYS = "json_keys(said)"
_FIRST = f"list_filter({_KEYS}, lambda key, place: list_position({_KEYS}, key) = place)"
_POINTER = "'/' || replace(replace(key, '~', '~0'), '/', '~1')"
_MEANT = (
    "coalesce(try_cast(try_cast(said as json) as map(varchar, varchar)), "
    f"map({_FIRST}, list_transform({_FIRST}, lambda key: json_extract_string(said, {_POINTER}))))"
)
"""The map that a text `said` stands for. Parquet may hold one with a key that comes twice, which no
cast takes: the first counts, as it does where a key is looked up."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How the rows of a file differ from the rows of its table."""

    constants: Mapping[str, str | None] = field(default_factory=dict)
    """Text column that is not in the file -> the value it has in every row."""
    alike: Mapping[str, str] = field(default_factory=dict)
    """Cost that is in the file only where it differs -> the cost that it equals elsewhere."""
    as_text: tuple[str, ...] = ()
    """Maps that are JSON in the file."""

    def packed(self, query: str) -> str:
        """Return the query whose rows are written for those of `query`."""
        if self == Packing():
            return query
        costs = [
            f"case when {cost} is null then {_NOTHING} "
            f"when {cost} is distinct from {other} then {cost} end as {cost}"
            for cost, other in self.alike.items()
        ]
        maps = [f"cast(to_json({column}) as varchar) as {column}" for column in self.as_text]
        return f"select {_all_but(self.constants, [*costs, *maps])} from ({query})"

    def unpacked(self, scan: str, also: Iterable[str] = ()) -> str:
        """Return the query of a table's rows, from a scan of files that were packed like this."""
        costs = [
            f"nullif(coalesce({cost}, {other}), {_NOTHING}) as {cost}"
            for cost, other in self.alike.items()
        ]
        texts = [
            f"cast({_text(value)} as varchar) as {name(column)}"
            for column, value in self.constants.items()
        ]
        maps = [f"of_{column}.meant as {column}" for column in self.as_text]
        columns = [f"rows.{_all_but((), [*costs, *maps])}", *texts, *also]
        return f"select {', '.join(columns)} from {scan} as rows{self._meanings(scan)}"

    def _meanings(self, scan: str) -> str:
        """Return what brings the maps to their texts: a join that falls away where none is read."""
        return "".join(
            f" left join (select said, {_MEANT} as meant from (select distinct {column} as said "
            f"from {scan})) as of_{column} on rows.{column} = of_{column}.said"
            for column in self.as_text
        )

    def as_json(self) -> dict[str, object]:
        """Return the packing as the manifest keeps it."""
        return {
            "constants": dict(self.constants),
            "alike": dict(self.alike),
            "as_text": list(self.as_text),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Packing:
        """Read what `as_json` wrote."""
        maps = tuple(row.get("as_text", ()))
        return cls(dict(row.get("constants", {})), dict(row.get("alike", {})), maps)


def _all_but(left_out: Iterable[str], replaced: Iterable[str]) -> str:
    columns = ", ".join(name(column) for column in left_out)
    others = ", ".join(replaced)
    return (
        f"*{f' exclude ({columns})' if columns else ''}{f' replace ({others})' if others else ''}"
    )


def _text(value: str | None) -> str:
    return "null" if value is None else literal(value)


def proven(
    con: Connection, relation: str, guesses: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Return those of some guesses that hold in every row: text column -> its only value.

    Where raw files say themselves that a column is constant, the engine sees by that alone that no
    row can differ, and reads none; else it reads what it needs until it finds one.
    """
    left = dict(guesses)
    while left:
        differs = [
            f"{column} is distinct from {_text(value)} as {column}"
            for column, value in left.items()
        ]
        found = con.execute(
            f"select * from (select {', '.join(differs)} from {relation}) "
            f"where {' or '.join(left)} limit 1"
        ).fetchone()
        if found is None:
            break
        left = {
            column: value
            for (column, value), is_other in zip(left.items(), found, strict=True)
            if not is_other
        }
    return left
