"""Machines of a FOCUS bill that no meter, kind of resource or subcategory tells apart."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from tests.queries.bills import DATA, lines_of, stage_rows

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = DATA / "focus/sample_1_0/focus_sample.csv"
AZURE = "/subscriptions/s/resourceGroups/r/providers/Microsoft.Compute"
DETAILS = '{"InstanceType": "gpu-h100-8"}'


def machines_of(path: Path) -> set[tuple[object, ...]]:
    keys = ("resource_id", "charge_period_start", "charge_description", "billed_cost")
    return {
        tuple(row[key] for key in keys)
        for row in stage_rows("focus", [path])
        if row["x_line_class"] == "instance"
    }


@pytest.mark.parametrize("emptied", [("ResourceType",), ("ResourceType", "ConsumedUnit")])
def test_without_kinds_of_resource_the_real_sample_has_the_same_machines(
    tmp_path: Path, emptied: tuple[str, ...]
) -> None:
    """Its bytes under ids of machines, hours of gateways and seconds of functions are none."""
    rows = [{**row, **dict.fromkeys(emptied, "NULL")} for row in lines_of(SAMPLE)]
    path = tmp_path / "focus.csv"
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    found = machines_of(path)
    assert found == machines_of(SAMPLE)
    assert len(found) == 31


def test_bytes_that_a_machine_moved_are_no_machine() -> None:
    """The real sample has them under a machine's service and kind of resource."""
    (line,) = [
        row
        for row in stage_rows("focus", [SAMPLE])
        if row["service_name"] == "Virtual Machine Scale Sets"
    ]
    assert (line["consumed_unit"], line["x_line_class"]) == ("GB", "other")


LINES = {
    "AWS, bare": ("Elastic Compute", "Hours", "i-0abc1234def567890", "", ""),
    "AWS, an ARN": ("EC2", "Hrs", "arn:aws:ec2:us-east-1:42:instance/i-0abc1234", "", ""),
    "Azure": ("Compute", "1 Hour", f"{AZURE}/virtualMachines/trainer", "", ""),
    "a scale set": ("AKS", "Hours", f"{AZURE}/virtualMachineScaleSets/gpu", "", ""),
    "one of a scale set": (
        *("AKS", "Hours", f"{AZURE}/virtualMachineScaleSets/gpu/virtualMachines/3", "", ""),
    ),
    "Oracle, cores": ("COMPUTE", "OCPU Per Hour", "ocid1.instance.oc1.phx.abuw4", "", ""),
    "Oracle, memory": ("COMPUTE", "Gigabyte Per Hour", "ocid1.instance.oc1.phx.abuw4", "", ""),
    "Alibaba Cloud": ("Elastic Compute Service", "Hour", "i-bp67acfmxazb4p1s9f0q", "", ""),
    "Tencent Cloud": ("Cloud Virtual Machine", "Second", "ins-6oz38wnu", "", ""),
    "Google": ("Compute", "seconds", "projects/p/zones/z/instances/trainer", "", ""),
    "a type of instance": ("GPU cloud", "GPU-Hours", "7f3c-uuid", "", DETAILS),
    "a kind of resource": ("Servers", "Hours", "7f3c-uuid", "virtual_machine", ""),
    "Azure's own kind": ("Servers", "", "7f3c", "Microsoft.Compute/virtualMachines", ""),
}
OTHERS = {
    "an id that says nothing": ("Elastic Cloud Server", "Hours", "7f3c-uuid", "", ""),
    "no id": ("Elastic Compute", "Hours", "", "", ""),
    "no unit": ("Elastic Compute", "", "i-0abc1234def567890", "", ""),
    "bytes of a machine": ("Elastic Compute", "GB", "i-0abc1234def567890", "", ""),
    "an image": ("Virtual Machines", "GB/Month", f"{AZURE}/galleries/g", "Azure gallery", ""),
    "a gateway's hours": ("EC2", "Hours", "arn:aws:ec2:r:42:natgateway/nat-0abc1234", "", ""),
    "a volume's hours": ("EC2", "GiB-Hours", "vol-0abc1234", "", ""),
    "what belongs to a machine": (
        *("Compute", "Hours", f"{AZURE}/virtualMachines/trainer/extensions/watch", "", ""),
    ),
    "a function": ("AWS Lambda", "Lambda-GB-Second", "arn:aws:lambda:r:42:function:fit", "", ""),
    "a function with a type": ("Cloud Functions", "Seconds", "fit", "", DETAILS),
    "a container": ("Azure Container Instances", "vCPU Hours", "g", "Container instances", ""),
    "a registry": ("Azure Container Registry", "1 Hour", "r", "Container registry", ""),
    "a service by the instance": ("Cloud Run", "vCPU-Seconds", "s", "Service instance", ""),
    "a database": ("SQL", "Hours", "projects/p/instances/db", "", ""),
}


DISK = ("Virtual Machines", "Units/Month", f"{AZURE}/disks/trainer_OsDisk", "", "")


def class_of(tmp_path: Path, line: tuple[str, ...], category: str = "Compute") -> object:
    service, unit, resource, kind, details = line
    row = {
        "BilledCost": "1",
        "EffectiveCost": "1",
        "BillingPeriodStart": "2026-10-01T00:00:00Z",
        "ChargePeriodStart": "2026-10-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ProviderName": "Cloud",
        "PublisherName": "Cloud",
        "ServiceCategory": category,
        "ServiceName": service,
        "ConsumedUnit": unit,
        "ResourceId": resource,
        "ResourceType": kind,
        "SkuPriceDetails": details,
    }
    path = tmp_path / "focus.csv"
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, row)
        writer.writeheader()
        writer.writerow(row)
    (staged,) = stage_rows("focus", [path])
    return staged["x_line_class"]


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_an_hour_of_compute_is_a_machine_by_its_id_or_type(
    tmp_path: Path, line: tuple[str, ...]
) -> None:
    assert class_of(tmp_path, line) == "instance"


@pytest.mark.parametrize("line", OTHERS.values(), ids=OTHERS)
def test_what_nothing_tells_to_be_a_machine_is_none(tmp_path: Path, line: tuple[str, ...]) -> None:
    assert class_of(tmp_path, line) == "other"


def test_a_disk_of_a_machines_service_is_a_volume(tmp_path: Path) -> None:
    assert class_of(tmp_path, DISK) == "volume"


def test_an_hour_under_a_machines_id_that_is_not_compute_is_no_machine(tmp_path: Path) -> None:
    assert class_of(tmp_path, LINES["Azure"], "Security") == "other"
