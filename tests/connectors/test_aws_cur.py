"""AWS's bills in each layout AWS writes them in, whole and damaged."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from connectors.aws_cur import AwsCur, declared_name
from connectors.base import Delivery, SourceError
from tests.connectors.known import Memory
from tests.servers.moto import client, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLES = Path("tests/data/aws_cur")
MAY, JUNE = "2024-05", "2024-06"


def write(root: Path, name: str, text: str = "bill/PayerAccountId\n1\n", at: int = 0) -> None:
    """Write a file; `at` is when, in seconds."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))


def write_export(
    root: Path, month: str, execution: str = "", at: int = 0, parts: Sequence[str] = ("1",)
) -> None:
    """Write one version of a Data Export; with an execution as "create new" does."""
    folder = f"BILLING_PERIOD={month}/{execution}".rstrip("/")
    names = [f"data/{folder}/ml-0000{part}.csv" for part in parts]
    for name in names:
        write(root, name, at=at)
    manifest = {
        "executionId": f"{execution}-{at}",
        "dataFiles": [f"s3://acme-billing/exports/ml/{name}" for name in names],
    }
    write(root, f"metadata/{folder}/ml-Manifest.json", json.dumps(manifest), at=at)


def write_report(root: Path, assembly: str, at: int = 0, keys: Sequence[str] = ()) -> None:
    """Write one version of a legacy report for May, and point the period's manifest at it."""
    period = "cur/20240501-20240601"
    names = [f"{period}/{assembly}/cur-1.csv", f"{period}/{assembly}/cur-2.csv"]
    for name in () if keys else names:
        write(root, name, at=at)
    manifest = {
        "assemblyId": assembly,
        "billingPeriod": {"start": "20240501T000000.000Z", "end": "20240601T000000.000Z"},
        "reportKeys": [f"finance/{name}" for name in keys or names],
    }
    for folder in (period, f"{period}/{assembly}"):
        write(root, f"{folder}/cur-Manifest.json", json.dumps(manifest), at=at)


def deliveries(root: Path | str, memory: Memory | None = None) -> list[Delivery]:
    return list(AwsCur(str(root)).deliveries(memory or Memory()))


def names(delivery: Delivery) -> list[str]:
    return [file.name for file in delivery.files]


def until_error(root: Path) -> tuple[list[str], SourceError]:
    """Return the units delivered before the error, and the error."""
    units: list[str] = []
    found = AwsCur(str(root)).deliveries(Memory())
    with pytest.raises(SourceError) as caught:
        units.extend(delivery.unit for delivery in found)
    return units, caught.value


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("lineItem/UnblendedCost", "line_item_unblended_cost"),
        ("savingsPlan/SavingsPlanARN", "savings_plan_savings_plan_a_r_n"),
        ("product/ProductName", "product_product_name"),
        ("product/instanceType", "product_instance_type"),
        ("line_item_unblended_cost", "line_item_unblended_cost"),
        ("LINE_ITEM_UNBLENDED_COST", "line_item_unblended_cost"),
    ],
)
def test_headers_of_both_reports_become_the_names_that_athena_gives(header: str, name: str) -> None:
    assert declared_name(header) == name


def test_a_real_legacy_bucket_is_read_by_its_manifest() -> None:
    (delivery,) = deliveries(SAMPLES / "koku_local_bucket")
    assert delivery.unit == "2018-08"
    assert delivery.version.startswith("16e57707-f9e3-49be-8be6-b84e684b5194")
    (name,) = names(delivery)
    assert name.endswith("16e57707-f9e3-49be-8be6-b84e684b5194/koku-local-1.csv.gz")


def test_the_root_may_lie_above_or_below_the_export(tmp_path: Path) -> None:
    write_export(tmp_path / "exports/ml", MAY)
    for root in (tmp_path, tmp_path / "exports", tmp_path / "exports/ml"):
        (delivery,) = deliveries(root)
        assert delivery.unit == MAY
        assert len(delivery.files) == 1


