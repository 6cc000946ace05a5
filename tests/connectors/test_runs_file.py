"""Runs that somebody writes down: what lands, night by night, and which mistakes are named."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from connectors.base import SourceError
from connectors.runs_file import RunsFile
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from connectors.base import Delivery, Known

AT = datetime(2026, 10, 4, 2, tzinfo=UTC)
HEADER = "native_id,attempt,status,started_at,ended_at,user_raw,gpu_count\n"
DONE = "a,1,failed,2026-10-03T01:00:00Z,2026-10-03T02:00:00+01:00,ann,8\n"
GOING = "a,2,running,2026-10-03T02:00:00Z,,ann,8\n"


@dataclass
class Source:
    """The connector, as nights ask for it."""

    root: Path

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        assert at
        return RunsFile(str(self.root)).deliveries(known)


def write(folder: Path, name: str, text: str, minute: int = 0, day: int = 4) -> None:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    at = datetime(2026, 10, day, 1, minute, tzinfo=UTC).timestamp()
    os.utime(path, (at, at))


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    (tmp_path / "raw").mkdir()
    (tmp_path / "runs").mkdir()
    return Nights("runs_file", tmp_path / "raw")


@pytest.fixture
def folder(tmp_path: Path, nights: Nights) -> Path:
    assert nights
    return tmp_path / "runs"


def test_all_tables_are_read(nights: Nights, folder: Path) -> None:
    write(folder, "runs.csv", HEADER + DONE + GOING)
    write(
        folder,
        "run_places.csv",
        "native_id,attempt,node,instance_id,gpu_count\na,1,n1,aws:///us-east-1a/i-0abc,8\nb,1,n9,,\n",
    )
    write(folder, "run_inputs.csv", "native_id,dataset_uri,bytes_read\na,S3A://Lab/X/,7\n")
    write(
        folder,
        "run_outputs.csv",
        "native_id,dataset_uri,dataset_digest\na,s3://lab/out,d1\na,s3://lab/out/,d1\n",
    )
    write(folder, "run_models.csv", "native_id,model_name,model_version\na,net,3\n")
    write(folder, "run_references.csv", "native_id,resource_id\na,vol-0123abcd\n")
    write(
        folder,
        "run_mentions.csv",
        "native_id,attempt,mentioned_system,mentioned_id,relation\na,2,slurm,77,same\n",
    )
    nights.night(Source(folder), AT)
    first, second = nights.rows("runs_file__runs")
    if first["attempt"] == 2:
        first, second = second, first
    assert (first["status"], first["started_at"], first["ended_at"]) == (
        "failed",
        datetime(2026, 10, 3, 1),  # noqa: DTZ001 - UTC
        datetime(2026, 10, 3, 1),  # noqa: DTZ001 - UTC, an hour before its offset's time
    )
    assert (first["user_raw"], first["gpu_count"], first["system"]) == ("ann", 8, "runs_file")
    assert (second["ended_at"], second["last_seen_at"]) == (
        None,
        datetime(2026, 10, 4, 1),  # noqa: DTZ001 - UTC
    )
    (place,) = nights.rows("runs_file__run_places")
    assert (place["run_key"], place["node"], place["instance_id"], place["gpu_count"]) == (
        first["run_key"],
        "n1",
        "i-0abc",
        Decimal(8),
    )
    assert place["ended_at"] == first["ended_at"]
    (read,) = nights.rows("runs_file__run_inputs")
    assert (read["dataset_uri"], read["bytes_read"]) == ("s3://lab/X", 7)
    (wrote,) = nights.rows("runs_file__run_outputs")
    assert (wrote["dataset_uri"], wrote["dataset_digest"]) == ("s3://lab/out", "d1")
    (model,) = nights.rows("runs_file__run_models")
    assert (model["model_name"], model["model_version"]) == ("net", "3")
    (named,) = nights.rows("runs_file__run_references")
    assert named["resource_id"] == "vol-0123abcd"
    (mention,) = nights.rows("runs_file__run_mentions")
    assert (mention["run_key"], mention["system"], mention["native_id"]) == (
        second["run_key"],
        "slurm",
        "77",
    )


def test_the_newest_file_counts_and_what_is_gone_stays(nights: Nights, folder: Path) -> None:
    write(folder, "runs.csv", HEADER + DONE + GOING)
    write(folder, "run_outputs.csv", "native_id,dataset_uri\na,s3://lab/1\na,s3://lab/2\n")
    nights.night(Source(folder), AT)
    assert nights.night(Source(folder), AT) == {}

    over = GOING.replace("running", "succeeded").replace("Z,,", "Z,2026-10-03T04:00:00Z,")
    write(folder, "runs.csv", HEADER + over, minute=5)
    write(folder, "run_outputs.csv", "native_id,dataset_uri\na,s3://lab/2\n", minute=5)
    assert set(nights.night(Source(folder), AT)) == {"runs", "run_outputs"}
    rows = nights.rows("runs_file__runs")
    assert {row["attempt"]: row["status"] for row in rows} == {1: "failed", 2: "succeeded"}
    assert [row["dataset_uri"] for row in nights.rows("runs_file__run_outputs")] == ["s3://lab/2"]

    write(folder, "runs.csv", HEADER + GOING, minute=9)
    nights.night(Source(folder), AT)
    rows = nights.rows("runs_file__runs")
    assert {row["attempt"]: row["status"] for row in rows} == {1: "failed", 2: "running"}


@pytest.mark.parametrize(
    ("newest_file", "status", "ended_at"),
    [
        ((5, 0), "lost", datetime(2026, 10, 4, 1)),  # noqa: DTZ001 - UTC
        ((4, 59), "running", None),
    ],
)
def test_a_run_that_no_file_tells_of_for_a_day_is_lost(
    nights: Nights, folder: Path, newest_file: tuple[int, int], status: str, ended_at: object
) -> None:
    day, minute = newest_file
    write(folder, "runs-1.csv", HEADER + GOING)
    write(folder, "runs-2.csv", HEADER + DONE, minute, day)
    nights.night(Source(folder), AT)
    (run,) = (row for row in nights.rows("runs_file__runs") if row["attempt"] == 2)
    assert (run["status"], run["ended_at"]) == (status, ended_at)
    assert (run["status_raw"], run["last_seen_at"]) == (
        "running",
        datetime(2026, 10, 4, 1),  # noqa: DTZ001 - UTC
    )


def test_parquet_says_the_same_as_csv(nights: Nights, folder: Path) -> None:
    begun = datetime(2026, 10, 3, 1)  # noqa: DTZ001 - UTC, as Parquet has it
    frame = pl.DataFrame(
        {"native_id": ["a"], "status": ["running"], "started_at": [begun], "gpu_count": [0.5]}
    )
    frame.write_parquet(folder / "runs-2026.parquet")
    nights.night(Source(folder), AT)
    (row,) = nights.rows("runs_file__runs")
    assert (row["started_at"], row["gpu_count"], row["attempt"]) == (begun, Decimal("0.5"), 1)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("runs.csv", HEADER + DONE + DONE, "line 3: tells the same as line 2"),
        ("runs.csv", HEADER + DONE.replace("failed", "dead"), "line 2: status 'dead' is none of"),
        ("runs.csv", HEADER + DONE.replace("00Z", "00"), "not a time with an offset"),
        ("runs.csv", HEADER + GOING.replace(",8", ",-1"), "gpu_count '-1' is not a number"),
        ("runs.csv", HEADER + GOING.replace(",8", ",1E3"), "gpu_count '1E3' is not a number"),
        ("runs.csv", HEADER + GOING.replace(",8", ",NaN"), "gpu_count 'NaN' is not a number"),
        ("runs.csv", HEADER + GOING.replace("a,2", "a,0"), "attempt '0' is not a whole number"),
        ("runs.csv", HEADER + GOING.replace("a,2", "a,02"), "a number with zeros before it"),
        ("runs.csv", HEADER + GOING.replace("a,2", ",2"), "line 2: native_id is empty"),
        ("runs.csv", HEADER + GOING.replace("running", "lost"), "ended_at is empty"),
        ("runs.csv", HEADER + DONE.replace("failed", "running"), "ended_at is there"),
        ("runs.csv", HEADER + DONE.replace("T01:00:00Z", "T09:00:00Z"), "is before started_at"),
        ("runs.csv", HEADER + "a,2\n", "another number of fields"),
        ("runs.csv", HEADER.replace("status", "statsu") + DONE, "did you mean status?"),
        ("run_places.csv", "native_id,pod\na,\n", "one of pod, pod_uid, node, instance_id"),
        ("run_mentions.csv", "native_id,mentioned_id,relation\na,1,twin\n", "none of same, parent"),
        ("jobs.csv", HEADER, "jobs.csv is not called after a table"),
        ("runs.parquet", "no", "runs.parquet is not Parquet"),
    ],
)
def test_a_mistake_is_named(folder: Path, nights: Nights, name: str, text: str, said: str) -> None:
    write(folder, name, text)
    with pytest.raises(SourceError, match=re.escape(said)) as caught:
        nights.night(Source(folder), AT)

    assert [note[:4] for note in caught.value.__notes__] == ["in: ", "fix:"]
    assert nights.landed == []


def test_a_wrong_file_does_not_keep_others_back(nights: Nights, folder: Path) -> None:
    write(folder, "run_places.csv", "native_id,node\na,\nb,\n")
    write(folder, "runs.csv", HEADER + DONE, minute=1)
    with pytest.raises(SourceError, match="2 mistakes"):
        nights.night(Source(folder), AT)
    assert [row["native_id"] for row in nights.rows("runs_file__runs")] == ["a"]
