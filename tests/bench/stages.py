"""One measured piece of work each, run by the bench as a process of its own.

`python -m tests.bench.stages NAME FOLDER` works on a world that the bench has written to FOLDER.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from connectors import CONNECTORS, connector_class
from queries.build import BuildInput, Built, Settings, build
from queries.catalog import models
from queries.engines.duckdb import Limits, connect, create_macros, create_seeds
from queries.publish import newest_manifest, publish
from queries.raw import Landed, LandedFile
from queries.stage import Stager
from queries.totals import raw_totals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connectors.base import Format, Table
    from queries.manifest import Manifest
    from queries.totals import RawTotal

BILL = "aws_cur__line_items"
NOW = datetime(2026, 11, 2)  # noqa: DTZ001 - raw times are UTC without a zone
LIMITS = "1500MB"


def tables() -> Mapping[str, Mapping[str, Table]]:
    """Return what every connector declares."""
    return {
        kind: {table.name: table for table in connector_class(kind).tables} for kind in CONNECTORS
    }


def landed(folder: Path) -> list[Landed]:
    """Return the world's files as deliveries that have landed; a name stands for its content."""
    found = []
    for path in sorted(folder.glob("*/data/BILLING_PERIOD=*")):
        files = sorted([*path.glob("*.parquet"), *path.glob("*.csv.gz")])
        month = path.name.partition("=")[2]
        found.append(_landed("aws_cur", "line_items", month, files))
    for path in sorted(folder.glob("samples-*.parquet")):
        found += [_landed("prometheus", "samples", path.stem.removeprefix("samples-"), [path])]
    for path in sorted(folder.glob("runs-*.parquet")):
        found += [_landed("mlflow", "runs", path.stem, [path])]
    return found


def _landed(connector: str, table: str, unit: str, files: Sequence[Path]) -> Landed:
    named = tuple(LandedFile(path, path.name, _format_of(path), _name_of(path)) for path in files)
    version = hashlib.sha256("".join(file.sha256 for file in named).encode()).hexdigest()
    return Landed(connector, connector, table, unit, version, NOW, named, NOW)


def _format_of(path: Path) -> Format:
    return "parquet" if path.suffix == ".parquet" else "csv.gz"


