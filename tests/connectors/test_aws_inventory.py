"""The AWS inventory without AWS: saved answers, settings, and the permissions it asks for."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.aws_calls import CALLS, KINDS, REGIONS
from connectors.aws_inventory import AwsInventory
from connectors.base import Delivery, SourceError
from tests.connectors.known import Memory

POLICY = Path(__file__).parents[2] / "cron" / "aws-inventory-policy.json"
PAGE = '{"Volumes": [{"VolumeId": "vol-1"}]}'


def place(root: Path, day: str = "2026-10-05", region: str = "us-east-1") -> Path:
    folder = root / day / "123456789012" / region
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def delivered(root: Path, **settings: Any) -> list[Delivery]:
    return list(AwsInventory(root=str(root), **settings).deliveries(Memory()))


def rows_of(delivery: Delivery) -> pl.DataFrame:
    (file,) = delivery.files
    with file.open() as stream:
        return pl.read_parquet(stream)


def test_the_policy_grants_every_call_and_no_other() -> None:
    (statement,) = json.loads(POLICY.read_text(encoding="utf-8"))["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Action"] == sorted({call.permission for call in (REGIONS, *CALLS)})
    assert all(
        name.split(":")[1].startswith(("Describe", "List", "Get")) for name in statement["Action"]
    )


def test_answers_are_delivered_as_they_were_saved_page_by_page(tmp_path: Path) -> None:
    pretty = json.dumps(json.loads(PAGE), indent=4)
    (place(tmp_path) / "ec2.describe_volumes.json").write_text(f"{PAGE}\n{pretty}\n{PAGE}")
    packed = gzip.compress(b'{"Snapshots": []}')
    (place(tmp_path) / "ec2.describe_snapshots.json.gz").write_bytes(packed)
    (delivery,) = delivered(tmp_path)
    rows = rows_of(delivery)
    volumes = rows.filter(call="ec2.describe_volumes")
    assert [json.loads(text) for text in volumes["answer"]] == [json.loads(PAGE)] * 3
    assert rows.filter(call="ec2.describe_snapshots")["answer"].to_list() == ['{"Snapshots":[]}']
    assert rows.filter(call="ec2.describe_images")["error"].to_list() == ["NotSaved"]
    assert rows["account_id"].unique().to_list() == ["123456789012"]


def test_a_day_is_delivered_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = place(tmp_path) / "ec2.describe_volumes.json"
    path.write_text(PAGE)
    memory, source = Memory(), AwsInventory(root=str(tmp_path))
    (first,) = source.deliveries(memory)
    memory.land(first)
    assert list(source.deliveries(memory)) == []
    path.write_text('{"Volumes": []}')
    (second,) = source.deliveries(memory)
    assert (second.unit, second.version != first.version) == ("2026-10-05", True)


def test_kinds_and_regions_that_are_not_wanted_are_not_read(tmp_path: Path) -> None:
    for region in ("us-east-1", "eu-west-1", "global"):
        (place(tmp_path, region=region) / "ec2.describe_regions.json").write_text("{}")
    (delivery,) = delivered(tmp_path, regions=("us-east-1",), without=("bucket", "backup_plan"))
    rows = rows_of(delivery)
    assert set(rows["region_id"]) == {"", "us-east-1"}
    assert not {"bucket", "backup_plan"} & set(rows["resource_type"])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"Volumes": [', "not a whole answer"),
        ("[1]", "no JSON object"),
        ("<html>", "not a whole answer"),
    ],
)
def test_what_is_no_answer_stops_its_day_alone(tmp_path: Path, text: str, what: str) -> None:
    (place(tmp_path, "2026-10-04") / "ec2.describe_volumes.json").write_text(text)
    (place(tmp_path, "2026-10-05") / "ec2.describe_volumes.json").write_text(PAGE)
    deliveries = AwsInventory(root=str(tmp_path)).deliveries(Memory())
    assert next(deliveries).unit == "2026-10-05"
    with pytest.raises(SourceError, match=what) as error:
        next(deliveries)
    assert "ec2.describe_volumes.json" in error.value.__notes__[0]


def test_a_file_that_no_call_reads_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    (place(tmp_path) / "ec2.describe_volume.json").write_text(PAGE)
    with pytest.raises(SourceError, match=r"is it ec2\.describe_volumes\?"):
        delivered(tmp_path)


def test_an_empty_folder_and_an_empty_day_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no saved answers"):
        delivered(tmp_path)
    (tmp_path / "2026-10-05").mkdir()
    with pytest.raises(SourceError, match="a day holds no answers"):
        delivered(tmp_path)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"without": ("snapshots",)}, "did you mean snapshot"),
        ({"regions": ("all", "eu-west-1")}, "regions must be"),
        ({"regions": ()}, "regions must be"),
        ({"page_size": 4}, "page_size is 4"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(SourceError, match=what):
        list(AwsInventory(**settings).deliveries(Memory()))


def test_every_kind_of_the_contract_that_aws_has_is_asked_after() -> None:
    assert set(KINDS) - {"region"} == {
        *("instance", "volume", "snapshot", "image", "launch_template", "backup_plan"),
        *("address", "load_balancer", "nat_gateway", "bucket"),
    }
