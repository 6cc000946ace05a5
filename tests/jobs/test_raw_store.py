"""The raw store: a delivery is complete or absent, whatever happens to it on the way."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Literal

import polars as pl
import pytest

from connectors.base import Checksum, SourceError
from jobs.fetching import RefusedDeliveryError
from jobs.journal import Journal
from jobs.known import known_deliveries
from tests.jobs.folder_source import (
    LINES,
    RUNS,
    FolderFile,
    FolderSource,
    delivery_of,
    write_version,
)

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.ledger import Entry
    from jobs.raw_store import RawStore

OCTOBER = "acme,2026-10,2026-10,USD,"
BILLS = {("folder", "lines")}


def land_all(store: RawStore, root: Path, source: str = "folder") -> None:
    """Land what is new below `root`."""
    known = known_deliveries(source, store.journal.deliveries(), store.raw)
    for delivery in FolderSource(str(root)).deliveries(known):
        table = LINES if delivery.table == "lines" else RUNS
        store.land(source, "folder", table, delivery)


def counted(store: RawStore) -> list[Entry]:
    """Return the deliveries that count."""
    return store.counted({"folder"}, BILLS)


def files_in(store: RawStore) -> dict[str, str]:
    """Return every file of the raw store with its sha256."""
    return {
        str(path.relative_to(store.raw)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.raw.rglob("*"))
        if path.is_file()
    }


def test_a_delivery_lands_named_by_its_content_with_its_totals(
    store: RawStore, tmp_path: Path
) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1.5;{OCTOBER}2")
    land_all(store, tmp_path / "b")
    (entry,) = counted(store)
    (file,) = entry.files
    assert file.path == f"folder/lines/2026-10/{file.sha256}.csv"
    assert files_in(store) == {file.path: file.sha256}
    totals = store.journal.totals_of(entry.id)
    assert [(total.measure, total.rows, total.amount) for total in totals] == [
        ("billed_cost", 2, Decimal("3.5")),
        ("effective_cost", 2, Decimal("3.5")),
    ]


def test_what_has_landed_is_known_and_not_fetched_again(store: RawStore, tmp_path: Path) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    land_all(store, tmp_path / "b")
    known = known_deliveries("folder", store.journal.deliveries(), store.raw)
    assert list(FolderSource(str(tmp_path / "b")).deliveries(known)) == []
    assert not known.has("lines", "2026-10", "2026-10-06")


def test_what_was_lost_from_the_disk_is_fetched_again(store: RawStore, tmp_path: Path) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    land_all(store, tmp_path / "b")
    before = files_in(store)
    for path in before:
        (store.raw / path).unlink()
    land_all(store, tmp_path / "b")
    assert files_in(store) == before
    assert len(store.journal.deliveries()) == 1


def test_equal_content_in_a_newer_version_adds_no_file_and_changes_nothing_that_counts(
    store: RawStore, tmp_path: Path
) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    land_all(store, tmp_path / "b")
    before, files = counted(store), files_in(store)
    write_version(tmp_path / "b", "2026-10", "2026-10-06", f"{OCTOBER}1")
    land_all(store, tmp_path / "b")
    assert len(store.journal.deliveries()) == 2
    assert files_in(store) == files
    assert counted(store) == before
    assert store.journal.restatements() == []


def test_a_superseded_delivery_without_its_files_is_none(store: RawStore, tmp_path: Path) -> None:
    for cost in ("1", "2"):
        write_version(tmp_path / "b", "2026-10", f"2026-10-0{cost}", f"{OCTOBER}{cost}")
        land_all(store, tmp_path / "b")
    (older,) = store.superseded(counted(store))
    (store.raw / older.files[0].path).unlink()
    assert store.superseded(counted(store)) == []


@pytest.mark.parametrize("name", ["other.csv", "other.csv.gz"])
def test_a_bill_of_which_two_files_hold_the_same_is_refused(
    store: RawStore, tmp_path: Path, name: str
) -> None:
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    land_all(store, tmp_path / "b")
    before = counted(store)
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-06", f"{OCTOBER}1")
    content = (folder / "part.csv").read_bytes()
    (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    with pytest.raises(RefusedDeliveryError, match="hold the same: both would count") as refused:
        land_all(store, tmp_path / "b")
    assert f"{name} and part.csv" in str(refused.value)
    assert counted(store) == before


def test_files_without_lines_may_be_equal(store: RawStore, tmp_path: Path) -> None:
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    header = (folder / "part.csv").read_text(encoding="utf-8").splitlines()[0]
    for name in ("empty.csv", "blank.csv"):
        (folder / name).write_text(f"{header}\n", encoding="utf-8")
    land_all(store, tmp_path / "b")
    (entry,) = counted(store)
    assert len({file.path for file in entry.files}) == 3
    assert {total.amount for total in store.journal.totals_of(entry.id)} == {Decimal(1)}


def test_an_emptied_bill_does_not_count_in_the_place_of_one_with_lines(
    store: RawStore, tmp_path: Path
) -> None:
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    header = (folder / "part.csv").read_text(encoding="utf-8").splitlines()[0]
    land_all(store, tmp_path / "b")
    before = counted(store)
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-06", f"{OCTOBER}1")
    (folder / "part.csv").write_text(f"{header}\n", encoding="utf-8")
    with pytest.raises(RefusedDeliveryError, match="no lines, and had 1"):
        land_all(store, tmp_path / "b")
    assert counted(store) == before


def test_a_newer_version_counts_and_its_change_is_in_the_ledger(
    store: RawStore, tmp_path: Path
) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-11-02", f"{OCTOBER}1;{OCTOBER}2")
    land_all(store, tmp_path / "b")
    write_version(tmp_path / "b", "2026-10", "2026-11-03", f"{OCTOBER}1;{OCTOBER}414.17;{OCTOBER}0")
    land_all(store, tmp_path / "b")
    assert [entry.version for entry in counted(store)] == ["2026-11-03"]
    billed, effective = store.journal.restatements()
    assert (billed.before, billed.after) == (Decimal(3), Decimal("415.17"))
    assert billed.why == "2026-10 billed_cost +412.17 USD (3 lines, before 2)"
    assert not billed.was_open
    assert effective.measure == "effective_cost"


def test_growth_of_an_open_month_is_marked_as_such(store: RawStore, tmp_path: Path) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    write_version(tmp_path / "b", "2026-10", "2026-10-06", f"{OCTOBER}2")
    land_all(store, tmp_path / "b")
    assert {row.was_open for row in store.journal.restatements()} == {True}


def test_an_older_version_that_arrives_late_is_recorded_but_does_not_count(
    store: RawStore, tmp_path: Path
) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-11-03", f"{OCTOBER}2")
    land_all(store, tmp_path / "b")
    write_version(tmp_path / "b", "2026-10", "2026-11-01", f"{OCTOBER}1")
    land_all(store, tmp_path / "b")
    assert [entry.version for entry in counted(store)] == ["2026-11-03"]
    assert len(store.journal.deliveries()) == 2
    assert store.journal.restatements() == []


def test_a_folder_put_back_to_what_it_was_counts_as_it_was(store: RawStore, tmp_path: Path) -> None:
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    other = write_version(tmp_path / "c", "2026-10", "2026-10-06", f"{OCTOBER}2")
    for day, version, path in ((5, "a", folder), (6, "b", other), (7, "a", folder)):
        known = known_deliveries("folder", store.journal.deliveries(), store.raw)
        assert not known.has("lines", "2026-10", version)
        delivery = delivery_of(path, "lines", "2026-10", f"2026-10-0{day}")
        store.land("folder", "folder", LINES, replace(delivery, version=version))
    assert [entry.version_at.day for entry in counted(store)] == [7]
    known = known_deliveries("folder", store.journal.deliveries(), store.raw)
    assert known.has("lines", "2026-10", "a")
    assert not known.has("lines", "2026-10", "b")


def test_an_older_version_that_came_last_is_not_fetched_every_night(
    store: RawStore, tmp_path: Path
) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-11-03", f"{OCTOBER}2")
    land_all(store, tmp_path / "b")
    write_version(tmp_path / "b", "2026-10", "2026-11-01", f"{OCTOBER}1")
    land_all(store, tmp_path / "b")
    known = known_deliveries("folder", store.journal.deliveries(), store.raw)
    assert known.has("lines", "2026-10", "2026-11-01")
    assert known.has("lines", "2026-10", "2026-11-03")


def test_every_version_of_keyed_rows_counts(store: RawStore, tmp_path: Path) -> None:
    for version in ("2026-10-05T01", "2026-10-05T02"):
        folder = tmp_path / "b" / "runs" / "2026-10-05" / version
        folder.mkdir(parents=True)
        (folder / "runs.csv").write_text(f"run,at\n{version},2026-10-05\n", encoding="utf-8")
    land_all(store, tmp_path / "b")
    assert [entry.version for entry in counted(store)] == ["2026-10-05T01", "2026-10-05T02"]


@pytest.mark.parametrize("unit", ["..", ".", "a/b", "../../x", "ü" * 300, "~", "a\0b", "2026-10"])
def test_no_unit_leaves_its_folder(store: RawStore, tmp_path: Path, unit: str) -> None:
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    store.land("folder", "folder", LINES, delivery_of(folder, "lines", unit, "2026-10-05"))
    (path,) = files_in(store)
    assert (store.raw / path).resolve().parents[3] == store.raw.resolve()
    assert counted(store)[0].unit == unit


def gzip_bytes() -> bytes:
    """Return a bill as gzip of two members, long enough to be damaged in many places."""
    rows = "".join(f"{OCTOBER}{number}.25\n" for number in range(400))
    head = "account,period,month,currency,cost\n"
    return gzip.compress((head + rows).encode(), mtime=0) + gzip.compress(rows.encode(), mtime=0)


def parquet_bytes() -> bytes:
    """Return a Parquet file."""
    buffer = BytesIO()
    pl.DataFrame({"run": [f"run {number}" for number in range(500)]}).write_parquet(buffer)
    return buffer.getvalue()


def land_bytes(
    store: RawStore, folder: Path, data: bytes, ending: str, *, digest: str | None = None
) -> None:
    """Land bytes as a delivery of runs, whose rows nobody sums."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"file.{ending}"
    path.write_bytes(data)
    delivery = delivery_of(folder, "runs", "2026-10-05", "2026-10-05")
    checksum = Checksum("sha256", digest) if digest else None
    files = [FolderFile(path, checksum=checksum)]
    store.land("folder", "folder", RUNS, replace(delivery, files=files))


