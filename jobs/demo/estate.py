"""What can stand in the company's AWS accounts beside its machines: disks, snapshots, images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.demo.world import MachineType

EVER: Final = 2**62


@dataclass(slots=True)
class Disk:
    """A volume."""

    volume_id: str
    account: str
    region: str
    zone: str
    size_gb: int
    start: int
    end: int
    tags: Mapping[str, str]
    machine_id: str = ""
    """What it is attached to."""
    detached: int = EVER
    """When it was taken from there."""
    name: str = ""


@dataclass(slots=True)
class Snapshot:
    """A copy of a volume; `size_gb` is what is billed of it."""

    snapshot_id: str
    account: str
    region: str
    volume_id: str
    size_gb: int
    volume_gb: int
    start: int
    tags: Mapping[str, str]
    name: str = ""
    shared_with: str = ""
    is_in_vault: bool = False


@dataclass(slots=True)
class Image:
    """A machine image."""

    image_id: str
    name: str
    account: str
    region: str
    snapshot_id: str
    start: int
    state: str = "available"
    shared_with: str = ""


@dataclass(slots=True)
class Template:
    """A launch template of two versions; the older one names a snapshot."""

    template_id: str
    name: str
    account: str
    region: str
    image_id: str
    snapshot_id: str
    start: int


@dataclass(slots=True)
class Address:
    """An address of the internet."""

    allocation_id: str
    address: str
    account: str
    region: str
    start: int
    tags: Mapping[str, str]
    machine_id: str = ""


@dataclass(slots=True)
class Balancer:
    """A load balancer; the target is a pool of machines, if any."""

    name: str
    code: str
    account: str
    region: str
    start: int
    tags: Mapping[str, str]
    pool: str = ""

    @property
    def arn(self) -> str:
        """As the bill names it."""
        place = f"{self.region}:{self.account}"
        return f"arn:aws:elasticloadbalancing:{place}:loadbalancer/app/{self.name}/{self.code}"


@dataclass(slots=True)
class Stopped:
    """A machine that was stopped and kept."""

    machine_id: str
    kind: MachineType
    account: str
    region: str
    zone: str
    start: int
    stopped: int
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """A thing that is waste, or that looks like it; `billed_as` are the things that its cost is."""

    kind: str
    """orphaned_snapshot, unattached_volume, unattached_address, idle_balancer, stopped_machine."""
    resource_id: str
    is_waste: bool
    why: str
    billed_as: tuple[str, ...]


def gateway_id(cluster: str) -> str:
    """Return the id of a cluster's NAT gateway."""
    return f"nat-0{cluster[-4:]}a1c3d5e7f9"


@dataclass(slots=True)
class Estate:
    """All of it."""

    disks: list[Disk] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    balancers: list[Balancer] = field(default_factory=list)
    stopped: list[Stopped] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