def _name_of(path: Path) -> str:
    stat = path.stat()
    return hashlib.sha256(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()


def totals(folder: Path, deliveries: Sequence[Landed]) -> list[tuple[str, RawTotal]]:
    """Return what every bill adds up to, from the journal of earlier nights where it is there."""
    bills = [delivery.version for delivery in deliveries if delivery.raw_name == BILL]
    journal = folder / f"totals-{hashlib.sha256(''.join(bills).encode()).hexdigest()[:16]}"
    if not journal.exists():
        journal.write_bytes(pickle.dumps(summed(deliveries)))
    found: list[tuple[str, RawTotal]] = pickle.loads(journal.read_bytes())  # noqa: S301 - the bench wrote it
    return found


def summed(deliveries: Sequence[Landed]) -> list[tuple[str, RawTotal]]:
    """Sum every bill from its raw bytes."""
    return [
        (delivery.source, total)
        for delivery in deliveries
        if delivery.raw_name == BILL
        for total in raw_totals(BILL, [file.path for file in delivery.files])
    ]


def given(folder: Path, previous: Manifest | None, threads: int = 2) -> BuildInput:
    """Return the input of a build of the world."""
    deliveries = landed(folder)
    return BuildInput(
        tables=tables(),
        landed=deliveries,
        totals=totals(folder, deliveries),
        settings=Settings(tag_keys={key: [f"user_{key}"] for key in ("team", "user", "project")}),
        limits=Limits(LIMITS, threads, folder / "spill"),
        lake=folder / "lake",
        previous=previous,
        progress=lambda _: None,
    )


def bare_copy(folder: Path) -> None:
    """Copy the columns that loading needs, as the bare engine does it."""
    files = [str(file.path) for row in landed(folder) if row.raw_name == BILL for file in row.files]
    declared = {column.lower() for column in tables()["aws_cur"]["line_items"].columns}
    with duckdb.connect() as con:
        con.execute(f"set memory_limit = '{LIMITS}'; set threads = 2")
        con.execute("set preserve_insertion_order = false")
        there = [row[0] for row in con.execute(f"describe from read_parquet({files})").fetchall()]
        columns = ", ".join(column for column in there if column.lower() in declared)
        con.execute(
            f"copy (select {columns} from read_parquet({files})) to '{folder / 'bare.parquet'}' "
            "(format parquet, compression zstd)"
        )


def bare_table(folder: Path) -> None:
    """Create a table of every column, as an engineer would try first."""
    files = [str(file.path) for row in landed(folder) if row.raw_name == BILL for file in row.files]
    (folder / "bare.duckdb").unlink(missing_ok=True)
    with duckdb.connect(str(folder / "bare.duckdb")) as con:
        con.execute("set threads = 2; set preserve_insertion_order = false")
        con.execute(f"create table lines as from read_parquet({files})")
        con.execute("checkpoint")


def load(folder: Path) -> None:
    """Normalise the bill into the lake, without its totals."""
    model = next(model for model in models() if model.name == f"staging.{BILL}")
    con = connect(Limits(LIMITS, 2, folder / "spill"))
    create_macros(con, {"team": ["user_team"], "user": ["user_user"], "project": ["user_project"]})
    create_seeds(con)
    stager = Stager(
        con, model, model.sql, "aws_cur", tables()["aws_cur"]["line_items"], folder / "lake", print
    )
    stager.stage([row for row in landed(folder) if row.raw_name == BILL], {})
    con.close()


def prove(folder: Path) -> None:
    """Sum the bill from its raw bytes, for the books."""
    summed(landed(folder))


def rebuild(folder: Path) -> None:
    """Build everything from the raw files, and publish."""
    _publish(folder, build(given(folder, None)))


def night(folder: Path) -> None:
    """Build what changed since the last generation, and publish."""
    _publish(folder, build(given(folder, newest_manifest(folder / "generations"))))


def _publish(folder: Path, built: Built | None) -> None:
    if built is not None:
        publish(built, folder / "generations")
        built.con.close()


def attribute(folder: Path) -> None:
    """Attribute every day, and make the marts; all rows are staged and added up before."""
    manifest = newest_manifest(folder / "generations")
    assert manifest is not None
    sums = {model.name: manifest.stored[model.name] for model in models() if model.kind == "beside"}
    manifest.days, manifest.stored, manifest.night = {}, sums, ""
    built = build(given(folder, manifest))
    assert built is not None
    built.con.close()


def scan(folder: Path) -> None:
    """Read, for real, the columns of the staged lines that attribution reads."""
    manifest = newest_manifest(folder / "generations")
    assert manifest is not None
    (group,) = manifest.staged[f"staging.{BILL}"].values()
    columns = (
        "source, billing_period, charge_date, charge_hour, billing_currency, sub_account_id, "
        "service_name, region_id, resource_id, x_line_class, x_from_region, x_to_region, tags, "
        "x_instance_type, consumed_quantity, consumed_unit, invoice_id, effective_cost, "
        "billed_cost, list_cost"
    )
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute(
            f"select bit_xor(hash({columns})) from ({group.table.scan(folder / 'lake')})"
        ).fetchall()


def fingerprint(folder: Path, threads: int) -> str:
    """Return a digest of the published figures, built with some threads."""
    built = build(given(folder, None, threads))
    assert built is not None
    row = built.con.execute(
        "select count(*), bit_xor(hash(line)) from marts.spend_daily as line"
    ).fetchone()
    built.con.close()
    return str(row)


STAGES: Mapping[str, Callable[[Path], None]] = {
    "bare-copy": bare_copy,
    "bare-table": bare_table,
    "load": load,
    "prove": prove,
    "rebuild": rebuild,
    "night": night,
    "attribute": attribute,
    "scan": scan,
}

if __name__ == "__main__":
    STAGES[sys.argv[1]](Path(sys.argv[2]))
