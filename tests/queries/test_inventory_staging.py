"""From AWS's answers to what there is: the staging models of inventories, on saved answers."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connectors.aws_calls import CALLS, REGIONS
from connectors.aws_inventory import AwsInventory
from tests.queries.inventories import Nights

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES = Path(__file__).parents[1] / "data" / "aws_inventory" / "botocore_examples"
ACCOUNT = "123456789012"
REGION = "us-east-1"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def save(folder: Path, day: str, answers: Mapping[str, Any], region: str = REGION) -> None:
    """Save the answers of a day: call -> answer; of every other call an empty one."""
    for call in (REGIONS, *CALLS):
        place = folder / day / ACCOUNT / ("global" if call.is_global else region)
        place.mkdir(parents=True, exist_ok=True)
        answer = answers.get(call.name, {})
        (place / f"{call.name}.json").write_text(json.dumps(answer), encoding="utf-8")


def land(folder: Path, nights: Nights | None = None, source: str = "aws_inventory") -> Nights:
    state = folder.parent / "state"
    state.mkdir(exist_ok=True)
    nights = nights or Nights(state)
    nights.land(AwsInventory(root=str(folder)).deliveries(nights), source)
    return nights


def volume(state: str = "available", **more: Any) -> dict[str, Any]:
    created = "2026-01-01T00:00:00+00:00"
    one = {"VolumeId": "vol-1", "State": state, "Size": 10, "CreateTime": created, **more}
    return {"ec2.describe_volumes": {"Volumes": [one]}}


def since(nights: Nights) -> datetime:
    (row,) = nights.rows("select state_since from staging.inventory")
    found: datetime = row["state_since"]
    return found


def test_without_an_inventory_every_table_is_there_and_empty(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    for table in ("inventory", "inventory_links", "inventory_scopes"):
        assert nights.rows(f"select * from staging.{table}") == []


def test_amazons_examples_are_told_whole(tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.land(AwsInventory(root=str(EXAMPLES)).deliveries(nights))
    (row,) = nights.rows("select * from staging.inventory where resource_type = 'volume'")
    assert row == {
        "source": "aws_inventory",
        "provider": "AWS",
        "sub_account_id": ACCOUNT,
        "region_id": REGION,
        "availability_zone_id": None,
        "resource_type": "volume",
        "resource_id": "vol-049df61146c4d7901",
        "resource_name": None,
        "state": "in_use",
        "state_raw": "in-use",
        "created_at": at("2013-12-18 22:35:00.084000"),
        "state_since": at("2013-12-18 22:35:00"),
        "last_used_at": None,
        "size_gib": Decimal(8),
        "instance_type": "standard",
        "is_protected": False,
        "tags": {},
        "observed_at": at("2026-10-05 12:00:00"),
    }
    links = {
        (row["resource_id"].rpartition(":")[2], row["relation"], row["related_id"])
        for row in nights.rows("select * from staging.inventory_links")
    }
    assert links == {
        ("198.51.100.0", "attached_to", "i-1234567890abcdef0"),
        ("eipalloc-12345678", "attached_to", "i-1234567890abcdef0"),
        ("ami-5731123e", "maps", "snap-1234567890abcdef0"),
        ("launchConfigurationName/my-launch-config", "maps", "ami-043a5034"),
        ("loadbalancer/my-load-balancer", "backend", "i-207d9717"),
        ("loadbalancer/my-load-balancer", "backend", "i-afefb49b"),
        ("loadbalancer/app/my-load-balancer/50dc6c495c0c9188", "backend", "i-0f76fade"),
        ("lt-068f72b72934aff71", "maps", "ami-6057e21a"),
        ("lt-068f72b72934aff71", "maps", "ami-aabbcc11"),
        ("snap-066877671789bd71b", "made_from", "vol-1234567890abcdef0"),
        ("snap-1234567890abcdef0", "made_from", "vol-049df61146c4d7901"),
        ("vol-049df61146c4d7901", "attached_to", "i-1234567890abcdef0"),
        ("vol-049df61146c4d7901", "made_from", "snap-1234567890abcdef0"),
    }
    kinds = {row["resource_type"] for row in nights.rows("select * from staging.inventory_scopes")}
    assert kinds == {
        *("volume", "snapshot", "image", "launch_template"),
        *("address", "load_balancer", "nat_gateway"),
    }


def test_an_answer_that_was_not_saved_leaves_its_kind_unknown(tmp_path: Path) -> None:
    """Without the answers on sharing, snapshots are there, and nobody may trust that list."""
    shutil.copytree(EXAMPLES, tmp_path / "saved")
    place = tmp_path / "saved" / "2026-10-05" / ACCOUNT / REGION
    (place / "ec2.describe_snapshot_attribute.json").unlink()
    nights = land(tmp_path / "saved")
    assert len(nights.ids("snapshot")) == 2
    kinds = {row["resource_type"] for row in nights.rows("select * from staging.inventory_scopes")}
    assert "snapshot" not in kinds
    assert "image" in kinds


def test_since_when_a_volume_is_unattached_is_what_our_own_listings_say(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    attached = {"Attachments": [{"InstanceId": "i-1", "AttachTime": "2026-01-02T00:00:00+00:00"}]}
    save(saved, "2026-10-01", volume())
    save(saved, "2026-10-02", volume("in-use", **attached))
    save(saved, "2026-10-04", volume())
    save(saved, "2026-10-05", volume())
    assert since(land(saved)) == at("2026-10-04 12:00:00")
    save(saved, "2026-10-06", volume("in-use", **attached))
    assert since(land(saved)) == at("2026-01-02 00:00:00")


def test_no_more_than_a_hundred_days_are_looked_back_on(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    for day in ("2026-01-01", "2026-09-01", "2026-10-05"):
        save(saved, day, volume())
    assert since(land(saved)) == at("2026-09-01 12:00:00")


def test_when_a_machine_stopped_is_what_aws_says(tmp_path: Path) -> None:
    machine = {
        "InstanceId": "i-1",
        "State": {"Name": "stopped"},
        "StateTransitionReason": "User initiated (2026-09-08 12:14:05 GMT)",
        "LaunchTime": "2026-09-01T00:00:00+00:00",
        "BlockDeviceMappings": [{"Ebs": {"AttachTime": "2026-03-01T00:00:00+00:00"}}],
    }
    answer = {"Reservations": [{"Instances": [machine]}]}
    save(tmp_path / "saved", "2026-10-05", {"ec2.describe_instances": answer})
    (row,) = land(tmp_path / "saved").rows("select * from staging.inventory")
    assert row["state"] == "deallocated"
    assert row["state_since"] == at("2026-09-08 12:14:05")
    assert row["created_at"] == at("2026-03-01 00:00:00")


@pytest.mark.parametrize(
    ("tags", "is_protected"),
    [
        ({"aws:backup:source-resource": "x"}, True),
        ({"aws:dlm:lifecycle-policy-id": "policy-1"}, True),
        ({"dlm:managed": "true"}, True),
        ({"backup": "no"}, False),
        ({}, False),
    ],
)
def test_what_a_backup_service_has_tagged_is_protected(
    tmp_path: Path, tags: Mapping[str, str], *, is_protected: bool
) -> None:
    listed = [{"Key": key, "Value": value} for key, value in tags.items()]
    snapshot = {"SnapshotId": "snap-1", "State": "completed", "Tags": listed}
    answer = {"ec2.describe_snapshots": {"Snapshots": [snapshot]}}
    save(tmp_path / "saved", "2026-10-05", answer)
    nights = land(tmp_path / "saved")
    (row,) = nights.rows("select is_protected, tags from staging.inventory")
    assert row == {"is_protected": is_protected, "tags": dict(tags)}
    policy = tags.get("aws:dlm:lifecycle-policy-id")
    kept = [(policy, "keeps", "snap-1")] if policy else []
    found = nights.rows("select resource_id, relation, related_id from staging.inventory_links")
    assert [tuple(row.values()) for row in found] == kept


def test_a_copied_snapshot_has_no_volume_and_a_public_image_is_everybodys(tmp_path: Path) -> None:
    answers = {
        "ec2.describe_snapshots": {
            "Snapshots": [{"SnapshotId": "snap-1", "VolumeId": "vol-ffffffff"}]
        },
        "ec2.describe_images": {"Images": [{"ImageId": "ami-1", "Public": True}]},
    }
    save(tmp_path / "saved", "2026-10-05", answers)
    found = land(tmp_path / "saved").rows(
        "select resource_id, relation, related_id from staging.inventory_links"
    )
    assert [tuple(row.values()) for row in found] == [("ami-1", "shared_with", "all")]


def test_of_two_sources_that_list_an_account_the_newer_counts(tmp_path: Path) -> None:
    save(tmp_path / "old", "2026-10-04", volume())
    save(tmp_path / "new", "2026-10-05", {})
    nights = land(tmp_path / "old", source="old")
    assert nights.ids("volume") == {"vol-1"}
    land(tmp_path / "new", nights, source="new")
    assert nights.ids("volume") == set()
    scopes = nights.rows("select distinct source from staging.inventory_scopes")
    assert scopes == [{"source": "new"}]


def test_a_region_that_is_looked_at_no_more_is_unknown(tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    save(saved, "2026-10-04", volume())
    save(saved, "2026-10-04", volume(), "eu-west-1")
    save(saved, "2026-10-05", volume())
    nights = land(saved)
    regions = nights.rows("select distinct region_id from staging.inventory_scopes")
    assert regions == [{"region_id": REGION}]
    assert len(nights.rows("select * from staging.inventory")) == 1


def test_buckets_are_in_their_own_regions_and_known_in_every_region(tmp_path: Path) -> None:
    answers = {
        "ec2.describe_regions": {"Regions": [{"RegionName": REGION}, {"RegionName": "eu-west-1"}]},
        "s3.list_buckets": {
            "Buckets": [{"Name": "east"}, {"Name": "west", "BucketRegion": "eu-west-1"}]
        },
        "s3.get_bucket_location": {
            "asked": {"Bucket": "east"},
            "answer": {"LocationConstraint": None},
        },
    }
    save(tmp_path / "saved", "2026-10-05", answers)
    nights = land(tmp_path / "saved")
    rows = nights.rows("select resource_id, region_id from staging.inventory order by all")
    assert [tuple(row.values()) for row in rows] == [("east", REGION), ("west", "eu-west-1")]
    scopes = nights.rows(
        "select region_id from staging.inventory_scopes where resource_type = 'bucket' order by all"
    )
    assert [row["region_id"] for row in scopes] == ["eu-west-1", REGION]


def test_zones_go_by_their_own_ids_because_names_differ_per_account(tmp_path: Path) -> None:
    zones = {"AvailabilityZones": [{"ZoneName": "us-east-1a", "ZoneId": "use1-az4"}]}
    answers = volume(AvailabilityZone="us-east-1a") | {"ec2.describe_availability_zones": zones}
    save(tmp_path / "saved", "2026-10-05", answers)
    (row,) = land(tmp_path / "saved").rows("select availability_zone_id from staging.inventory")
    assert row == {"availability_zone_id": "use1-az4"}