def test_periods_come_oldest_first_and_known_ones_not_again(tmp_path: Path) -> None:
    memory = Memory()
    write_export(tmp_path, JUNE)
    write_export(tmp_path, MAY)
    first = deliveries(tmp_path, memory)
    assert [delivery.unit for delivery in first] == [MAY, JUNE]
    for delivery in first:
        memory.land(delivery)
    assert deliveries(tmp_path, memory) == []
    write_export(tmp_path, JUNE, at=5)
    (again,) = deliveries(tmp_path, memory)
    assert (again.unit, again.version_at > first[1].version_at) == (JUNE, True)


def test_of_versions_side_by_side_the_newest_alone_counts(tmp_path: Path) -> None:
    write_export(tmp_path, MAY, "2024-06-02T01:00:00.000Z-b", at=1)
    write_export(tmp_path, MAY, "2024-06-01T01:00:00.000Z-a", at=9)
    (delivery,) = deliveries(tmp_path)
    assert names(delivery) == [f"data/BILLING_PERIOD={MAY}/2024-06-02T01:00:00.000Z-b/ml-00001.csv"]


@pytest.mark.parametrize(("overwritten_at", "newest"), [(1_700_000_000, "b"), (1_800_000_000, "")])
def test_of_both_trees_of_one_export_the_version_written_last_counts(
    tmp_path: Path, overwritten_at: int, newest: str
) -> None:
    execution = "2024-06-02T01:00:00.000Z-b"
    write_export(tmp_path, MAY, execution)
    write_export(tmp_path, MAY, at=overwritten_at)
    (delivery,) = deliveries(tmp_path)
    assert [execution in name for name in names(delivery)] == [newest == "b"]


def test_the_manifest_of_a_legacy_period_points_at_the_version_that_counts(tmp_path: Path) -> None:
    write_report(tmp_path, "a-new", at=1)
    write_report(tmp_path, "b-old", at=9)
    write_report(tmp_path, "a-new", at=2)
    (delivery,) = deliveries(tmp_path)
    assert delivery.version.startswith("a-new-")
    assert all("/a-new/" in name for name in names(delivery))


def test_a_legacy_report_for_athena_is_read_by_the_manifest_beside_its_tree(tmp_path: Path) -> None:
    key = "cur/cur/year=2024/month=5/cur-00001.snappy.parquet"
    write(tmp_path, key)
    write(tmp_path, "cur/cur/cost_and_usage_data_status/cost_and_usage_data_status.parquet")
    write_report(tmp_path, "a", keys=[key])
    (delivery,) = deliveries(tmp_path)
    assert (delivery.unit, names(delivery)) == (MAY, [key])


def test_a_manifest_that_names_a_missing_file_stops_its_period_alone(tmp_path: Path) -> None:
    write_export(tmp_path, MAY, parts=("1", "2"))
    write_export(tmp_path, JUNE)
    (tmp_path / f"data/BILLING_PERIOD={MAY}/ml-00002.csv").unlink()
    units, error = until_error(tmp_path)
    assert units == [JUNE]
    assert f"manifest of {MAY} names a file that is not there" in str(error)
    assert "ml-00002.csv" in str(error)


def test_an_empty_file_is_no_data_rather_than_no_cost(tmp_path: Path) -> None:
    write_export(tmp_path, MAY)
    write(tmp_path, f"data/BILLING_PERIOD={MAY}/ml-00001.csv", "")
    assert "is empty" in str(until_error(tmp_path)[1])


def test_a_manifest_without_files_is_no_data_rather_than_no_cost(tmp_path: Path) -> None:
    write_export(tmp_path, MAY, parts=())
    assert "names no file" in str(until_error(tmp_path)[1])


