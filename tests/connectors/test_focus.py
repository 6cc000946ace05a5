"""FOCUS bills as AWS and Azure export them, and as people lay them into folders."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from connectors.base import Delivery, SourceError
from connectors.billing_files import unit_of
from connectors.focus import Focus, declared_name
from tests.connectors.known import Memory

SAMPLES = Path("tests/data/focus")


def write(root: Path, name: str, text: str = "BilledCost\n1\n", at: int = 0) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))


def write_azure(root: Path, run: str, at: str, *, kind: str = "FocusCost", size: int = 13) -> None:
    """Write one run of an Azure export of October."""
    folder = f"costs/focus/20261001-20261031/{run}"
    write(root, f"{folder}/part_0_0001.csv")
    manifest = {
        "manifestVersion": "2024-04-01",
        "dataRowCount": 1,
        "blobs": [{"blobName": f"{folder}/part_0_0001.csv", "byteCount": size}],
        "exportConfig": {"exportName": "focus", "type": kind},
        "runInfo": {"runId": run, "submittedTime": at, "startDate": "2026-10-01T00:00:00"},
    }
    write(root, f"{folder}/manifest.json", json.dumps(manifest))


def deliveries(root: Path, memory: Memory | None = None) -> list[Delivery]:
    return list(Focus(str(root)).deliveries(memory or Memory()))


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("billing_period=2026-10/a.parquet", "2026-10"),
        ("BILLING_PERIOD=2026-10/2026-11-02T00:00:00Z-x/a.parquet", "2026-10"),
        ("year=2026/month=3/a.csv", "2026-03"),
        ("20261001-20261031/a.csv", "2026-10"),
        ("20261201-20270101/a.csv", "2026-12"),
        ("2026-10/export_20261103.csv", "2026-10"),
        ("acme/202610.csv.gz", "2026-10"),
        ("acme_2026-10-03_focus.csv", "2026-10"),
        ("acme-2026-10-00001.snappy.parquet", "2026-10"),
        ("focus_20261003.csv", "2026-10"),
        ("focus.csv", "focus"),
        ("aws/focus.csv", "aws__focus"),
        ("from-2026-09-to-2026-10.csv", "from-2026-09-to-2026-10"),
        ("20261005-20261012/a.csv", "2026-10"),
        ("build-1202610.csv", "build-1202610"),
        ("2026-13.csv", "2026-13"),
    ],
)
def test_the_unit_of_a_plain_file_is_the_month_in_its_path_or_itself(name: str, unit: str) -> None:
    assert unit_of(name) == unit


@pytest.mark.parametrize("header", ["BilledCost", "billedcost", "billed_cost", "BILLEDCOST"])
def test_a_column_is_found_whatever_an_engine_made_of_its_case(header: str) -> None:
    assert declared_name(header) == "billed_cost"


def test_a_header_that_is_not_declared_keeps_its_name() -> None:
    assert declared_name("x_Credits") == "x_Credits"


def test_a_lone_sample_is_a_unit_of_its_own() -> None:
    (delivery,) = deliveries(SAMPLES / "sample_1_0")
    assert (delivery.unit, delivery.table) == ("focus_sample", "cost_and_usage")


def test_files_of_several_providers_make_up_one_month(tmp_path: Path) -> None:
    write(tmp_path, "aws/billing_period=2026-10/a.csv")
    write(tmp_path, "azure/billing_period=2026-10/a.csv")
    write(tmp_path, "oracle/2026-11.csv")
    found = {delivery.unit: len(delivery.files) for delivery in deliveries(tmp_path)}
    assert found == {"2026-10": 2, "2026-11": 1}


def test_one_file_in_two_formats_would_count_twice(tmp_path: Path) -> None:
    write(tmp_path, "2026-10.csv")
    write(tmp_path, "2026-10.parquet")
    with pytest.raises(SourceError, match="lies here twice"):
        deliveries(tmp_path)


def test_two_runs_below_one_period_without_manifests_would_count_twice(tmp_path: Path) -> None:
    write(tmp_path, "focus/20261001-20261031/run-a/000001.csv")
    write(tmp_path, "focus/20261001-20261031/run-b/000001.csv")
    write(tmp_path, "focus/20261101-20261130/run-c/000001.csv")
    units: list[str] = []
    found = Focus(str(tmp_path)).deliveries(Memory())
    with pytest.raises(SourceError, match="2026-10 lies here twice"):
        units.extend(delivery.unit for delivery in found)
    assert units == ["2026-11"]


def test_a_file_taken_away_is_a_new_version_though_nothing_newer_is_there(tmp_path: Path) -> None:
    memory = Memory()
    write(tmp_path, "2026-10/a.csv", at=1)
    write(tmp_path, "2026-10/b.csv", at=2)
    (first,) = deliveries(tmp_path, memory)
    memory.land(first)
    (tmp_path / "2026-10/b.csv").unlink()
    (second,) = deliveries(tmp_path, memory)
    assert len(second.files) == 1
    assert second.version_at > first.version_at


def test_an_export_of_aws_is_read_by_its_manifest(tmp_path: Path) -> None:
    name = "data/billing_period=2026-10/focus-00001.csv.gz"
    write(tmp_path, name)
    write(tmp_path, "data/billing_period=2026-10/focus-00002.csv.gz")
    manifest = {"dataFiles": [f"s3://acme/focus/{name}"]}
    write(tmp_path, "metadata/billing_period=2026-10/focus-Manifest.json", json.dumps(manifest))
    (delivery,) = deliveries(tmp_path)
    assert (delivery.unit, [file.name for file in delivery.files]) == ("2026-10", [name])


def test_of_azures_daily_copies_the_newest_run_alone_counts(tmp_path: Path) -> None:
    write_azure(tmp_path, "b", "2026-10-03T04:00:00.1234567Z")
    write_azure(tmp_path, "a", "2026-10-04T04:00:00.1234567Z")
    (delivery,) = deliveries(tmp_path)
    assert delivery.unit == "2026-10"
    assert delivery.version.startswith("a-")
    assert delivery.stated_rows == 1
    assert "/a/" in delivery.files[0].name


def test_an_azure_export_of_another_type_is_refused(tmp_path: Path) -> None:
    write_azure(tmp_path, "a", "2026-10-04T04:00:00Z", kind="ActualCost")
    with pytest.raises(SourceError, match="type ActualCost, not FocusCost"):
        deliveries(tmp_path)


def test_a_blob_of_another_size_than_its_manifest_states_is_refused(tmp_path: Path) -> None:
    write_azure(tmp_path, "a", "2026-10-04T04:00:00Z", size=14)
    with pytest.raises(SourceError, match="13 bytes where its manifest states 14"):
        deliveries(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"blobs": [{}]}', '{"blobs": []}'])
def test_a_manifest_of_unknown_shape_is_refused(tmp_path: Path, content: str) -> None:
    write(tmp_path, "costs/manifest.json", content)
    with pytest.raises(SourceError, match="no shape that mlspend knows"):
        deliveries(tmp_path)


def test_exports_of_aws_and_azure_under_one_root_are_refused(tmp_path: Path) -> None:
    write_azure(tmp_path, "a", "2026-10-04T04:00:00Z")
    manifest = {"dataFiles": ["s3://acme/data/billing_period=2026-10/a.csv"]}
    write(tmp_path, "metadata/billing_period=2026-10/a-Manifest.json", json.dumps(manifest))
    with pytest.raises(SourceError, match="2 exports lie under one root"):
        deliveries(tmp_path)
