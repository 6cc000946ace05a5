"""What an AWS inventory asks: every call with its largest page and the permission it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of the API, asked of every region or of one of them."""

    service: str
    """As boto3 calls it: ec2, elbv2."""
    operation: str
    """As boto3 calls it: describe_volumes."""
    resource_type: str
    """What it tells of: a resource type of staging.inventory, or region."""
    params: Mapping[str, Any] = field(default_factory=dict)
    most: int = 0
    """The largest page that AWS gives; 0 where it gives all at once."""
    of: tuple[str, str, str] | None = None
    """Ask once per thing that another call listed: that call's name, the list, the id in it."""
    param: str = ""
    """What takes the id."""
    unless: str = ""
    """Things that were listed with this field need not be asked about."""
    batch: int = 0
    """How many ids it takes at once; 0: one, not in a list."""
    is_global: bool = False
    """Whether it tells of all regions, so that it is asked once."""
    grant: str = ""
    """The permission, where it is not called like the operation."""

    @property
    def name(self) -> str:
        """The stem of its saved answers: `ec2.describe_volumes`."""
        return f"{self.service}.{self.operation}"

    @property
    def permission(self) -> str:
        """What IAM calls it: `ec2:DescribeVolumes`."""
        prefix = "elasticloadbalancing" if self.service.startswith("elb") else self.service
        camel = "".join(word.capitalize() for word in self.operation.split("_"))
        return self.grant or f"{prefix}:{camel}"


REGIONS: Final = Call("ec2", "describe_regions", "region", is_global=True)
CALLS: Final[tuple[Call, ...]] = (
    Call("ec2", "describe_availability_zones", "region"),
    Call("ec2", "describe_instances", "instance", most=1000),
    Call("ec2", "describe_volumes", "volume", most=500),
    Call("ec2", "describe_snapshots", "snapshot", {"OwnerIds": ["self"]}, most=1000),
    Call(
        "ec2",
        "describe_snapshot_attribute",
        "snapshot",
        {"Attribute": "createVolumePermission"},
        of=("ec2.describe_snapshots", "Snapshots", "SnapshotId"),
        param="SnapshotId",
    ),
    Call(
        "ec2",
        "describe_images",
        "image",
        {"Owners": ["self"], "IncludeDeprecated": True, "IncludeDisabled": True},
        most=1000,
    ),
    Call(
        "ec2",
        "describe_image_attribute",
        "image",
        {"Attribute": "launchPermission"},
        of=("ec2.describe_images", "Images", "ImageId"),
        param="ImageId",
    ),
    Call("ec2", "describe_launch_templates", "launch_template", most=200),
    Call(
        "ec2",
        "describe_launch_template_versions",
        "launch_template",
        most=200,
        of=("ec2.describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
        param="LaunchTemplateId",
    ),
    Call("autoscaling", "describe_launch_configurations", "launch_template", most=100),
    Call("backup", "list_backup_plans", "backup_plan", most=1000),
    Call("backup", "list_backup_vaults", "backup_plan", most=1000),
    Call(
        "backup",
        "list_recovery_points_by_backup_vault",
        "backup_plan",
        most=1000,
        of=("backup.list_backup_vaults", "BackupVaultList", "BackupVaultName"),
        param="BackupVaultName",
    ),
    Call("dlm", "get_lifecycle_policies", "backup_plan"),
    Call("ec2", "describe_addresses", "address"),
    Call("elbv2", "describe_load_balancers", "load_balancer", most=400),
    Call("elbv2", "describe_target_groups", "load_balancer", most=400),
    Call(
        "elbv2",
        "describe_target_health",
        "load_balancer",
        of=("elbv2.describe_target_groups", "TargetGroups", "TargetGroupArn"),
        param="TargetGroupArn",
    ),
    Call(
        "elbv2",
        "describe_tags",
        "load_balancer",
        of=("elbv2.describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
        param="ResourceArns",
        batch=20,
    ),
    Call("elb", "describe_load_balancers", "load_balancer", most=400),
    Call(
        "elb",
        "describe_tags",
        "load_balancer",
        of=("elb.describe_load_balancers", "LoadBalancerDescriptions", "LoadBalancerName"),
        param="LoadBalancerNames",
        batch=20,
    ),
    Call("ec2", "describe_nat_gateways", "nat_gateway", most=1000),
    Call("s3", "list_buckets", "bucket", most=1000, is_global=True, grant="s3:ListAllMyBuckets"),
    Call(
        "s3",
        "get_bucket_location",
        "bucket",
        of=("s3.list_buckets", "Buckets", "Name"),
        unless="BucketRegion",
        param="Bucket",
        is_global=True,
    ),
)
"""Each after the call that it asks more about."""
KINDS: Final = tuple(dict.fromkeys(call.resource_type for call in CALLS))
"""What an inventory can tell of."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What AWS said to one request."""

    call: Call
    region_id: str
    """Empty where it tells of all regions."""
    asked: Mapping[str, Any]
    """The id that was asked about, for a call about one thing."""
    page: Json | None
    """The answer; none where the call was refused, or had nothing to ask about."""
    error: str = ""
    """AWS's code of the refusal."""
    said: str = ""
    """AWS's words of the refusal."""