def test_a_whole_gzip_of_two_members_lands(store: RawStore, tmp_path: Path) -> None:
    land_bytes(store, tmp_path / "b", gzip_bytes(), "csv.gz")
    assert len(counted(store)) == 1


def test_a_gzip_file_cut_anywhere_is_refused(store: RawStore, tmp_path: Path) -> None:
    data = gzip_bytes()
    second_member = data.index(b"\x1f\x8b", 2)  # a cut right before it leaves a whole file
    cuts = [cut for cut in range(0, len(data), 7) if cut != second_member]
    assert len(cuts) > 100
    for cut in cuts:
        with pytest.raises(RefusedDeliveryError):
            land_bytes(store, tmp_path / "b", data[:cut], "csv.gz")
    assert files_in(store) == {}
    assert store.journal.deliveries() == []


def test_a_gzip_file_with_any_bit_of_its_data_flipped_is_refused(
    store: RawStore, tmp_path: Path
) -> None:
    data = gzip_bytes()
    seed = random.Random(1)  # noqa: S311  (places to damage, not secrets)
    second_member = data.index(b"\x1f\x8b", 2)
    carries_data = [*range(10, second_member), *range(second_member + 10, len(data))]
    for _ in range(300):
        place = seed.choice(carries_data)
        damaged = bytearray(data)
        damaged[place] ^= 1 << seed.randrange(8)
        with pytest.raises(RefusedDeliveryError):
            land_bytes(store, tmp_path / "b", bytes(damaged), "csv.gz")
    assert files_in(store) == {}


