"""One measured piece of work each, run by the bench as a process of its own.

`python -m tests.bench.stages NAME FOLDER` works on a world that the bench has written to FOLDER.
"""

from __future__ import annotations

import pickle
import sys
import time
from dataclasses import replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import queries.build
import queries.checks
import queries.warehouse
from connectors import connectors_fingerprint, declared_tables
from queries.build import BuildInput, Built, Settings, build
from queries.catalog import models
from queries.engines.duckdb import Limits, create_macros
from queries.publish import newest_manifest, publish
from queries.warehouse import Warehouse
from tests.bench.loading import BILL, LIMITS, delivery, landed_bills, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from queries.catalog import Model
    from queries.engines.duckdb import Connection
    from queries.landed import Landed
    from queries.manifest import Manifest
    from queries.totals import RawTotal

PROVEN = "proven"
"""The file with the cpu seconds that proving took."""


def landed(folder: Path) -> list[Landed]:
    """Return the world's files as deliveries that have landed; a name stands for its content."""
    found = landed_bills(folder)
    for path in sorted(folder.glob("samples-*.parquet")):
        found += [delivery("prometheus", "samples", path.stem.removeprefix("samples-"), [path])]
    for path in sorted(folder.glob("runs-*.parquet")):
        found += [delivery("mlflow", "runs", path.stem, [path])]
    return found


def totals(folder: Path, deliveries: Sequence[Landed]) -> list[tuple[str, RawTotal]]:
    """Return what every bill adds up to, from the journal of earlier nights where it is there."""
    found: list[tuple[str, RawTotal]] = []
    for bill in deliveries:
        if bill.raw_name == BILL:
            journal = folder / f"totals-{bill.version[:16]}"
            if not journal.exists():
                journal.write_bytes(pickle.dumps(summed([bill])))
            found += pickle.loads(journal.read_bytes())  # noqa: S301 - the bench wrote it
    return found


def given(folder: Path, previous: Manifest | None, threads: int = 2) -> BuildInput:
    """Return the input of a build of the world."""
    deliveries = landed(folder)
    return BuildInput(
        tables=declared_tables(),
        declared=connectors_fingerprint(),
        landed=deliveries,
        totals=totals(folder, deliveries),
        settings=Settings(
            tag_keys={key: [f"user_{key}"] for key in ("team", "user", "project", "model")}
        ),
        limits=Limits(LIMITS, threads, folder / "spill"),
        lake=folder / "lake",
        superseded=landed_bills(folder, "superseded"),
        previous=previous,
        progress=lambda _: None,
    )


def bare_table(folder: Path) -> None:
    """Create a table of every column, as an engineer would try first."""
    import duckdb  # noqa: PLC0415 - a night does without this package

    files = [str(file.path) for row in landed(folder) if row.raw_name == BILL for file in row.files]
    (folder / "bare.duckdb").unlink(missing_ok=True)
    with duckdb.connect(str(folder / "bare.duckdb")) as con:
        con.execute("set threads = 2; set preserve_insertion_order = false")
        con.execute(f"create table lines as from read_parquet({files})")
        con.execute("checkpoint")


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


def attribute(folder: Path, **params: str) -> None:
    """Attribute every day, and make the marts; all rows are staged and added up before.

    So are the hours of GPUs, which rest on telemetry alone.
    """
    manifest = newest_manifest(folder / "generations")
    assert manifest is not None
    added_up = [model.name for model in models() if model.kind in ("beside", "kept")]
    sums = {name: manifest.stored[name] for name in added_up if name in manifest.stored}
    manifest.days, manifest.stored, manifest.night = {}, sums, ""
    asked = given(folder, manifest)
    built = build(replace(asked, settings=replace(asked.settings, params=params)))
    assert built is not None
    built.con.close()


def prove(folder: Path) -> None:
    """Build everything, and write down what proving every sum and the books took of it."""
    spent = 0.0

    def timed(check: Callable[..., None]) -> Callable[..., None]:
        def checked(*given: object) -> None:
            nonlocal spent
            began = time.process_time()
            check(*given)
            spent += time.process_time() - began

        return checked

    def one_by_one(
        con: Connection, needs: Mapping[str, set[str]], work: Callable[[str, Connection], None]
    ) -> None:
        for name in TopologicalSorter(needs).static_order():
            work(name, con)

    queries.warehouse.do_side_by_side = one_by_one  # type: ignore[attr-defined, assignment] # or a check's time has others in it
    queries.checks._check_sums = timed(queries.checks._check_sums)  # noqa: SLF001
    queries.build.check_books = timed(queries.build.check_books)  # type: ignore[attr-defined]
    rebuild(folder)
    (folder / PROVEN).write_text(str(spent), encoding="ascii")


def attribute_alone(folder: Path) -> None:
    """Add up all lines, attribute every day and roll it up, and nothing else: no other marts.

    What the goal's prototype did; storage, transfers and serving have no rows to share.
    """
    manifest = newest_manifest(folder / "generations")
    assert manifest is not None
    manifest.days, manifest.stored, manifest.night = {}, {}, ""
    wanted = needed_for({"marts.spend_daily", "marts.books"})
    built = build(replace(given(folder, manifest), models=wanted))
    assert built is not None
    built.con.close()


def attribute_in_doubles(folder: Path) -> None:
    """Attribute every day as a script would: in doubles, cut by factors, with no sum proven."""
    show_beside = Warehouse.show_beside

    def with_factors(con: Connection, tag_keys: Mapping[str, Sequence[str]]) -> None:
        create_macros(con, tag_keys)
        con.execute(
            "create or replace macro cut(cost, share_from, share_to) as "
            "cast(cost as double) * (share_to - share_from)"
        )

    def with_doubles(warehouse: Warehouse, days: Collection[str] | None) -> None:
        show_beside(warehouse, days)
        costs = ("effective_cost", "billed_cost", "list_cost")
        doubles = ", ".join(f"cast({cost} as double) as {cost}" for cost in costs)
        view = "attribution.line_sums"
        sums = warehouse.manifest.stored[view].scan(warehouse.lake, days)
        warehouse.con.execute(
            f"create or replace view {view} as select * replace ({doubles}) from ({sums})"
        )

    unproven: Callable[..., None] = _nothing
    queries.build.create_macros = with_factors  # type: ignore[attr-defined]
    Warehouse.show_beside = with_doubles  # type: ignore[method-assign, assignment]
    queries.checks._check_sums = unproven  # noqa: SLF001
    queries.build.check_books = unproven  # type: ignore[attr-defined]
    attribute(folder, money="double")  # what no model asks for, but names of lake files rest on


def _nothing(*_: object) -> None:
    """Prove nothing: sums of doubles differ in their last digits."""


def needed_for(names: set[str]) -> list[Model]:
    """Return some models, and those that they rest on or are proven against."""
    wanted: list[Model] = []
    for model in reversed(models()):
        if model.name in names or f"staging.{model.feeds}" in names:
            wanted.append(model)
            names = names | model.reads | {promise.table for promise in model.conserves}
    return wanted[::-1]


def scan(folder: Path) -> None:
    """Read, for real, the columns of the staged lines that attribution reads."""
    import duckdb  # noqa: PLC0415 - as above

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
    "bare-table": bare_table,
    "rebuild": rebuild,
    "night": night,
    "attribute": attribute,
    "attribute-alone": attribute_alone,
    "attribute-in-doubles": attribute_in_doubles,
    "scan": scan,
    "prove-books": prove,
}

if __name__ == "__main__":
    STAGES[sys.argv[1]](Path(sys.argv[2]))
