"""The last proof before a generation gets its name, run in a process of its own.

`python -m queries.verify` opens each file that a line of its input names, reads every table and
compares rows and digest with the manifest beside it, and looks at the books once more. Exit 0: all
is as built.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from queries import ModelError
from queries.checks import check_books
from queries.engines.duckdb import Error, open_read_only
from queries.manifest import Manifest

if TYPE_CHECKING:
    from queries.engines.duckdb import Connection


def content_of(con: Connection, table: str) -> str:
    """Return rows and digest of a table, whatever the order of its rows."""
    row = con.execute(
        f"select count(*), bit_xor(hash(line)), sum(cast(hash(line) as hugeint)) "
        f"from {table} as line"
    ).fetchone()
    return "-".join(str(value) for value in row or ())


def verify(database: Path) -> None:
    """Compare a database with the manifest beside it.

    Raises: ModelError where they differ or the books do not close.
    """
    manifest = Manifest.read(database.with_suffix(".json"))
    with open_read_only(database) as con:
        for table, noted in manifest.tables.items():
            found = content_of(con, table)
            if found != noted["digest"]:
                raise ModelError(
                    f"{table} reads as {found}, but was built as {noted['digest']}",
                    where=str(database),
                    fix="check the disk",
                )
        check_books(con)


if __name__ == "__main__":
    for line in sys.stdin:
        half = Path(line.removesuffix("\n"))
        try:
            verify(half)
        except (ModelError, Error) as error:
            sys.exit(f"{half.name}: {error}")
