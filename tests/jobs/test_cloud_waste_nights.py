"""Whole nights on bills and inventories of Azure and Google: what is paid for nothing is found."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.gcp_inventory import KINDS
from queries.read import open_generation
from tests.connectors.azure_runs import line, text_of, write_run
from tests.connectors.cloud_things import (
    BELOW,
    COMPUTE,
    LISTS,
    NETWORK,
    SUBSCRIPTION,
    VAULT,
    azure,
    google,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
DAYS = [f"2026-10-{day:02d}" for day in range(1, 29)]
MONTH = Decimal("30.4375")
"""Days of a month, as waste is told."""


def found(home: Path, config: str) -> dict[tuple[str, str], Decimal]:
    """Run a night and return detector and thing -> waste a month."""
    (home / "mlspend.toml").write_text(f'state_dir = "state"\n{config}', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    newest = max((home / "state" / "generations").glob("[0-9]*.duckdb"))
    with open_generation(newest) as con:
        rows = con.execute(
            "select detector, resource_id, monthly_waste from marts.findings"
        ).fetchall()
    return {(row[0], row[1].rpartition("/")[2]): row[2] for row in rows}


def save(folder: Path, answers: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True)
    for call, answer in answers.items():
        pages = answer if isinstance(answer, list) else [answer]
        (folder / f"{call}.json").write_text("\n".join(json.dumps(page) for page in pages))


def azure_answers() -> dict[str, Any]:
    """Return the lists of the subscription as they would be saved."""
    lists = azure()

    def listed(path: str) -> dict[str, Any]:
        key = path.lower().replace("?statusonly", "?statusOnly")
        return {"value": lists[key]}

    answers: dict[str, Any] = {
        f"{name[0].lower()}{name[1:]}.{kind}": listed(f"{LISTS}/Microsoft.{name}/{kind}")
        for name, kinds in {
            "Compute": (
                *("virtualMachines", "virtualMachineScaleSets", "disks", "snapshots", "images"),
                "galleries",
            ),
            "Network": ("publicIPAddresses", "loadBalancers", "applicationGateways", "natGateways"),
            "DataProtection": ("backupVaults",),
            "Storage": ("storageAccounts",),
        }.items()
        for kind in kinds
    }
    status = f"{LISTS}/Microsoft.Compute/virtualMachines?statusOnly"
    answers["compute.virtualMachines.status"] = listed(status)
    answers["resources"] = listed(f"{BELOW}/resources")
    scale, gallery = f"{COMPUTE}/virtualMachineScaleSets/workers", f"{COMPUTE}/galleries/g"
    for call, parent, below in (
        ("compute.virtualMachineScaleSets.virtualMachines", scale, "virtualMachines"),
        ("compute.galleries.images", gallery, "images"),
        ("compute.galleries.images.versions", f"{gallery}/images/torch", "versions"),
        ("dataProtection.backupInstances", VAULT, "backupInstances"),
    ):
        answers[call] = [{"asked": {"id": parent}, "answer": listed(f"{parent}/{below}")}]
    return answers


def test_what_azure_bills_for_nothing_is_found(tmp_path: Path) -> None:
    """A machine shut down from within, a disk, an address, a balancer and a snapshot."""
    machine, disks = "Virtual Machines,NC,NC24ads", "Storage,Premium SSD Managed Disks,P20 LRS Disk"
    snapshots = "Storage,Standard HDD Managed Disks,Snapshots LRS Snapshot"
    address, balancer = "Virtual Network,IP Addresses,Standard IPv4", "Load Balancer,,Standard Rule"
    billed = {
        **{f"{COMPUTE}/virtualMachines/{name}": machine for name in ("Trainer-1", "Forgotten")},
        **{
            f"{COMPUTE}/disks/{name}": disks
            for name in ("Loose", "Held", "Kept", "Fetched", "db01-ASRReplica", "Twin")
        },
        **{f"{COMPUTE}/snapshots/{name}": snapshots for name in ("old", "base", "copied")},
        f"{NETWORK}/publicIPAddresses/free": address,
        f"{NETWORK}/publicIPAddresses/of-trainer": address,
        f"{NETWORK}/loadBalancers/lb-1": balancer,
        f"{NETWORK}/loadBalancers/lb-2": balancer,
    }
    text = text_of(
        [
            line("2", day=day, meter=meter, resource=thing).replace(
                ",USD,S,", f",USD,{SUBSCRIPTION},"
            )
            for day in DAYS
            for thing, meter in billed.items()
        ]
    )
    for half, kind in (("actual", "ActualCost"), ("amortized", "AmortizedCost")):
        write_run(tmp_path / half, kind, [text], at="2026-10-29T04:00:00")
    for day in ("2026-10-20", "2026-10-28"):
        save(tmp_path / "inventory" / day / SUBSCRIPTION, azure_answers())
    config = (
        '[connectors.azure_cost]\nactual_root = "actual"\namortized_root = "amortized"\n'
        '[connectors.azure_inventory]\nroot = "inventory"\n'
    )
    assert found(tmp_path, config) == {
        ("stopped_machines", "forgotten"): 2 * MONTH,
        ("unattached_volumes", "loose"): 2 * MONTH,
        ("unattached_addresses", "free"): 2 * MONTH,
        ("idle_balancers", "lb-2"): 2 * MONTH,
        ("orphaned_snapshots", "old"): 2 * MONTH,
        ("left_disks", "parked"): 2 * MONTH,
    }


def google_bill(path: Path) -> None:
    """Write the export's rows of things, two a day."""
    compute = "//compute.googleapis.com/projects/7/regions/us-central1"
    billed = [
        *(("Storage PD Capacity", name, "") for name in ("held", "loose", "twin", "parked-disk")),
        *(("Storage PD Snapshot in US", name, "") for name in ("old", "base", "nightly-1")),
        ("Static Ip Charge", "free", f"{compute}/addresses/41"),
        ("Network Load Balancing: Forwarding Rule", "filled", f"{compute}/forwardingRules/51"),
        ("Network Load Balancing: Forwarding Rule", "hollow", f"{compute}/forwardingRules/52"),
    ]
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.DictWriter(stream, [*_bill_line("", "", "", "")])
        rows.writeheader()
        rows.writerows(_bill_line(day, *one) for day in DAYS for one in billed)


