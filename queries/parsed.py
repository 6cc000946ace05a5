"""What sqlglot reads out of the SQL files, remembered from one command to the next.

Loading sqlglot and reading the models takes longer than a small build. What it found is kept beside
this file's bytecode, and by the same rules, under the digest of all that it follows from: the text,
the code below and the version of sqlglot. So nothing out of date is ever found; a memory that is
missing, broken or cannot be written costs the time to read the SQL again, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import cache_from_source
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlglot import exp

Names = dict[str, str]


class SyntaxMistakeError(Exception):
    """A text is not SQL that sqlglot reads."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a model's select says."""

    reads: frozenset[str]
    """Tables, as `schema.name`; CTEs are not tables."""
    columns: Mapping[str, str]
    """Column of the final select -> its comment, for those that have one."""
    ways: frozenset[frozenset[str]]
    """Sets of tables; it has rows only where every table of one of the sets has some."""
    unique: frozenset[str]
    """Columns that no two rows have alike, together; none where the SQL does not show any."""


@dataclass(slots=True)
class Memory:
    """What was found before, and what is found now."""

    path: Path
    before: Mapping[str, Mapping[str, Names]]
    """Digest -> what the text says, as tables of names."""
    now: dict[str, Mapping[str, Names]] = field(default_factory=dict)

    @classmethod
    def at(cls, path: Path) -> Memory:
        """Open a memory; what cannot be read is forgotten."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            found = None
        return cls(path, found if _is_memory(found) else {})

    def recall(self, sql: str, find: Callable[[str], Mapping[str, Names]]) -> Mapping[str, Names]:
        """Return what `find` says of a text, asking it only where it was not asked before."""
        text = f"{_rules()} {find.__name__} {sql}"
        key = hashlib.sha256(text.encode()).hexdigest()
        if key not in self.now:
            self.now[key] = self.before[key] if key in self.before else find(sql)
        return self.now[key]

    def keep(self) -> None:
        """Write what was asked for now, if it is not what was known; forget the rest."""
        if self.now.keys() == self.before.keys() or sys.dont_write_bytecode:
            return
        half = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            half.write_text(json.dumps(self.now), encoding="utf-8")
            half.replace(self.path)


@cache
def memory() -> Memory:
    """Return the memory of this installation."""
    return Memory.at(Path(cache_from_source(__file__)).with_suffix(".json"))


@cache
def _rules() -> str:
    """Return a digest of what decides, besides the text, what is found in it."""
    here = Path(__file__)
    files = (here, here.with_name("emptiness.py"), here.with_name("uniqueness.py"))
    code = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(code + _sqlglot().encode()).hexdigest()


def _sqlglot() -> str:
    """Return the version of sqlglot, as the folder beside it is named."""
    found = PathFinder.find_spec("sqlglot")
    if found is not None and found.origin is not None:
        for note in Path(found.origin).parent.parent.glob("sqlglot-*.dist-info"):
            return note.name
    from importlib.metadata import version  # noqa: PLC0415  (slow to import)

    return version("sqlglot")


def _is_memory(found: object) -> bool:
    return isinstance(found, dict) and all(
        isinstance(tables, dict)
        and all(
            isinstance(names, dict) and all(isinstance(text, str) for text in names.values())
            for names in tables.values()
        )
        for tables in found.values()
    )


def query_of(sql: str) -> Query:
    """Return what a select says.

    Raises: SyntaxMistakeError
    """
    found = memory().recall(sql, find_query)
    ways = frozenset(frozenset(way.split()) for way in found["ways"])
    return Query(frozenset(found["reads"]), found["columns"], ways, frozenset(found["unique"]))


def tables_of(sql: str) -> Mapping[str, Names]:
    """Return what `create table` statements say: table -> column -> type, as DuckDB writes it.

    Raises: SyntaxMistakeError
    """
    return memory().recall(sql, find_tables)


def find_query(sql: str) -> Mapping[str, Names]:
    """Read a select: its tables, the comments of its columns, and what it needs to have rows."""
    from sqlglot import exp  # noqa: PLC0415  (slow to import, and seldom needed)

    from queries.emptiness import ways_to_rows  # noqa: PLC0415  (imports sqlglot)
    from queries.uniqueness import unique_columns  # noqa: PLC0415

    trees = _parse(sql)
    if len(trees) != 1:
        raise SyntaxMistakeError(f"it holds {len(trees)} statements where one select belongs")
    (tree,) = trees
    tables = (f"{table.db}.{table.name}".lower() for table in tree.find_all(exp.Table) if table.db)
    ways = sorted(" ".join(sorted(way)) for way in ways_to_rows(tree))
    return {
        "reads": dict.fromkeys(sorted(tables), ""),
        "columns": _comments(tree),
        "ways": dict.fromkeys(ways, ""),
        "unique": dict.fromkeys(unique_columns(tree), ""),
    }


def _comments(tree: exp.Expr) -> Names:
    """Return the comments written behind the columns of the final select."""
    from sqlglot import exp  # noqa: PLC0415

    select = tree.find(exp.Select) if not isinstance(tree, exp.Select) else tree
    if isinstance(tree, exp.Union):
        left = tree
        while isinstance(left, exp.Union):
            left = left.this
        select = left if isinstance(left, exp.Select) else select
    if not isinstance(select, exp.Select):
        return {}
    return {
        column.alias_or_name: " ".join(comment.strip() for comment in column.comments)
        for column in select.expressions
        if column.comments
    }


def find_tables(sql: str) -> Mapping[str, Names]:
    """Read `create table` statements; others are passed over."""
    from sqlglot import exp  # noqa: PLC0415

    return {
        statement.this.this.name: {
            column.name: column.args["kind"].sql("duckdb") for column in statement.this.expressions
        }
        for statement in _parse(sql)
        if isinstance(statement, exp.Create)
    }


def _parse(sql: str) -> list[exp.Expr]:
    import sqlglot  # noqa: PLC0415

    try:
        return [tree for tree in sqlglot.parse(sql, read="duckdb") if tree is not None]
    except sqlglot.errors.ParseError as error:
        raise SyntaxMistakeError(str(error)) from error