def test_a_manifest_that_names_a_file_twice_would_double_its_cost(tmp_path: Path) -> None:
    write_export(tmp_path, MAY, parts=("1", "1"))
    assert "names a file twice" in str(until_error(tmp_path)[1])


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"dataFiles": [1]}', '{"reportKeys": ["a"]}']
)
def test_a_manifest_of_unknown_shape_is_refused(tmp_path: Path, content: str) -> None:
    write_export(tmp_path, MAY)
    write(tmp_path, f"metadata/BILLING_PERIOD={MAY}/ml-Manifest.json", content)
    assert "no shape that mlspend knows" in str(until_error(tmp_path)[1])


def test_leftovers_of_other_versions_are_not_read(tmp_path: Path) -> None:
    write_export(tmp_path, MAY)
    write(tmp_path, f"data/BILLING_PERIOD={MAY}/ml-00002.csv")
    write(tmp_path, f"data/BILLING_PERIOD={MAY}/old/ml-00001.csv")
    (delivery,) = deliveries(tmp_path)
    assert names(delivery) == [f"data/BILLING_PERIOD={MAY}/ml-00001.csv"]


def test_a_period_with_files_but_no_manifest_yet_waits(tmp_path: Path) -> None:
    write_export(tmp_path, MAY)
    write(tmp_path, f"data/BILLING_PERIOD={JUNE}/ml-00001.csv")
    units, error = until_error(tmp_path)
    assert units == [MAY]
    assert f"{JUNE} has files but no manifest" in str(error)


def test_a_file_beside_an_export_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    write_export(tmp_path, MAY)
    write(tmp_path, "more.csv")
    assert "no manifest names it" in str(until_error(tmp_path)[1])


def test_two_exports_under_one_root_are_refused(tmp_path: Path) -> None:
    write_export(tmp_path / "a", MAY)
    write_export(tmp_path / "b", MAY)
    units, error = until_error(tmp_path)
    assert units == []
    assert "2 exports lie under one root" in str(error)


def test_without_manifests_the_folders_of_periods_count(tmp_path: Path) -> None:
    write(tmp_path, "cur/year=2024/month=5/cur-00001.snappy.parquet")
    write(tmp_path, "cur/year=2024/month=5/cur-00002.snappy.parquet")
    write(tmp_path, "cur/year=2024/month=12/cur-00001.snappy.parquet")
    write(tmp_path, "cur/cost_and_usage_data_status/status.parquet")
    found = {delivery.unit: len(delivery.files) for delivery in deliveries(tmp_path)}
    assert found == {MAY: 2, "2024-12": 1}


@pytest.mark.parametrize(
    "other",
    [
        "cur/20240501-20240601/cur-1.csv",
        "cur/year=2024/month=5/execution/cur-1.parquet",
        "cur/year=2024/month=5/cur-1.csv",
    ],
)
def test_without_manifests_a_period_that_lies_there_twice_is_refused(
    tmp_path: Path, other: str
) -> None:
    write(tmp_path, "cur/year=2024/month=5/cur-1.parquet")
    write(tmp_path, other)
    assert "lies here twice" in str(until_error(tmp_path)[1])


def test_lone_files_are_units_of_their_own() -> None:
    found = {delivery.unit: names(delivery) for delivery in deliveries(SAMPLES / "sbroenne")}
    assert found == {
        "sbroenne_cur20": ["sbroenne_cur20.csv"],
        "sbroenne_legacy": ["sbroenne_legacy.csv"],
    }


def test_a_plain_file_that_changes_is_delivered_again_whatever_its_age(tmp_path: Path) -> None:
    memory = Memory()
    write(tmp_path, "bill-2024-05.csv", at=900)
    (first,) = deliveries(tmp_path, memory)
    memory.land(first)
    assert deliveries(tmp_path, memory) == []
    write(tmp_path, "bill-2024-05.csv", "restored\n1\n", at=100)
    (second,) = deliveries(tmp_path, memory)
    assert (first.unit, second.unit) == (MAY, MAY)
    assert second.version_at > first.version_at


def test_a_folder_without_bills_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "README.md")
    with pytest.raises(SourceError, match="no bill here"):
        deliveries(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("moto")) as address:
        yield address


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    found = client("s3")
    found.create_bucket(Bucket="acme-billing")
    return found