def _bill_line(day: str, sku: str, name: str, full: str) -> dict[str, str]:
    place = "us" if "Snapshot" in sku else "us-central1"
    return {
        "billing_account_id": "01A-02B",
        "service.description": "Compute Engine",
        "sku.description": sku,
        "usage_start_time": f"{day} 00:00:00+00:00",
        "usage_end_time": f"{day} 01:00:00+00:00",
        "project.id": "acme-ml",
        "location.location": place,
        "location.region": place,
        "cost": "2.0",
        "currency": "USD",
        "credits": "[]",
        "invoice.month": "202610",
        "cost_type": "regular",
        "resource.name": name,
        "resource.global_name": full,
    }


def test_what_google_bills_for_nothing_is_found(tmp_path: Path) -> None:
    """A disk, an address, a balancer, a snapshot, and the disk of a machine that is off."""
    (tmp_path / "bill").mkdir()
    google_bill(tmp_path / "bill" / "gcp_2026-10-01.csv")
    assets = google()
    (loose,) = [one for one in assets if one["name"].endswith("/disks/loose")]
    kept = json.loads(json.dumps(loose).replace("disks/loose", "disks/parked-disk"))
    user = "https://www.googleapis.com/compute/v1/projects/acme-ml/zones/z/instances/parked"
    kept["resource"]["data"] |= {"users": [user], "name": "parked-disk"}
    for day in ("2026-10-20", "2026-10-28"):
        answers = {
            f"assets.{kind}": {
                "assets": [one for one in [*assets, kept] if one["assetType"] in types]
            }
            for kind, types in KINDS.items()
        }
        save(tmp_path / "inventory" / day / "organizations-1", answers)
    config = (
        '[connectors.gcp_billing]\nroot = "bill"\n[connectors.gcp_inventory]\nroot = "inventory"\n'
    )
    assert found(tmp_path, config) == {
        ("unattached_volumes", "loose"): 2 * MONTH,
        ("unattached_addresses", "41"): 2 * MONTH,
        ("idle_balancers", "52"): 2 * MONTH,
        ("orphaned_snapshots", "old"): 2 * MONTH,
        ("left_disks", "parked"): 2 * MONTH,
    }
