"""What a lake file leaves out of bill lines, and how its rows are put together again.

A text that is the same in all lines of a bill is kept once, beside the file's name, and a cost that
equals the billed one is not written a second time: of a bill of AWS that is a fifth of the work of
writing it, and a third of the bytes. Readers see the same rows.
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
_NOTHING = "cast('-99999999999999999999999999.999999999999' as decimal(38, 12))"
"""Written for a cost that is null, because null is written for one that equals the other."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How the rows of a file differ from the rows of its table."""

    constants: Mapping[str, str | None] = field(default_factory=dict)
    """Text column that is not in the file -> the value it has in every row."""
    alike: Mapping[str, str] = field(default_factory=dict)
    """Cost that is in the file only where it differs -> the cost that it equals elsewhere."""

    def packed(self, query: str) -> str:
        """Return the query whose rows are written for those of `query`."""
        if not self.constants and not self.alike:
            return query
        costs = [
            f"case when {cost} is null then {_NOTHING} "
            f"when {cost} is distinct from {other} then {cost} end as {cost}"
            for cost, other in self.alike.items()
        ]
        return f"select {_all_but(self.constants, costs)} from ({query})"

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
        return f"select {', '.join([_all_but((), costs), *texts, *also])} from {scan}"

    def as_json(self) -> dict[str, object]:
        """Return the packing as the manifest keeps it."""
        return {"constants": dict(self.constants), "alike": dict(self.alike)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Packing:
        """Read what `as_json` wrote."""
        return cls(dict(row.get("constants", {})), dict(row.get("alike", {})))


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
