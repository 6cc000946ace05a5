"""Which of a build's tables have no rows, and what columns those have.

Most tables have none, because nobody uses every source. What is sure to be empty is created so, by
the columns that it had when its SQL was last asked; that is a tenth of the work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from queries.engines.duckdb import name
from queries.words import as_text, do_listed, list_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from queries.catalog import Model
    from queries.engines.duckdb import Connection


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one build."""

    con: Connection
    columns: dict[str, str]
    """Table that was empty once, by this very code -> its columns, as `create table` wants them."""
    empty: set[str] = field(default_factory=set)
    """Tables and views without rows; one that is not named here may have none all the same."""

    def know_all(self) -> None:
        """Look which of the tables that are there have no rows."""
        rows = self.con.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where estimated_size = 0"
        )
        self.empty.update(table for (table,) in rows.fetchall())

    def know(self, table: str, *, is_empty: bool) -> None:
        """Note whether a table or view has no rows."""
        (self.empty.add if is_empty else self.empty.discard)(table)

    def is_sure(self, model: Model) -> bool:
        """Tell whether a model cannot have rows, by what its tables have."""
        return all(not way.isdisjoint(self.empty) for way in model.ways)

    def fill(self, model: Model, target: str, sql: str) -> bool:
        """Create a table of a model's rows; tell whether its SQL was asked for anything."""
        if self.is_sure(model):
            is_asked = target not in self.columns
            if is_asked:  # what columns it yields takes half as long as that it yields no rows
                self.learn(target, of=sql)
            self.create_empty(target, self.columns[target])
            self.know(model.name, is_empty=True)
            return is_asked
        create = f"create or replace table {target} as "
        row = do_listed(sql, lambda query: self.con.execute(create + query).fetchone())
        self.know(model.name, is_empty=row == (0,))
        if row == (0,):
            self.learn(target)
        elif model.words:
            list_words(self.con, target, model.words)
        return True

    def create_empty(self, table: str, columns: str) -> None:
        """Create a table without rows."""
        self.con.execute(f"create or replace table {table} ({columns})")

    def learn(self, table: str, of: str = "") -> None:
        """Remember the columns of a table, as it is or as a query makes it."""
        if table not in self.columns:
            rows = self.con.execute(f"describe {as_text(of) or table}").fetchall()
            self.columns[table] = typed({row[0]: row[1] for row in rows})


def typed(columns: Mapping[str, str]) -> str:
    """Return columns as `create table` wants them; a text of a list is text."""
    kinds = {c: "VARCHAR" if kind.startswith("ENUM(") else kind for c, kind in columns.items()}
    return ", ".join(f"{name(column)} {kind}" for column, kind in kinds.items())
