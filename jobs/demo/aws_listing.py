"""What AWS's APIs answer about the company's accounts, saved on some days.

Each account has its own letters for the zones of a region, as real ones have; their ids are the
same everywhere. Buckets and regions are asked after once for all regions, of each account.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jobs.demo.catalog import BUCKETS
from jobs.demo.estate import gateway_id
from jobs.demo.fleet import EUROPE, SANDBOX, SERVING, TRAINING
from jobs.demo.world import DAY, EAST, HOUR, WEST, day_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jobs.demo.estate import Disk, Estate, Image, Snapshot, Stopped, Template
    from jobs.demo.world import Machine, World

Json = dict[str, Any]
Answers = dict[str, Json | list[Json]]

_HOMES: Final = {TRAINING: EAST, SERVING: EAST, EUROPE: WEST, SANDBOX: EAST}
"""Account -> the one region it works in."""
_CLUSTERS: Final = {TRAINING: "forge-use1", EUROPE: "forge-euw1"}
_ZONES: Final = {EAST: "use1", WEST: "euw1"}
_PLAN: Final = "5c1d7f2e-9a3b-4c8d-b6e0-1f2a3b4c5d6e"
_VAULT: Final = "forge-nightly"
_WEEKS: Final = 8
_TAG_KEYS: Final = {
    "aws_eks_cluster_name": "aws:eks:cluster-name",
    "aws_autoscaling_groupName": "aws:autoscaling:groupName",
}
"""Keys as the bill writes them -> as they are; those of users bear `user_` there."""


def write_listings(folder: Path, world: World, estate: Estate) -> None:
    """Save the answers of the last eight weeks, one day a week, and of the last two days."""
    for day in listed_days(world):
        for account, region in _HOMES.items():
            place = folder / day_of(day).isoformat() / account
            listing = _Listing(world, estate, account, region, day + 12 * HOUR)
            _save(place / region, listing.of_region())
            _save(place / "global", listing.of_account())


def listed_days(world: World) -> list[int]:
    """Return the days at whose noon the accounts were listed."""
    last = world.calendar.until - DAY
    days = {last - week * 7 * DAY for week in range(_WEEKS)} | {last - DAY}
    return [day for day in sorted(days) if day >= world.calendar.start]


def _save(folder: Path, answers: Answers) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for call, pages in answers.items():
        lines = pages if isinstance(pages, list) else [pages]
        text = "".join(f"{json.dumps(page)}\n" for page in lines)
        (folder / f"{call}.json").write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Listing:
    """What one account holds in its region at a time."""

    world: World
    estate: Estate
    account: str
    region: str
    at: int

    def of_region(self) -> Answers:
        """Return the answers of the region: call -> page, or pages of one thing each."""
        copies, images = self._copies(), self._mine(self.estate.images)
        return {
            "ec2.describe_availability_zones": {"AvailabilityZones": list(self._zones())},
            "ec2.describe_instances": {"Reservations": [{"Instances": list(self._machines())}]},
            "ec2.describe_volumes": {"Volumes": list(self._volumes())},
            "ec2.describe_snapshots": {"Snapshots": [_snapshot(copy) for copy in copies]},
            "ec2.describe_snapshot_attribute": [_sharing_of_snapshot(copy) for copy in copies],
            "ec2.describe_images": {"Images": [_image(image) for image in images]},
            "ec2.describe_image_attribute": [_sharing_of_image(image) for image in images],
            **self._templates(),
            **self._backups(),
            **self._network(),
        }

    def of_account(self) -> Answers:
        """Return what is asked once."""
        buckets = [
            {"Name": bucket, "BucketRegion": region, "CreationDate": _time(0)}
            for bucket, region in BUCKETS.items()
            if _HOMES[self.account] == region and self.account in (TRAINING, EUROPE)
        ]
        return {
            "ec2.describe_regions": {"Regions": [{"RegionName": region} for region in _ZONES]},
            "s3.list_buckets": {"Buckets": buckets},
            "s3.get_bucket_location": [],
        }

    def _mine(self, things: Sequence[Any]) -> list[Any]:
        return [
            thing
            for thing in things
            if (thing.account, thing.region) == (self.account, self.region)
            and thing.start <= self.at
        ]

    def _zone(self, letter: str) -> str:
        """Return the id of a zone that the account calls by a letter."""
        number = ("abc".index(letter) + int(self.account[-2:])) % 3 + 1
        return f"{_ZONES[self.region]}-az{number}"

    def _zones(self) -> Iterator[Json]:
        for letter in "abc":
            name = f"{self.region}{letter}"
            yield {"ZoneName": name, "ZoneId": self._zone(letter), "RegionName": self.region}

    def _machines(self) -> Iterator[Json]:
        for machine in self._mine(self.world.machines):
            if self.at < machine.end and machine.source == "aws":
                yield _machine(machine) | {"State": {"Name": "running"}}
        for stopped in self._mine(self.estate.stopped):
            reason = datetime.fromtimestamp(stopped.stopped, UTC).strftime("%Y-%m-%d %H:%M:%S")
            yield _machine(stopped) | {
                "State": {"Name": "stopped"},
                "StateTransitionReason": f"User initiated ({reason} GMT)",
            }

    def _volumes(self) -> Iterator[Json]:
        for disk in self._mine(self.estate.disks):
            if self.at < disk.end:
                yield _volume(disk, self.at)

    def _copies(self) -> list[Snapshot]:
        return self._mine(self.estate.snapshots)

    def _templates(self) -> Answers:
        templates = self._mine(self.estate.templates)
        return {
            "ec2.describe_launch_templates": {
                "LaunchTemplates": [
                    {
                        "LaunchTemplateId": one.template_id,
                        "LaunchTemplateName": one.name,
                        "CreateTime": _time(one.start),
                        "DefaultVersionNumber": 2,
                        "LatestVersionNumber": 2,
                    }
                    for one in templates
                ]
            },
            "ec2.describe_launch_template_versions": [
                {
                    "asked": {"LaunchTemplateId": one.template_id},
                    "answer": {"LaunchTemplateVersions": list(_versions(one))},
                }
                for one in templates
            ],
            "autoscaling.describe_launch_configurations": {"LaunchConfigurations": []},
        }

    def _backups(self) -> Answers:
        points = [
            {
                "RecoveryPointArn": f"arn:aws:ec2:{copy.region}::snapshot/{copy.snapshot_id}",
                "BackupVaultName": _VAULT,
                "ResourceArn": f"arn:aws:ec2:{copy.region}:{copy.account}:volume/{copy.volume_id}",
                "ResourceType": "EBS",
                "Status": "COMPLETED",
                "CreationDate": _time(copy.start),
                "CreatedBy": {"BackupPlanId": _PLAN},
            }
            for copy in self._copies()
            if copy.is_in_vault
        ]
        plans = [{"BackupPlanId": _PLAN, "BackupPlanName": "nightly", "CreationDate": _time(0)}]
        policies = sorted(
            {
                copy.tags["aws:dlm:lifecycle-policy-id"]
                for copy in self._copies()
                if "aws:dlm:lifecycle-policy-id" in copy.tags
            }
        )
        return {
            "backup.list_backup_plans": {"BackupPlansList": plans if points else []},
            "backup.list_backup_vaults": {
                "BackupVaultList": [{"BackupVaultName": _VAULT}] if points else []
            },
            "backup.list_recovery_points_by_backup_vault": [
                {"asked": {"BackupVaultName": _VAULT}, "answer": {"RecoveryPoints": points}}
            ]
            if points
            else [],
            "dlm.get_lifecycle_policies": {
                "Policies": [{"PolicyId": policy, "State": "ENABLED"} for policy in policies]
            },
        }

    def _network(self) -> Answers:
        balancers = self._mine(self.estate.balancers)
        groups = [one for one in balancers if one.pool]
        gateways = [
            {"NatGatewayId": gateway_id(cluster), "State": "available", "CreateTime": _time(0)}
            for account, cluster in _CLUSTERS.items()
            if account == self.account
        ]
        return {
            "ec2.describe_addresses": {
                "Addresses": [
                    {
                        "AllocationId": one.allocation_id,
                        "PublicIp": one.address,
                        "Domain": "vpc",
                        "Tags": _tags(one.tags),
                    }
                    | ({"InstanceId": one.machine_id} if one.machine_id else {})
                    for one in self._mine(self.estate.addresses)
                ]
            },
            "ec2.describe_nat_gateways": {"NatGateways": gateways},
            "elbv2.describe_load_balancers": {
                "LoadBalancers": [
                    {
                        "LoadBalancerArn": one.arn,
                        "LoadBalancerName": one.name,
                        "CreatedTime": _time(one.start),
                        "State": {"Code": "active"},
                        "Type": "application",
                    }
                    for one in balancers
                ]
            },
            "elbv2.describe_target_groups": {
                "TargetGroups": [
                    {"TargetGroupArn": f"{one.arn}/targets", "LoadBalancerArns": [one.arn]}
                    for one in groups
                ]
            },
            "elbv2.describe_target_health": [
                {
                    "asked": {"TargetGroupArn": f"{one.arn}/targets"},
                    "answer": {
                        "TargetHealthDescriptions": [
                            {"Target": {"Id": machine.machine_id}}
                            for machine in self._mine(self.world.machines)
                            if machine.pool == one.pool and self.at < machine.end
                        ]
                    },
                }
                for one in groups
            ],
            "elbv2.describe_tags": {
                "TagDescriptions": [
                    {"ResourceArn": one.arn, "Tags": _tags(one.tags)} for one in balancers
                ]
            },
            "elb.describe_load_balancers": {"LoadBalancerDescriptions": []},
            "elb.describe_tags": [],
        }


def _time(second: int) -> str:
    """Return a time as AWS writes it; that of the company's founding where none is told."""
    return datetime.fromtimestamp(second or 1_672_531_200, UTC).isoformat()


