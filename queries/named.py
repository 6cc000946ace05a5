"""The cookbook: named queries, read from the headers of `queries/cookbook/*.sql`.

Adding a file adds a query: its first sentence is its title, its `param:` lines are its parameters.
Knows nothing of DuckDB, so that `mlspend sql --help` may list the cookbook cheaply.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from queries import ModelError
from queries.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROMISES = ("grain:", "key:", "owner:", "fresh:", "fix:", "counted:")

Value = str | int | float | bool | Decimal | date | None
"""What a parameter may hold."""


@dataclass(frozen=True, slots=True)
class Param:
    """One `$name` of a query."""

    name: str
    default: Value
    meaning: str

    @property
    def choices(self) -> tuple[str, ...]:
        """The only texts that answer anything; none where its meaning does not list them."""
        listed = self.meaning.partition(":")[0].replace(" or ", ", ").split(", ")
        return tuple(listed) if self.default in listed else ()


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """One file of the cookbook."""

    name: str
    title: str
    """What a row is about, in one sentence."""
    note: str
    """The rest of the header's prose; may be empty."""
    params: tuple[Param, ...]
    sql: str

    def check(self, given: Mapping[str, str]) -> None:
        """Refuse a text that is none of a parameter's choices: its answer would be empty.

        Raises: ModelError
        """
        for param in self.params:
            value = given.get(param.name)
            if value is not None and param.choices and value not in param.choices:
                raise ModelError(
                    f'{param.name} of {self.name} is "{value}"{did_you_mean(value, param.choices)}',
                    where="the parameters given",
                    fix=f"{param.name}: {param.meaning}",
                )

    def bind(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Return a value for every parameter: as `given`, the default otherwise.

        Text is read as the default's type, since a command line has nothing but text.

        Raises: ModelError for a parameter that the query does not have.
        """
        known = {param.name: param for param in self.params}
        for name in given:
            if name not in known:
                raise ModelError(
                    f'{self.name} has no parameter "{name}"{did_you_mean(name, known)}',
                    where=f"queries/cookbook/{self.name}.sql",
                    fix=f"it has: {', '.join(known) or 'none'}",
                )
        return {
            name: self._typed(param, given[name]) if name in given else param.default
            for name, param in known.items()
        }

    def _typed(self, param: Param, value: Value) -> Value:
        if not isinstance(value, str) or isinstance(param.default, str):
            return value
        try:
            if isinstance(param.default, bool) or param.default is None:
                return _literal(value)
            if isinstance(param.default, int):
                return int(value)
            return Decimal(value)
        except (ValueError, InvalidOperation) as wrong:
            raise ModelError(
                f'{param.name} of {self.name} is "{value}", which is not a number',
                where="the parameters given",
                fix=f"{param.name}: {param.meaning}",
            ) from wrong


def named_query(name: str) -> NamedQuery:
    """Return the query called `name`.

    Raises: ModelError where the cookbook has none.
    """
    queries = cookbook()
    if name not in queries:
        raise ModelError(
            f'the cookbook has no query "{name}"{did_you_mean(name, queries)}',
            where="queries/cookbook",
            fix="`mlspend sql --list` names them all",
        )
    return queries[name]


@cache
def cookbook() -> Mapping[str, NamedQuery]:
    """Return every named query by its name, in the order of the alphabet."""
    found = {
        entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8")
        for entry in Path(__file__).with_name("cookbook").iterdir()
        if entry.name.endswith(".sql")
    }
    return {name: parse_query(name, found[name]) for name in sorted(found)}


def parse_query(name: str, sql: str) -> NamedQuery:
    """Return the query whose header opens `sql`: prose, then lines `word: text`."""
    prose: list[str] = []
    params: list[Param] = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        text = line.removeprefix("--").strip()
        if text.startswith("param:"):
            params.append(_param(text.removeprefix("param:")))
        elif not text.startswith(_PROMISES):
            prose.append(text)
    title, _, note = "\n".join(prose).strip().partition("\n\n")
    return NamedQuery(
        name=name,
        title=" ".join(title.split()),
        note=" ".join(note.split()),
        params=tuple(params),
        sql=sql,
    )


def _param(text: str) -> Param:
    assignment, _, meaning = text.partition("--")
    name, _, default = assignment.partition("=")
    return Param(name=name.strip(), default=_literal(default.strip()), meaning=meaning.strip())


def _literal(text: str) -> Value:
    """Read `text` as a TOML value where it is one, as itself otherwise."""
    if text == "null":
        return None
    try:
        value = tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, (str, int, bool, Decimal, date)) else text
