"""A subscription of Azure and an organization of Google, as their own lists describe them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
BELOW = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{BELOW}/resourceGroups/RG-ML/providers"
COMPUTE = f"{GROUP}/Microsoft.Compute"
NETWORK = f"{GROUP}/Microsoft.Network"
LISTS = f"{BELOW}/providers"
VAULT = f"{GROUP}/Microsoft.DataProtection/backupVaults/vault"


def thing(path: str, properties: Json | None = None, **more: Any) -> Json:
    """Return a thing of Azure as its list describes it."""
    facts = {"provisioningState": "Succeeded", **(properties or {})}
    return {
        "id": path,
        "name": path.rpartition("/")[2],
        "location": "eastus",
        "properties": facts,
        **more,
    }


def machine(name: str, power: str = "", time: str = "2026-09-05T07:00:00+00:00") -> list[Json]:
    """Return a machine twice: its description, and its state."""
    path = f"{COMPUTE}/virtualMachines/{name}"
    cards = [{"id": f"{NETWORK}/networkInterfaces/{name}-nic"}]
    described = thing(
        path,
        {
            "hardwareProfile": {"vmSize": "Standard_NC24ads_A100_v4"},
            "networkProfile": {"networkInterfaces": cards},
            "storageProfile": {"imageReference": {"id": f"{COMPUTE}/images/golden"}},
            "timeCreated": "2026-06-01T10:00:00.1234567+00:00",
        },
        tags={"team": "vision"},
    )
    statuses = [{"code": "ProvisioningState/succeeded", "level": "Info", "time": time}]
    statuses += [{"code": f"PowerState/{power}", "level": "Info"}] if power else []
    return [described, thing(path, {"instanceView": {"statuses": statuses}})]


def disk(name: str, state: str = "Unattached", **more: Any) -> Json:
    """Return a disk."""
    created = {"timeCreated": "2026-06-01T10:00:00.0000000+00:00", "diskSizeGB": 512}
    facts = {
        "diskState": state,
        "LastOwnershipUpdateTime": "2026-09-01T08:00:00.0000000+00:00",
        "creationData": {"createOption": "Empty"},
        **created,
        **more.pop("properties", {}),
    }
    place = more.pop("path", f"{COMPUTE}/disks/{name}")
    return thing(place, facts, sku={"name": "Premium_LRS"}, **more)


def snapshot(name: str, of: str, group: str = "RG-ML", **more: Any) -> Json:
    """Return a snapshot of a disk."""
    path = f"{BELOW}/resourceGroups/{group}/providers/Microsoft.Compute/snapshots/{name}"
    source = {"createOption": "Copy", "sourceResourceId": of}
    facts = {"timeCreated": "2026-06-02T00:00:00+00:00", "diskSizeGB": 100, "creationData": source}
    return thing(path, facts, **more)


def azure() -> dict[str, list[Json]]:
    """Return path of a list, in lower case -> what it lists."""
    machines = [
        machine("Trainer-1", "running"),
        machine("Forgotten", "stopped"),
        machine("Parked", "deallocated"),
        machine("Unseen"),
    ]
    front = f"{NETWORK}/loadBalancers/lb-1/frontendIPConfigurations/f"
    scale = f"{COMPUTE}/virtualMachineScaleSets/workers"
    gone = f"{COMPUTE}/disks/long-gone"
    lists: dict[str, list[Json]] = {
        "/subscriptions": [{"subscriptionId": SUBSCRIPTION.upper(), "state": "Enabled"}],
        f"{LISTS}/Microsoft.Compute/virtualMachines": [each[0] for each in machines],
        f"{LISTS}/Microsoft.Compute/virtualMachines?statusOnly": [each[1] for each in machines],
        f"{LISTS}/Microsoft.Compute/virtualMachineScaleSets": [
            thing(scale, {"orchestrationMode": "Uniform"}),
            thing(f"{COMPUTE}/virtualMachineScaleSets/flex", {"orchestrationMode": "Flexible"}),
        ],
        f"{scale}/virtualMachines": [
            thing(
                f"{scale}/virtualMachines/0",
                {"instanceView": {"statuses": [{"code": "PowerState/running"}]}},
                sku={"name": "Standard_ND96asr_v4"},
            )
            | {"name": "workers_0"}
        ],
        f"{LISTS}/Microsoft.Compute/disks": [
            disk("Loose"),
            disk("Held", "Attached", managedBy=f"{COMPUTE}/virtualMachines/Trainer-1"),
            disk("Kept", "Reserved", managedBy=f"{COMPUTE}/virtualMachines/Parked"),
            disk("Fetched", "ActiveSAS"),
            disk("db01-ASRReplica"),
            disk("replica", tags={"ASR-ReplicaDisk": "x"}),
            disk("workers_0_os", "Attached", managedBy=f"{scale}/virtualMachines/0"),
            disk("Twin"),
            disk("Twin", "Attached", path=f"{COMPUTE}/disks/Twin".replace("RG-ML", "other")),
        ],
        f"{LISTS}/Microsoft.Compute/snapshots": [
            snapshot("old", gone),
            snapshot("backed-up", gone, "RG-backups"),
            snapshot("copied", f"{COMPUTE}/snapshots/elsewhere"),
            snapshot("base", f"{COMPUTE}/disks/Held"),
            snapshot("AzureBackup_1", gone),
        ],
        f"{LISTS}/Microsoft.Compute/images": [
            thing(
                f"{COMPUTE}/images/golden",
                {
                    "storageProfile": {
                        "osDisk": {"snapshot": {"id": f"{COMPUTE}/snapshots/base"}},
                        "dataDisks": [{"managedDisk": {"id": f"{COMPUTE}/disks/Held"}}],
                    },
                    "sourceVirtualMachine": {"id": f"{COMPUTE}/virtualMachines/Trainer-1"},
                },
            )
        ],
        f"{LISTS}/Microsoft.Compute/galleries": [thing(f"{COMPUTE}/galleries/g")],
        f"{COMPUTE}/galleries/g/images": [thing(f"{COMPUTE}/galleries/g/images/torch")],
        f"{COMPUTE}/galleries/g/images/torch/versions": [
            thing(
                f"{COMPUTE}/galleries/g/images/torch/versions/1.0.0",
                {
                    "publishingProfile": {"publishedDate": "2026-05-01T00:00:00+00:00"},
                    "storageProfile": {
                        "osDiskImage": {"source": {"id": f"{COMPUTE}/snapshots/base"}}
                    },
                },
            )
        ],
        f"{LISTS}/Microsoft.DataProtection/backupVaults": [thing(VAULT)],
        f"{VAULT}/backupInstances": [
            {
                "id": f"{VAULT}/backupInstances/of-gone",
                "name": "of-gone",
                "properties": {
                    "dataSourceInfo": {"resourceID": gone},
                    "policyInfo": {
                        "policyParameters": {
                            "dataStoreParametersList": [
                                {"resourceGroupId": f"{BELOW}/resourceGroups/rg-backups"}
                            ]
                        }
                    },
                },
            }
        ],
        f"{LISTS}/Microsoft.Network/publicIPAddresses": [
            thing(f"{NETWORK}/publicIPAddresses/free"),
            thing(f"{NETWORK}/publicIPAddresses/front", {"ipConfiguration": {"id": front}}),
            thing(
                f"{NETWORK}/publicIPAddresses/of-trainer",
                {
                    "ipConfiguration": {
                        "id": f"{NETWORK}/networkInterfaces/Trainer-1-nic/ipConfigurations/ip"
                    }
                },
            ),
        ],
        f"{LISTS}/Microsoft.Network/loadBalancers": [
            thing(
                f"{NETWORK}/loadBalancers/lb-1",
                {
                    "backendAddressPools": [
                        {
                            "properties": {
                                "backendIPConfigurations": [
                                    {
                                        "id": f"{NETWORK}/networkInterfaces/trainer-1-nic"
                                        "/ipConfigurations/ip"
                                    }
                                ]
                            }
                        }
                    ]
                },
            ),
            thing(f"{NETWORK}/loadBalancers/lb-2", {"backendAddressPools": [{"properties": {}}]}),
        ],
        f"{LISTS}/Microsoft.Network/applicationGateways": [],
        f"{LISTS}/Microsoft.Network/natGateways": [thing(f"{NETWORK}/natGateways/nat")],
        f"{BELOW}/resources": [
            {"id": f"{NETWORK}/{name}", "createdTime": "2026-07-01T00:00:00.1234567Z"}
            for name in ("loadBalancers/lb-1", "loadBalancers/lb-2", "publicIPAddresses/free")
        ],
        f"{LISTS}/Microsoft.Storage/storageAccounts": [
            thing(
                f"{GROUP}/Microsoft.Storage/storageAccounts/acmeml",
                {"creationTime": "2025-01-01T00:00:00Z"},
                location="West Europe",
            )
        ],
    }
    return {
        path.lower().replace("?statusonly", "?statusOnly"): things for path, things in lists.items()
    }


PROJECT = "acme-ml"
NUMBER = "7"
HOST = "//compute.googleapis.com"
URL = "https://www.googleapis.com/compute/v1"
ZONE = f"projects/{PROJECT}/zones/us-central1-a"
REGION = f"projects/{PROJECT}/regions/us-central1"
GLOBAL = f"projects/{PROJECT}/global"


def asset(kind: str, path: str, location: str, **facts: Any) -> Json:
    """Return an asset of Google as its list describes it."""
    name = path.rpartition("/")[2]
    return {
        "name": f"{HOST}/{path}",
        "assetType": f"compute.googleapis.com/{kind}",
        "ancestors": [f"projects/{NUMBER}", "organizations/1"],
        "updateTime": "2026-10-01T00:00:00Z",
        "resource": {
            "version": "v1",
            "location": location,
            "data": {
                "name": name,
                "selfLink": f"{URL}/{path}",
                "creationTimestamp": "2026-06-01T03:00:00.000-07:00",
                **facts,
            },
        },
    }


def _machine(name: str, status: str) -> Json:
    return asset(
        "Instance",
        f"{ZONE}/instances/{name}",
        "us-central1-a",
        status=status,
        zone=f"{URL}/{ZONE}",
        machineType=f"{URL}/{ZONE}/machineTypes/a2-highgpu-1g",
        lastStartTimestamp="2026-09-01T00:00:00.000-07:00",
        lastStopTimestamp="2026-09-02T00:00:00.000-07:00",
        labels={"team": "vision"},
    )


def _disk(name: str, *users: str, zone: str = "a", **facts: Any) -> Json:
    place = f"projects/{PROJECT}/zones/us-central1-{zone}"
    return asset(
        "Disk",
        f"{place}/disks/{name}",
        f"us-central1-{zone}",
        status="READY",
        sizeGb="500",
        type=f"{URL}/{place}/diskTypes/pd-ssd",
        users=[f"{URL}/{ZONE}/instances/{user}" for user in users],
        **facts,
    )


def google() -> list[Json]:
    """Return the assets of an organization."""
    attached = {"lastAttachTimestamp": "2026-07-01T00:00:00.000-07:00"}
    detached = attached | {"lastDetachTimestamp": "2026-09-03T00:00:00.000-07:00"}
    snap = {"storageLocations": ["us"], "status": "READY", "diskSizeGb": "500"}
    pool = f"{URL}/{REGION}/targetPools"
    service = f"{URL}/{REGION}/backendServices"
    return [
        {
            "name": "//cloudresourcemanager.googleapis.com/projects/acme-ml",
            "assetType": "cloudresourcemanager.googleapis.com/Project",
            "ancestors": [f"projects/{NUMBER}", "organizations/1"],
            "resource": {
                "data": {"projectId": PROJECT, "projectNumber": NUMBER, "lifecycleState": "ACTIVE"},
                "location": "global",
            },
        },
        _machine("trainer-1", "RUNNING"),
        _machine("parked", "TERMINATED"),
        _machine("asleep", "SUSPENDED"),
        _disk("held", "trainer-1", **attached, sourceSnapshot=f"{URL}/{GLOBAL}/snapshots/base"),
        _disk("loose", **detached),
        _disk("never-used"),
        _disk("twin"),
        _disk("twin", "trainer-1", zone="b", **attached),
        asset("RegionDisk", f"{REGION}/disks/wide", "us-central1", status="READY", sizeGb="10"),
        asset("Snapshot", f"{GLOBAL}/snapshots/base", "global", **snap, sourceDisk="x/disks/held"),
        asset(
            "Snapshot", f"{GLOBAL}/snapshots/old", "global", **snap, sourceDisk="x/disks/long-gone"
        ),
        asset(
            "Snapshot",
            f"{GLOBAL}/snapshots/nightly-1",
            "global",
            **snap,
            autoCreated=True,
            sourceDisk="x/disks/long-gone",
            sourceSnapshotSchedulePolicy=f"{URL}/{REGION}/resourcePolicies/nightly",
        ),
        asset("ResourcePolicy", f"{REGION}/resourcePolicies/nightly", "us-central1"),
        asset(
            "Image",
            f"{GLOBAL}/images/golden",
            "global",
            status="READY",
            storageLocations=["us"],
            sourceSnapshot=f"{URL}/{GLOBAL}/snapshots/base",
        ),
        asset(
            "InstanceTemplate",
            f"{GLOBAL}/instanceTemplates/worker",
            "global",
            properties={
                "disks": [{"initializeParams": {"sourceImage": f"{GLOBAL}/images/golden"}}]
            },
        ),
        asset("Address", f"{REGION}/addresses/free", "us-central1", id="41", status="RESERVED"),
        asset(
            "Address",
            f"{REGION}/addresses/inner",
            "us-central1",
            id="42",
            status="RESERVED",
            addressType="INTERNAL",
        ),
        asset(
            "GlobalAddress",
            f"{GLOBAL}/addresses/front",
            "global",
            id="43",
            status="IN_USE",
            users=[f"{URL}/{GLOBAL}/forwardingRules/web"],
        ),
        asset(
            "ForwardingRule",
            f"{REGION}/forwardingRules/filled",
            "us-central1",
            id="51",
            target=f"{pool}/full",
        ),
        asset(
            "ForwardingRule",
            f"{REGION}/forwardingRules/hollow",
            "us-central1",
            id="52",
            backendService=f"{service}/empty",
        ),
        asset(
            "GlobalForwardingRule",
            f"{GLOBAL}/forwardingRules/web",
            "global",
            id="53",
            target=f"{URL}/{GLOBAL}/targetHttpsProxies/proxy",
        ),
        asset(
            "TargetPool",
            f"{REGION}/targetPools/full",
            "us-central1",
            instances=[f"{URL}/{ZONE}/instances/trainer-1"],
        ),
        asset("RegionBackendService", f"{REGION}/backendServices/empty", "us-central1"),
        {
            "name": "//storage.googleapis.com/acme-data",
            "assetType": "storage.googleapis.com/Bucket",
            "ancestors": [f"projects/{NUMBER}", "organizations/1"],
            "resource": {
                "location": "us",
                "data": {
                    "name": "acme-data",
                    "location": "US",
                    "projectNumber": NUMBER,
                    "timeCreated": "2025-01-01T00:00:00.000Z",
                    "labels": {"team": "data"},
                },
            },
        },
    ]