def _tags(tags: Mapping[str, str]) -> list[Json]:
    return [
        {"Key": _TAG_KEYS.get(key, key.removeprefix("user_")), "Value": value}
        for key, value in tags.items()
    ]


def _machine(machine: Machine | Stopped) -> Json:
    return {
        "InstanceId": machine.machine_id,
        "InstanceType": machine.kind.name,
        "ImageId": "ami-0f0d9e8c7b6a59483",
        "LaunchTime": _time(machine.start),
        "Placement": {"AvailabilityZone": machine.zone},
        "Tags": _tags(machine.tags),
    }


def _volume(disk: Disk, at: int) -> Json:
    is_attached = bool(disk.machine_id) and at < disk.detached
    attached = {
        "VolumeId": disk.volume_id,
        "InstanceId": disk.machine_id,
        "AttachTime": _time(disk.start),
        "State": "attached",
    }
    return {
        "VolumeId": disk.volume_id,
        "VolumeType": "gp3",
        "Size": disk.size_gb,
        "State": "in-use" if is_attached else "available",
        "CreateTime": _time(disk.start),
        "AvailabilityZone": disk.zone,
        "Attachments": [attached] if is_attached else [],
        "SnapshotId": "",
        "Tags": _tags(disk.tags),
    }


def _snapshot(copy: Snapshot) -> Json:
    return {
        "SnapshotId": copy.snapshot_id,
        "VolumeId": copy.volume_id,
        "VolumeSize": copy.volume_gb,
        "State": "completed",
        "StartTime": _time(copy.start),
        "OwnerId": copy.account,
        "Description": copy.name,
        "Tags": _tags(copy.tags),
    }


