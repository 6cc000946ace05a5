"""What is measured of a bill's load: the load itself, its proof, and the bare engine's copy.

`python -m tests.bench.loading NAME FOLDER`, as `tests.bench.stages`, but a process of its own that
imports what a load needs and no more: at a million lines, imports are a fifth of the whole.
"""

from __future__ import annotations

import hashlib
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from connectors import connector_class
from queries.landed import Landed, LandedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connectors.base import Format, Table
    from queries.totals import RawTotal

BILL = "aws_cur__line_items"
NOW = datetime(2026, 11, 2)  # noqa: DTZ001 - raw times are UTC without a zone
LIMITS = "1500MB"


def bill_table() -> Table:
    """Return what the bill's connector declares of its lines."""
    (table,) = connector_class("aws_cur").tables
    return table


def landed_bills(folder: Path, kept: str = "data") -> list[Landed]:
    """Return the world's bills as deliveries that have landed; a name stands for its content.

    `kept` is the folder of those that count, or of those that newer ones superseded.
    """
    found = []
    for path in sorted(folder.glob(f"*/{kept}/BILLING_PERIOD=*")):
        files = sorted([*path.glob("*.parquet"), *path.glob("*.csv.gz")])
        month = path.name.partition("=")[2]
        found.append(delivery("aws_cur", "line_items", month, files))
    return found


def delivery(connector: str, table: str, unit: str, files: Sequence[Path]) -> Landed:
    """Return files as one delivery."""
    named = tuple(LandedFile(path, path.name, _format_of(path), _name_of(path)) for path in files)
    version = hashlib.sha256("".join(file.sha256 for file in named).encode()).hexdigest()
    return Landed(connector, connector, table, unit, version, NOW, named, NOW)


def _format_of(path: Path) -> Format:
    return "parquet" if path.suffix == ".parquet" else "csv.gz"


def _name_of(path: Path) -> str:
    stat = path.stat()
    named = f"{path.parent.name}/{path.name}"
    return hashlib.sha256(f"{named} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()


def summed(deliveries: Sequence[Landed]) -> list[tuple[str, RawTotal]]:
    """Sum every bill from its raw bytes."""
    from queries.totals import raw_totals  # noqa: PLC0415 - polars is most of what it imports

    return [
        (delivery.source, total)
        for delivery in deliveries
        if delivery.raw_name == BILL
        for total in raw_totals(BILL, [file.path for file in delivery.files])
    ]


def load(folder: Path) -> None:
    """Normalise the bill into the lake, without its totals."""
    from queries.catalog import HOME, read_model  # noqa: PLC0415 - the bare copy needs none of it
    from queries.engines.duckdb import (  # noqa: PLC0415
        Limits,
        connect,
        create_macros,
        create_seeds,
    )
    from queries.stage import Stager  # noqa: PLC0415

    model = read_model(HOME / "staging" / f"{BILL}.sql")
    con = connect(Limits(LIMITS, 2, folder / "spill"))
    create_macros(con, {"team": ["user_team"], "user": ["user_user"], "project": ["user_project"]})
    create_seeds(con)
    stager = Stager(con, model, model.sql, "aws_cur", bill_table(), folder / "lake", print)
    stager.stage(landed_bills(folder), {})
    con.close()


def prove(folder: Path) -> None:
    """Sum the bill from its raw bytes, for the books."""
    summed(landed_bills(folder))


def bare_copy(folder: Path) -> None:
    """Copy the columns that loading needs, as the bare engine does it."""
    import duckdb  # noqa: PLC0415 - the load does without this package

    files = [str(file.path) for bill in landed_bills(folder) for file in bill.files]
    declared = {column.lower() for column in bill_table().columns}
    with duckdb.connect() as con:
        con.execute(f"set memory_limit = '{LIMITS}'; set threads = 2")
        con.execute("set preserve_insertion_order = false")
        there = [row[0] for row in con.execute(f"describe from read_parquet({files})").fetchall()]
        columns = ", ".join(column for column in there if column.lower() in declared)
        con.execute(
            f"copy (select {columns} from read_parquet({files})) to '{folder / 'bare.parquet'}' "
            "(format parquet, compression zstd)"
        )


STAGES: Mapping[str, Callable[[Path], None]] = {
    "bare-copy": bare_copy,
    "load": load,
    "prove": prove,
}

if __name__ == "__main__":
    STAGES[sys.argv[1]](Path(sys.argv[2]))