def upload(s3: Any, root: Path, prefix: str) -> None:
    """Put a folder into the bucket, manifests last."""
    paths = [path for path in root.rglob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: (path.suffix == ".json", path)):
        key = f"{prefix}/{path.relative_to(root).as_posix()}"
        s3.put_object(Bucket="acme-billing", Key=key, Body=path.read_bytes())


def test_an_export_in_s3_is_read_and_its_bytes_are_those_that_were_put(
    s3: Any, tmp_path: Path
) -> None:
    write_export(tmp_path, MAY, parts=("1", "2"))
    upload(s3, tmp_path, "exports/ml")
    (delivery,) = deliveries("s3://acme-billing/exports/ml")
    assert [file.open().read() for file in delivery.files] == [b"bill/PayerAccountId\n1\n"] * 2
    assert all(file.checksum is not None for file in delivery.files)


def test_a_period_that_is_being_overwritten_in_s3_waits_for_its_manifest(
    s3: Any, tmp_path: Path
) -> None:
    write_export(tmp_path, MAY)
    upload(s3, tmp_path, "half/ml")
    (before,) = deliveries("s3://acme-billing/half/ml")
    while True:
        s3.put_object(
            Bucket="acme-billing",
            Key=f"half/ml/data/BILLING_PERIOD={MAY}/ml-00001.csv",
            Body=b"bill/PayerAccountId\n2\n",
        )
        listed = s3.list_objects_v2(Bucket="acme-billing", Prefix="half/")["Contents"]
        if len({row["LastModified"] for row in listed}) > 1:
            break
    with pytest.raises(SourceError, match=f"{MAY} is being written"):
        deliveries("s3://acme-billing/half/ml")
    shutil.rmtree(tmp_path / "data")
    upload(s3, tmp_path, "half/ml")
    (after,) = deliveries("s3://acme-billing/half/ml")
    assert after.version != before.version


def demand(root: Path, memory: Memory) -> tuple[list[str], str]:
    """Return the units of a night that demands the principal, and its error, if any."""
    units: list[str] = []
    try:
        units.extend(
            delivery.unit for delivery in AwsCur(str(root), iam_principal=True).deliveries(memory)
        )
    except SourceError as error:
        return units, f"{error} {error.__notes__[1]}"
    return units, ""


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet"])
def test_a_demanded_principal_that_is_not_there_is_said_and_the_bill_counts(
    tmp_path: Path, suffix: str
) -> None:
    """Older periods were written before anybody asked for it: the newest alone is looked at."""

    def write_month(month: str, column: str) -> None:
        frame = pl.DataFrame({"bill_payer_account_id": ["1"], column: ["x"]})
        path = tmp_path / f"{month}.{suffix}"
        if suffix == "parquet":
            frame.write_parquet(path)
        else:
            text = frame.write_csv().encode()
            path.write_bytes(gzip.compress(text) if suffix == "csv.gz" else text)

    write_month(MAY, "line_item_usage_type")
    units, error = demand(tmp_path, Memory())
    assert units == [MAY]
    assert error.startswith("2024-05 does not say who called")
    assert "INCLUDE_IAM_PRINCIPAL_DATA" in error

    write_month(JUNE, "line_item_iam_principal")
    assert demand(tmp_path, Memory()) == ([MAY, JUNE], "")


def test_a_demanded_principal_is_missed_every_night(tmp_path: Path) -> None:
    write_export(tmp_path, MAY)
    (known,) = deliveries(tmp_path)
    memory = Memory()
    memory.land(known)
    units, error = demand(tmp_path, memory)
    assert units == []
    assert "line_item_iam_principal" in error
    assert deliveries(tmp_path, memory) == []


def test_a_damaged_file_in_which_a_principal_is_demanded_is_named(tmp_path: Path) -> None:
    (tmp_path / f"{MAY}.parquet").write_bytes(b"PAR1 and no more")
    units, error = demand(tmp_path, Memory())
    assert units == [MAY]
    assert error.startswith("a parquet file cannot be read")