def _sharing_of_snapshot(copy: Snapshot) -> Json:
    others = [{"UserId": copy.shared_with}] if copy.shared_with else []
    answer = {"SnapshotId": copy.snapshot_id, "CreateVolumePermissions": others}
    return {"asked": {"SnapshotId": copy.snapshot_id}, "answer": answer}


def _image(image: Image) -> Json:
    return {
        "ImageId": image.image_id,
        "Name": image.name,
        "OwnerId": image.account,
        "State": image.state,
        "Public": False,
        "CreationDate": _time(image.start),
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": image.snapshot_id}}
        ],
    }


def _sharing_of_image(image: Image) -> Json:
    others = [{"UserId": image.shared_with}] if image.shared_with else []
    answer = {"ImageId": image.image_id, "LaunchPermissions": others}
    return {"asked": {"ImageId": image.image_id}, "answer": answer}


def _versions(template: Template) -> Iterator[Json]:
    """Yield both versions; the first, which is the default no more, names a snapshot."""
    cache = {"DeviceName": "/dev/sdf", "Ebs": {"SnapshotId": template.snapshot_id}}
    for number, disks in ((1, [cache]), (2, [])):
        yield {
            "LaunchTemplateId": template.template_id,
            "LaunchTemplateName": template.name,
            "VersionNumber": number,
            "DefaultVersion": number == 2,  # noqa: PLR2004 - the newer one
            "CreateTime": _time(template.start),
            "LaunchTemplateData": {"ImageId": template.image_id, "BlockDeviceMappings": disks},
        }
