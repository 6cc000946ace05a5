"""The AWS inventory against a real server: things are made there, and read back through a build."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3  # type: ignore[import-untyped]  # noqa: TID251 - it makes the things
import pytest

from connectors.aws_inventory import AwsInventory
from connectors.base import SourceError
from connectors.tally import counting
from jobs.config import read_config
from jobs.extracting import extract
from jobs.inputs import build_input
from jobs.night import open_night
from jobs.progress import PlainProgress
from queries.build import build
from tests.queries.inventories import Nights
from tests.servers.aws_front import Front, fronting
from tests.servers.moto import demand_rights, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers
POLICY = Path(__file__).parents[2] / "cron" / "aws-inventory-policy.json"
REGION = "us-east-1"
ACCOUNT = "123456789012"
OTHER = "210987654321"
NEVER = 10**9


@dataclass
class World:
    """What was made in the account."""

    server: str
    front: Front
    ids: dict[str, str]

    def client(self, service: str, region: str = REGION) -> Any:
        return boto3.session.Session().client(service, region_name=region, endpoint_url=self.server)

    def source(self, **settings: Any) -> AwsInventory:
        given = {"regions": (REGION, "eu-west-1"), **settings}
        return AwsInventory(endpoint_url=self.front.address, **given)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An account with things in it; tests add what they take away."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "canary-key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        with s3_server(tmp_path_factory.mktemp("moto")) as server, fronting(server) as front:
            found = World(server, front, {})
            _make_disks(found)
            _make_images(found)
            _make_network(found)
            _make_backups(found)
            yield found


@pytest.fixture
def world(made: World) -> Iterator[World]:
    """Yield the account; everybody may do everything there, and nobody is made to wait."""
    front = made.front
    kept = dict(front.answers)
    yield made
    front.answers = kept
    front.throttled.clear()
    front.calls.clear()
    front.sizes.clear()
    demand_rights(made.server, NEVER)


def _make_disks(world: World) -> None:
    ec2, ids = world.client("ec2"), world.ids
    zone = f"{REGION}a"
    run = ec2.run_instances(
        ImageId="ami-12c6146b", MinCount=2, MaxCount=2, InstanceType="p4d.24xlarge"
    )
    ids["machine"], ids["stopped"] = (one["InstanceId"] for one in run["Instances"])
    ec2.stop_instances(InstanceIds=[ids["stopped"]])
    for name in ("loose", "gone", "source"):
        tags = [{"Key": "Name", "Value": name}, {"Key": "team", "Value": "vision"}]
        spec = {"ResourceType": "volume", "Tags": tags}
        made = ec2.create_volume(Size=100, AvailabilityZone=zone, TagSpecifications=[spec])
        ids[name] = made["VolumeId"]
    for name, volume in (
        ("orphan", "gone"),
        ("shared", "gone"),
        ("kept", "gone"),
        ("live", "source"),
    ):
        ids[name] = ec2.create_snapshot(VolumeId=ids[volume], Description=name)["SnapshotId"]
    ec2.modify_snapshot_attribute(
        SnapshotId=ids["shared"],
        Attribute="createVolumePermission",
        OperationType="add",
        UserIds=[OTHER],
    )
    ec2.delete_volume(VolumeId=ids["gone"])
    restored = ec2.create_volume(SnapshotId=ids["live"], AvailabilityZone=zone, Size=100)
    ids["restored"] = restored["VolumeId"]


def _make_images(world: World) -> None:
    ec2, ids = world.client("ec2"), world.ids
    for name in ("image", "disabled image", "lent image"):
        made = ec2.create_image(InstanceId=ids["machine"], Name=name)["ImageId"]
        ids[name] = made
        (image,) = ec2.describe_images(ImageIds=[made])["Images"]
        ids[f"{name}'s snapshot"] = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.disable_image(ImageId=ids["disabled image"])
    ec2.modify_image_attribute(
        ImageId=ids["lent image"], LaunchPermission={"Add": [{"UserId": OTHER}]}
    )
    template = ec2.create_launch_template(
        LaunchTemplateName="train",
        LaunchTemplateData={"ImageId": ids["image"], "BlockDeviceMappings": []},
    )["LaunchTemplate"]["LaunchTemplateId"]
    ec2.create_launch_template_version(
        LaunchTemplateId=template,
        LaunchTemplateData={
            "ImageId": "ami-elsewhere",
            "BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": ids["live"]}}],
        },
    )
    ids["template"] = template


def _make_network(world: World) -> None:
    ec2, ids = world.client("ec2"), world.ids
    ids["address"] = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ids["used address"] = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=ids["used address"], InstanceId=ids["machine"])
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
    vpc = ec2.describe_subnets()["Subnets"][0]["VpcId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], ConnectivityType="private")
    ids["nat"] = nat["NatGateway"]["NatGatewayId"]
    elb = world.client("elbv2")
    made = elb.create_load_balancer(Name="predict", Subnets=subnets)["LoadBalancers"][0]
    ids["balancer"] = made["LoadBalancerArn"]
    elb.add_tags(ResourceArns=[ids["balancer"]], Tags=[{"Key": "team", "Value": "serving"}])
    group = elb.create_target_group(Name="gpus", Protocol="HTTP", Port=80, VpcId=vpc)
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": ids["machine"]}])
    elb.create_listener(
        LoadBalancerArn=ids["balancer"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )
    classic = world.client("elb")
    listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 80}
    classic.create_load_balancer(
        LoadBalancerName="old", Listeners=[listener], AvailabilityZones=[f"{REGION}a"]
    )
    ids["classic"] = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/old"
    s3 = world.client("s3")
    s3.create_bucket(Bucket="acme-east")
    s3.create_bucket(
        Bucket="acme-west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )


def _make_backups(world: World) -> None:
    backup = world.client("backup")
    backup.create_backup_vault(BackupVaultName="nightly")
    rule = {"RuleName": "daily", "TargetBackupVaultName": "nightly"}
    plan = {"BackupPlanName": "disks", "Rules": [rule]}
    world.ids["plan"] = backup.create_backup_plan(BackupPlan=plan)["BackupPlanId"]
    # what moto has not: answers as the API reference shows them
    policy = {"PolicyId": "policy-0a1", "State": "ENABLED", "PolicyType": "EBS_SNAPSHOT_MANAGEMENT"}
    world.front.answers["dlm:/policies"] = {"Policies": [policy]}
    world.front.answers["backup:/backup-vaults/nightly/recovery-points/"] = {
        "RecoveryPoints": [
            {
                "RecoveryPointArn": f"arn:aws:ec2:{REGION}::snapshot/{world.ids['kept']}",
                "BackupVaultName": "nightly",
                "ResourceType": "EBS",
                "Status": "COMPLETED",
                "CreatedBy": {"BackupPlanId": world.ids["plan"]},
            }
        ]
    }


def test_what_was_made_is_read_back_through_a_night(world: World, tmp_path: Path) -> None:
    """Everything there is, in its state, with what it refers to, by way of the config file."""
    path = tmp_path / "mlspend.toml"
    path.write_text(
        f'[connectors.aws_inventory]\nendpoint_url = "{world.front.address}"\n'
        f'regions = ["{REGION}", "eu-west-1"]\n'
    )
    config = read_config(path)
    with (
        (tmp_path / "log").open("w") as log,
        open_night(config, PlainProgress(log), "extract") as night,
    ):
        extract(night)
        assert night.problems == []
        counted = night.store.counted({"aws_inventory"}, [("aws_inventory", "answers")])
        built = build(build_input(config, night.store, counted))
    assert built is not None
    found = {
        row[0]: row[1:]
        for row in built.con.execute(
            "select resource_id, resource_type, state, region_id, sub_account_id "
            "from staging.inventory"
        ).fetchall()
    }
    links = set(
        built.con.execute(
            "select resource_id, relation, related_id from staging.inventory_links"
        ).fetchall()
    )
    built.con.close()
    ids, here = world.ids, (REGION, ACCOUNT)
    assert {name: found[ids[name]] for name in ids if name not in ("gone", "source")} == {
        "machine": ("instance", "running", *here),
        "stopped": ("instance", "deallocated", *here),
        "loose": ("volume", "unattached", *here),
        "restored": ("volume", "unattached", *here),
        "orphan": ("snapshot", "available", *here),
        "shared": ("snapshot", "available", *here),
        "kept": ("snapshot", "available", *here),
        "live": ("snapshot", "available", *here),
        "image": ("image", "available", *here),
        "image's snapshot": ("snapshot", "available", *here),
        "disabled image": ("image", "disabled", *here),
        "disabled image's snapshot": ("snapshot", "available", *here),
        "lent image": ("image", "available", *here),
        "lent image's snapshot": ("snapshot", "available", *here),
        "template": ("launch_template", "available", *here),
        "plan": ("backup_plan", "available", *here),
        "address": ("address", "unattached", *here),
        "used address": ("address", "in_use", *here),
        "nat": ("nat_gateway", "available", *here),
        "balancer": ("load_balancer", "available", *here),
        "classic": ("load_balancer", "available", *here),
    }
    assert found["acme-east"] == ("bucket", "available", REGION, ACCOUNT)
    assert found["acme-west"] == ("bucket", "available", "eu-west-1", ACCOUNT)
    assert found["policy-0a1"][:2] == ("backup_plan", "available")
    assert ids["gone"] not in found
    assert {
        (ids["orphan"], "made_from", ids["gone"]),
        (ids["shared"], "shared_with", OTHER),
        (ids["restored"], "made_from", ids["live"]),
        (ids["disabled image"], "maps", ids["disabled image's snapshot"]),
        (ids["lent image"], "shared_with", OTHER),
        (ids["lent image"], "maps", ids["lent image's snapshot"]),
        (ids["template"], "maps", ids["image"]),  # by its first version
        (ids["template"], "maps", ids["live"]),  # by its second
        (ids["plan"], "keeps", ids["kept"]),
        (ids["used address"], "attached_to", ids["machine"]),
        (ids["balancer"], "backend", ids["machine"]),
    } <= links
    assert not [link for link in links if link[2] == ids["orphan"]]
    assert not [link for link in links if link[0] in (ids["classic"], ids["address"])]


def test_tags_zones_times_and_protection_are_read(world: World, tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    nights.land(world.source().deliveries(nights))
    rows = {
        row["resource_id"]: row
        for row in nights.rows("select * from staging.inventory where resource_type <> 'bucket'")
    }
    ids = world.ids
    assert rows[ids["loose"]]["tags"] == {"Name": "loose", "team": "vision"}
    assert rows[ids["loose"]]["resource_name"] == "loose"
    assert rows[ids["loose"]]["availability_zone_id"] == "use1-az6"  # moto's for us-east-1a
    assert rows[ids["balancer"]]["tags"] == {"team": "serving"}
    assert rows[ids["machine"]]["instance_type"] == "p4d.24xlarge"
    assert rows[ids["kept"]]["is_protected"]
    assert not rows[ids["orphan"]]["is_protected"]
    now = datetime.now(UTC).replace(tzinfo=None)
    for name in ("stopped", "orphan", "machine"):
        assert now - timedelta(minutes=10) < rows[ids[name]]["state_since"] <= now


def test_a_thing_that_is_listed_no_more_is_gone(world: World, tmp_path: Path) -> None:
    nights, now = Nights(tmp_path), datetime.now(UTC)
    ec2 = world.client("ec2")
    short = ec2.create_snapshot(VolumeId=world.ids["source"])["SnapshotId"]
    nights.land(world.source().deliveries_at(nights, now - timedelta(days=1)))
    assert short in nights.ids("snapshot")
    ec2.delete_snapshot(SnapshotId=short)
    nights.land(world.source().deliveries_at(nights, now))
    assert short not in nights.ids("snapshot")
    assert world.ids["kept"] in nights.ids("snapshot")


def test_nothing_is_delivered_again_on_a_day_on_which_nothing_changed(
    world: World, tmp_path: Path
) -> None:
    nights, at = Nights(tmp_path), datetime(2026, 11, 20, 2, tzinfo=UTC)
    assert nights.land(world.source().deliveries_at(nights, at)) == 1
    later = at + timedelta(hours=3)
    assert nights.land(world.source().deliveries_at(nights, later)) == 0
    assert nights.land(world.source().deliveries_at(nights, at + timedelta(days=1))) == 1


def test_every_region_that_is_enabled_is_looked_at(world: World, tmp_path: Path) -> None:
    far = world.client("ec2", "ap-northeast-1")
    volume = far.create_volume(Size=1, AvailabilityZone="ap-northeast-1a")["VolumeId"]
    nights = Nights(tmp_path)
    kinds = ("backup_plan", "load_balancer", "launch_template", "image", "nat_gateway", "bucket")
    nights.land(world.source(regions=("all",), without=kinds).deliveries(nights))
    regions = {region["RegionName"] for region in world.client("ec2").describe_regions()["Regions"]}
    scopes = nights.rows("select region_id, resource_type from staging.inventory_scopes")
    assert {row["region_id"] for row in scopes} == regions
    kinds_seen = {row["resource_type"] for row in scopes}
    assert kinds_seen == {"instance", "volume", "snapshot", "address"}
    assert volume in nights.ids("volume", "region_id = 'ap-northeast-1'")


def test_small_pages_list_the_same(world: World, tmp_path: Path) -> None:
    """Pages of five, with ten machines in the account, against pages of 500.

    Machines alone: moto cuts launch templates off after a page, and gives the others whole.
    """
    ec2 = world.client("ec2")
    for _ in range(8):
        ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)
    found = []
    for size in (5, 500):
        world.front.calls.clear()
        world.front.sizes.clear()
        folder = tmp_path / str(size)
        folder.mkdir()
        nights = Nights(folder)
        nights.land(world.source(page_size=size, regions=(REGION,)).deliveries(nights))
        found.append(nights.ids("instance"))
        pages = world.front.calls["ec2:DescribeInstances"]
        assert pages > 1 if size == 5 else pages == 1
        assert world.front.sizes["ec2:DescribeInstances"] == {str(size)}
        assert world.front.sizes["ec2:DescribeLaunchTemplates"] == {str(min(size, 200))}
    assert found[0] == found[1]
    assert len(found[0]) == 10


def test_calls_that_are_too_many_are_made_again(world: World, tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    world.front.throttled |= {"ec2:DescribeVolumes": 2, "ec2:DescribeSnapshotAttribute": 3}
    before = world.front.calls.total()
    with counting() as tally:
        nights.land(world.source(regions=(REGION,)).deliveries(nights))
    assert world.ids["loose"] in nights.ids("volume")
    assert world.front.calls["ec2:DescribeVolumes"] == 3
    assert tally.requests == world.front.calls.total() - before, "in threads, and made again"


def _become(name: str, world: World, actions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Become a user who may do some things and nothing else.

    The front answers for AWS Backup: moto does not accept boto3's signature of its paths.
    """
    world.front.answers["backup:/backup/plans/"] = {"BackupPlansList": []}
    world.front.answers["backup:/backup-vaults/"] = {"BackupVaultList": []}
    iam = world.client("iam")
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=name, PolicyName="inventory", PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    demand_rights(world.server, 0)


