"""The demo's waste: billed as its truth says, and told by the inventory from what looks like it."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from connectors.aws_inventory import AwsInventory
from jobs.demo import write_company
from tests.queries.inventories import Nights

if TYPE_CHECKING:
    from pathlib import Path

MONTH_START = datetime(2026, 10, 2, tzinfo=UTC).replace(tzinfo=None)
"""Thirty days before the demo's end."""
MISSING_PARENT = """
    not exists (
        from staging.inventory_links as links
        inner join staging.inventory as parents on links.related_id = parents.resource_id
        where links.resource_id = things.resource_id and links.relation = 'made_from'
    )
"""
REFERRED = """
    exists (from staging.inventory_links as links where links.related_id = things.resource_id)
    or exists (
        from staging.inventory_links as links
        where links.resource_id = things.resource_id and links.relation = 'shared_with'
    )
    or is_protected
    or created_at > timestamp '2026-10-18'
"""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    write_company(folder)
    return folder


@pytest.fixture(scope="module")
def nights(company: Path) -> Nights:
    folder = company / "landed"
    folder.mkdir()
    landed = Nights(folder)
    landed.land(AwsInventory(root=str(company / "aws-inventory")).deliveries(landed))
    return landed


def truth(company: Path, kind: str) -> dict[str, dict[str, str]]:
    with (company / "truth" / "waste.csv").open(encoding="utf-8") as lines:
        return {row["resource_id"]: row for row in csv.DictReader(lines) if row["kind"] == kind}


def waste(company: Path, kind: str) -> set[str]:
    cases = truth(company, kind)
    found = {name for name, row in cases.items() if row["is_waste"] == "true"}
    assert found
    return found


def found(nights: Nights, where: str) -> set[str]:
    rows = nights.rows(f"select resource_id from staging.inventory as things where {where}")
    return {row["resource_id"] for row in rows}


def test_every_case_is_billed_as_the_truth_says(company: Path, nights: Nights) -> None:
    newest: dict[str, Path] = {}
    for path in sorted((company / "aws" / "metadata").rglob("*-Manifest.json")):
        newest[path.parent.parent.name] = path
    costs: dict[str, Decimal] = defaultdict(Decimal)
    columns = ["line_item_resource_id", "line_item_usage_start_date", "line_item_unblended_cost"]
    (period,) = [path for path in (company / "aws" / "data").iterdir() if "2026-10" in path.name]
    for line in (
        pl.concat(pl.read_parquet(path, columns=columns) for path in period.rglob("*.parquet"))
        .filter(pl.col("line_item_usage_start_date") >= MONTH_START)
        .iter_rows(named=True)
    ):
        resource = line["line_item_resource_id"] or ""
        for name in {resource, resource.rpartition("/")[2]}:
            costs[name] += Decimal(repr(line["line_item_unblended_cost"]))
    disks = defaultdict(list)
    for row in nights.rows("select * from staging.inventory_links where relation = 'attached_to'"):
        disks[row["related_id"]].append(row["resource_id"])
    for kind in ("orphaned_snapshot", "unattached_volume", "unattached_address", "idle_balancer"):
        for name, row in truth(company, kind).items():
            assert costs[name] == Decimal(row["monthly_cost"]) > 0, row
    ((machine, row),) = truth(company, "stopped_machine").items()
    assert sum(costs[disk] for disk in disks[machine]) == Decimal(row["monthly_cost"]) > 0
    assert costs[machine] == 0


def test_orphans_are_told_from_what_is_still_needed(company: Path, nights: Nights) -> None:
    """By the inventory all but one; that one is named by a run's tag alone."""
    lost = found(nights, f"resource_type = 'snapshot' and {MISSING_PARENT}")
    assert len(lost) == 12
    free = found(nights, f"resource_type = 'snapshot' and {MISSING_PARENT} and not ({REFERRED})")
    with closing(sqlite3.connect(company / "mlflow.db")) as tracker:
        tags = tracker.execute("select value from tags where value like 'snap-%'").fetchall()
    assert len(tags) == 1
    named = {tag[0] for tag in tags}
    assert named < free
    assert free - named == waste(company, "orphaned_snapshot")


def test_the_unattached_the_idle_and_the_stopped_are_told(company: Path, nights: Nights) -> None:
    old = "state_since < timestamp '2026-10-25'"
    volumes = found(nights, f"resource_type = 'volume' and state = 'unattached' and {old}")
    assert volumes == waste(company, "unattached_volume")
    addresses = found(nights, "resource_type = 'address' and state = 'unattached'")
    assert addresses == waste(company, "unattached_address")
    stopped = found(nights, f"resource_type = 'instance' and state = 'deallocated' and {old}")
    assert stopped == waste(company, "stopped_machine")
    idle = found(
        nights,
        "resource_type = 'load_balancer' and not exists (from staging.inventory_links as links "
        "where links.resource_id = things.resource_id and links.relation = 'backend')",
    )
    assert idle == waste(company, "idle_balancer")


def test_a_zone_has_another_letter_in_another_account(company: Path) -> None:
    letters = set()
    for path in (company / "aws-inventory").glob("*/*/us-east-1/ec2.describe_availability_zones*"):
        for zone in json.loads(path.read_text(encoding="utf-8"))["AvailabilityZones"]:
            if zone["ZoneId"] == "use1-az1":
                letters.add(zone["ZoneName"])
    assert len(letters) > 1