def test_a_parquet_file_cut_anywhere_is_refused(store: RawStore, tmp_path: Path) -> None:
    data = parquet_bytes()
    for cut in range(0, len(data), 11):
        with pytest.raises(RefusedDeliveryError):
            land_bytes(store, tmp_path / "b", data[:cut], "parquet")
    assert files_in(store) == {}


@pytest.mark.parametrize("ending", ["parquet", "csv", "csv.gz"])
def test_any_flipped_bit_is_refused_where_the_source_states_a_digest(
    store: RawStore, tmp_path: Path, ending: str
) -> None:
    data = {"parquet": parquet_bytes(), "csv": b"run,at\n1,2\n", "csv.gz": gzip_bytes()}[ending]
    digest = hashlib.sha256(data).hexdigest()
    for place in range(0, len(data), max(len(data) // 200, 1)):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(RefusedDeliveryError):
            land_bytes(store, tmp_path / "b", bytes(damaged), ending, digest=digest)
    land_bytes(store, tmp_path / "b", data, ending, digest=digest)
    assert len(counted(store)) == 1


@pytest.mark.parametrize(
    ("data", "ending", "wanted"),
    [
        (b"", "csv", "it is empty"),
        (b"", "csv.gz", "it is empty"),
        (b"", "parquet", "it is empty"),
        (gzip.compress(b""), "csv.gz", "it holds no text"),
        (b"PAR1PAR1", "parquet", "cut off"),
        (b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1", "parquet", "does not fit"),
        (gzip_bytes() + b"\0", "csv.gz", "cut off"),
        (gzip_bytes() + b"junk", "csv.gz", "damaged"),
        (b"run,at\n", "csv.gz", "damaged"),
    ],
)
def test_the_refusal_says_what_is_wrong(
    store: RawStore, tmp_path: Path, data: bytes, ending: str, wanted: str
) -> None:
    with pytest.raises(RefusedDeliveryError) as caught:
        land_bytes(store, tmp_path / "b", data, ending)
    assert wanted in str(caught.value)
    assert f"file.{ending}" in caught.value.__notes__[0]


def test_a_size_that_is_not_the_stated_one_is_refused(store: RawStore, tmp_path: Path) -> None:
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    (folder / "stated.json").write_text(json.dumps({"part.csv": {"size": 7}}), encoding="utf-8")
    with pytest.raises(RefusedDeliveryError) as caught:
        land_all(store, tmp_path / "b")
    assert "the source states 7" in str(caught.value)


def test_a_bill_with_fewer_lines_than_its_manifest_states_is_refused(
    store: RawStore, tmp_path: Path
) -> None:
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1;{OCTOBER}1")
    delivery = delivery_of(folder, "lines", "2026-10", "2026-10-05")
    with pytest.raises(RefusedDeliveryError) as caught:
        store.land("folder", "folder", LINES, replace(delivery, stated_rows=3))
    assert str(caught.value) == "the bill has 2 lines, its manifest states 3"
    assert counted(store) == []
    store.land("folder", "folder", LINES, replace(delivery, stated_rows=2))
    assert len(counted(store)) == 1


def test_a_broken_version_leaves_the_last_good_one_in_force(
    store: RawStore, tmp_path: Path
) -> None:
    write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1", name="part.csv.gz")
    land_all(store, tmp_path / "b")
    before, files = counted(store), files_in(store)
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-06", f"{OCTOBER}2")
    (folder / "whole.csv.gz").write_bytes(gzip.compress(b"account"))
    (folder / "zcut.csv.gz").write_bytes(gzip.compress(b"account")[:-3])
    with pytest.raises(RefusedDeliveryError):
        land_all(store, tmp_path / "b")
    assert counted(store) == before
    store.collect(BILLS, set(), keep=3)
    assert files_in(store) == files


def test_a_file_that_has_gone_stops_its_source(store: RawStore, tmp_path: Path) -> None:
    folder = write_version(tmp_path / "b", "2026-10", "2026-10-05", f"{OCTOBER}1")
    delivery = delivery_of(folder, "lines", "2026-10", "2026-10-05")
    (folder / "part.csv").unlink()
    with pytest.raises(SourceError) as caught:
        store.land("folder", "folder", LINES, delivery)
    assert "part.csv" in caught.value.__notes__[0]


def test_old_versions_of_an_open_month_go_and_final_ones_stay(
    store: RawStore, tmp_path: Path
) -> None:
    versions = [f"2026-10-{day:02}" for day in range(5, 11)]
    final = ["2026-11-12", "2026-11-13", "2026-11-14", "2026-11-15"]
    for number, version in enumerate(versions + final):
        write_version(tmp_path / "b", "2026-10", version, f"{OCTOBER}{number}")
    land_all(store, tmp_path / "b")
    first = store.journal.deliveries()[0].files[0]
    store.collect(BILLS, {first.sha256}, keep=3)
    kept = [entry for entry in store.journal.deliveries() if not entry.is_collected]
    assert [entry.version for entry in kept] == ["2026-10-05", *final]
    assert set(files_in(store)) == {entry.files[0].path for entry in kept}
    assert [entry.version for entry in counted(store)] == ["2026-11-15"]


def test_keyed_rows_are_never_collected(store: RawStore, tmp_path: Path) -> None:
    for hour in range(6):
        folder = tmp_path / "b" / "runs" / "2026-10-05" / f"2026-10-05T0{hour}"
        folder.mkdir(parents=True)
        (folder / "runs.csv").write_text(f"run,at\n{hour},2026-10-05\n", encoding="utf-8")
    land_all(store, tmp_path / "b")
    assert store.collect(BILLS, set(), keep=1) == 0
    assert len(counted(store)) == 6


_LANDER = """
import sys
from pathlib import Path
from jobs.journal import Journal
from jobs.progress import PlainProgress
from jobs.raw_store import RawStore
from tests.jobs.folder_source import sum_lines
from tests.jobs.test_raw_store import land_all

state, root = map(Path, sys.argv[1:])
with Journal(state / "journal.sqlite") as journal:
    land_all(RawStore(state, journal, sum_lines, PlainProgress(sys.stderr)), root)
"""


def _die_after(lines: int, state: Path, root: Path) -> Literal["killed", "ended"]:
    """Land in another process and kill it when it has told of `lines` deliveries."""
    process = subprocess.Popen(
        [sys.executable, "-c", _LANDER, str(state), str(root)], stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    for _ in range(lines):
        process.stderr.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.stderr.close()
    return "killed" if process.wait() == -signal.SIGKILL else "ended"


def test_a_killed_extract_done_again_ends_as_if_never_killed(
    store: RawStore, tmp_path: Path
) -> None:
    root = tmp_path / "b"
    for day in range(5, 25):
        lines = ";".join(f"{OCTOBER}{day}.{cent}" for cent in range(2000))
        write_version(root, "2026-10", f"2026-10-{day:02}", lines, name="part.csv.gz")
    state = tmp_path / "other"
    ends = [_die_after(lines, state, root) for lines in (0, 1, 1, 2, 3, 5)]
    assert "killed" in ends
    subprocess.run([sys.executable, "-c", _LANDER, str(state), str(root)], check=True)
    land_all(store, root)
    killed = sorted(str(path.relative_to(state)) for path in (state / "raw").rglob("*.csv.gz"))
    assert killed == [f"raw/{path}" for path in files_in(store)]
    assert _ledger(state) == _ledger(store.state_dir)


def _ledger(state: Path) -> list[tuple[object, ...]]:
    with Journal(state / "journal.sqlite") as journal:
        return [
            (entry.version, entry.files, *journal.totals_of(entry.id))
            for entry in journal.deliveries()
        ]


def test_a_file_that_is_there_is_not_written_again_unless_the_disk_has_damaged_it(
    store: RawStore, tmp_path: Path
) -> None:
    line = f"{OCTOBER}1.5"
    write_version(tmp_path / "b", "2026-10", "2026-10-05", line)
    land_all(store, tmp_path / "b")
    (entry,) = counted(store)
    place = store.raw / entry.files[0].path
    before = place.stat().st_ino

    write_version(tmp_path / "b", "2026-10", "2026-10-06", line)
    land_all(store, tmp_path / "b")
    assert place.stat().st_ino == before
    assert not list(store.tmp.iterdir())

    whole = place.read_bytes()
    place.write_bytes(whole[:-1] + b"7")
    write_version(tmp_path / "b", "2026-10", "2026-10-07", line)
    land_all(store, tmp_path / "b")
    assert place.read_bytes() == whole
    assert place.stat().st_ino != before
