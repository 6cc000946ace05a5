"""What an Azure inventory asks: every list with its version and the right that it needs.

Resource Manager's own lists are asked and not Resource Graph, because Graph leaves out in silence
what the identity may not read: an empty list of it is no proof that there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Call:
    """A list of Resource Manager, asked of a subscription or of each thing of another list."""

    name: str
    """The stem of its saved answers: `compute.disks`."""
    resource_type: str
    """What it tells of: a resource type of staging.inventory, or what dates or places them."""
    path: str
    """Below the subscription, or below the thing."""
    version: str
    """Of the API."""
    params: Mapping[str, str] = field(default_factory=dict)
    of: str = ""
    """Ask once per thing that this call listed."""
    unless: tuple[str, str] = ("", "")
    """Things with this property of this value need not be asked about."""
    rights: tuple[str, ...] = ()
    """What a role must allow, in the words of Azure."""


_COMPUTE = "providers/Microsoft.Compute"
_NETWORK = "providers/Microsoft.Network"
_BACKUP = "providers/Microsoft.DataProtection"
_DATED = ("publicIPAddresses", "loadBalancers", "applicationGateways", "natGateways")

SUBSCRIPTIONS: Final = Call(
    "subscriptions",
    "subscription",
    "subscriptions",
    "2022-12-01",
    rights=("Microsoft.Resources/subscriptions/read",),
)


def _list(name: str, kind: str, provider: str, version: str) -> Call:
    """Return the call that lists all things of a type in a subscription."""
    path = f"{provider}/{name.rpartition('.')[2]}"
    return Call(name, kind, path, version, rights=(f"{path.removeprefix('providers/')}/read",))


CALLS: Final[tuple[Call, ...]] = (
    _list("compute.virtualMachines", "instance", _COMPUTE, "2024-11-01"),
    Call(
        "compute.virtualMachines.status",
        "instance",
        f"{_COMPUTE}/virtualMachines",
        "2024-11-01",
        {"statusOnly": "true"},
        rights=(
            "Microsoft.Compute/virtualMachines/read",
            "Microsoft.Compute/virtualMachines/instanceView/read",
        ),
    ),
    _list("compute.virtualMachineScaleSets", "launch_template", _COMPUTE, "2024-11-01"),
    Call(
        "compute.virtualMachineScaleSets.virtualMachines",
        "instance",
        "virtualMachines",
        "2024-11-01",
        {"$expand": "instanceView"},
        of="compute.virtualMachineScaleSets",
        unless=("orchestrationMode", "Flexible"),  # those are listed as machines
        rights=(
            "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
            "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/instanceView/read",
        ),
    ),
    _list("compute.disks", "volume", _COMPUTE, "2024-03-02"),
    _list("compute.snapshots", "snapshot", _COMPUTE, "2024-03-02"),
    _list("compute.images", "image", _COMPUTE, "2024-11-01"),
    _list("compute.galleries", "image", _COMPUTE, "2024-03-03"),
    Call(
        "compute.galleries.images",
        "image",
        "images",
        "2024-03-03",
        of="compute.galleries",
        rights=("Microsoft.Compute/galleries/images/read",),
    ),
    Call(
        "compute.galleries.images.versions",
        "image",
        "versions",
        "2024-03-03",
        of="compute.galleries.images",
        rights=("Microsoft.Compute/galleries/images/versions/read",),
    ),
    _list("dataProtection.backupVaults", "backup_plan", _BACKUP, "2024-04-01"),
    Call(
        "dataProtection.backupInstances",
        "backup_plan",
        "backupInstances",
        "2024-04-01",
        of="dataProtection.backupVaults",
        rights=("Microsoft.DataProtection/backupVaults/backupInstances/read",),
    ),
    _list("network.publicIPAddresses", "address", _NETWORK, "2024-05-01"),
    _list("network.loadBalancers", "load_balancer", _NETWORK, "2024-05-01"),
    _list("network.applicationGateways", "load_balancer", _NETWORK, "2024-05-01"),
    _list("network.natGateways", "nat_gateway", _NETWORK, "2024-05-01"),
    Call(
        "resources",  # the lists of the network do not say when a thing was made
        "date",
        "resources",
        "2021-04-01",
        {
            "$expand": "createdTime",
            "$filter": " or ".join(
                f"resourceType eq 'Microsoft.Network/{name}'" for name in _DATED
            ),
        },
        rights=("Microsoft.Resources/subscriptions/resources/read",),
    ),
    _list("storage.storageAccounts", "bucket", "providers/Microsoft.Storage", "2023-05-01"),
)
"""Each after the call that it asks more about."""
KINDS: Final = tuple(dict.fromkeys(call.resource_type for call in CALLS))
"""What an inventory can tell of."""