def _shipped() -> list[str]:
    (statement,) = json.loads(POLICY.read_text(encoding="utf-8"))["Statement"]
    actions: list[str] = statement["Action"]
    return actions


def test_the_shipped_policy_is_enough(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _become("granted", world, _shipped(), monkeypatch)
    nights = Nights(tmp_path)
    nights.land(world.source(regions=(REGION,)).deliveries(nights))
    scopes = nights.rows(
        f"select resource_type from staging.inventory_scopes where region_id = '{REGION}'"
    )
    assert {row["resource_type"] for row in scopes} == {
        *("instance", "volume", "snapshot", "image", "launch_template", "backup_plan"),
        *("address", "load_balancer", "nat_gateway", "bucket"),
    }


def test_a_kind_that_may_not_be_listed_is_unknown_and_the_rest_goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images may be listed, but not whom they are shared with: they are there, and not whole."""
    nights, now = Nights(tmp_path), datetime.now(UTC)
    nights.land(world.source().deliveries_at(nights, now - timedelta(days=1)))
    refused = {"ec2:DescribeImageAttribute", "ec2:DescribeVolumes"}
    _become("refused", world, sorted(set(_shipped()) - refused), monkeypatch)
    with pytest.raises(SourceError, match="unknown, because AWS refused: volume, image") as error:
        nights.land(world.source().deliveries_at(nights, now))
    (_, fix) = error.value.__notes__
    assert "grant ec2:DescribeVolumes" in fix
    assert "grant ec2:DescribeImageAttribute" in fix
    assert 'without = ["volume", "image"]' in fix
    scopes = nights.rows(
        f"select resource_type from staging.inventory_scopes where region_id = '{REGION}'"
    )
    known = {row["resource_type"] for row in scopes}
    assert not known & {"volume", "image"}
    assert {"instance", "snapshot", "launch_template"} <= known
    assert nights.ids("volume") == set()  # what yesterday listed is not taken for today's
    assert world.ids["image"] in nights.ids("image")


def test_a_role_is_assumed(world: World, tmp_path: Path) -> None:
    role = f"arn:aws:iam::{OTHER}:role/mlspend"
    far = world.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    there = boto3.session.Session().client(
        "ec2",
        region_name=REGION,
        endpoint_url=world.server,
        aws_access_key_id=far["AccessKeyId"],
        aws_secret_access_key=far["SecretAccessKey"],
        aws_session_token=far["SessionToken"],
    )
    volume = there.create_volume(Size=1, AvailabilityZone=f"{REGION}a")["VolumeId"]
    nights = Nights(tmp_path)
    nights.land(world.source(role_arn=role, regions=(REGION,)).deliveries(nights))
    assert nights.ids("volume", f"sub_account_id = '{OTHER}'") == {volume}
    assert world.ids["loose"] not in nights.ids("volume")


def test_without_credentials_the_reader_is_told_how_to_give_some(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(SourceError, match="does not accept the credentials") as error:
        Nights(tmp_path).land(world.source().deliveries(Nights(tmp_path)))
    assert "AWS_PROFILE" in " ".join(error.value.__notes__)
