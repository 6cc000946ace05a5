"""Google's own FOCUS export: a charge is staged as from the detailed usage cost export.

Columns and types are those of Google's table: money in NUMERIC, labels in lists of structs, no
category of services, and billing periods that begin at midnight in California.

Source: https://docs.cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/focus-export
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from connectors.base import Delivery, SourceError
from connectors.focus import Focus
from queries.totals import raw_totals
from tests.connectors.gcp_lines import MACHINE, line, pairs
from tests.connectors.known import Memory
from tests.queries.bills import Row, stage_rows
from tests.queries.test_gcp_staging import SPEC, parquet
from tests.servers.bigquery import NOWHERE, Warehouse, serving, utc, write_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SAME = (
    *("x_line_class", "x_instance_type", "x_cpu_count", "x_memory_gib", "x_gpu_count", "tags"),
    *("resource_id", "x_from_region", "x_to_region", "region_id", "service_name"),
    *("billing_period", "charge_date", "charge_hour", "billed_cost", "effective_cost"),
    *("service_category", "service_provider_name", "host_provider_name", "consumed_quantity"),
    *("consumed_unit", "sku_meter", "sub_account_id", "billing_currency", "sku_id"),
)
PAIRS = pl.List(pl.Struct({"Key": pl.String, "Value": pl.String}))
TAGS = pl.List(
    pl.Struct(
        {
            "Key": pl.String,
            "Value": pl.String,
            "x_Inherited": pl.Boolean,
            "x_Namespace": pl.String,
        }
    )
)


def capitals(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"Key": each["key"], "Value": each["value"]} for each in entries]


def exported(detailed: dict[str, Any]) -> dict[str, Any]:
    """Return what the FOCUS export says of a line of the detailed one."""
    cost = Decimal(repr(detailed["cost"]))
    return {
        "BilledCost": cost,
        "EffectiveCost": cost,
        "ListCost": cost,
        "ContractedCost": cost,
        "BillingAccountId": detailed["billing_account_id"],
        "BillingCurrency": detailed["currency"],
        "BillingPeriodStart": datetime(2026, 5, 1, 7, tzinfo=UTC),
        "ChargePeriodStart": detailed["usage_start_time"],
        "ChargePeriodEnd": detailed["usage_end_time"],
        "ChargeCategory": "Usage",
        "ChargeDescription": detailed["sku"]["description"],
        "ConsumedQuantity": Decimal(repr(detailed["usage"]["amount"])),
        "ConsumedUnit": detailed["usage"]["unit"],
        "ProviderName": "Google Cloud",
        "PublisherName": "Google Cloud",
        "InvoiceIssuerName": "Google Cloud",
        "RegionId": detailed["location"]["region"],
        "ResourceId": detailed["resource"]["global_name"],
        "ResourceName": detailed["resource"]["name"],
        "ServiceName": detailed["service"]["description"],
        "SkuId": detailed["sku"].get("id"),
        "SubAccountId": detailed["project"]["id"],
        "SubAccountName": detailed["project"]["name"],
        "x_Labels": capitals(detailed["labels"]),
        "x_SystemLabels": capitals(detailed["system_labels"]),
        "x_ProjectLabels": capitals(detailed["project"]["labels"]),
        "x_Tags": [
            {**each, "x_Inherited": False, "x_Namespace": "1"}
            for each in capitals(detailed["tags"])
        ],
        "x_ExportTime": detailed["export_time"],
    }


def stage(folder: Path, charge: dict[str, Any]) -> tuple[Row, Row]:
    """Return a charge as the FOCUS export and as the detailed one have it."""
    path = folder / "focus.parquet"
    write([exported(charge)], path)
    (detailed,) = stage_rows("gcp_billing", [parquet(folder / "detailed.parquet", [charge])])
    (focus,) = stage_rows("focus", [path])
    return focus, detailed


def write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    lists = dict.fromkeys(("x_Labels", "x_SystemLabels", "x_ProjectLabels"), PAIRS)
    pl.DataFrame(rows, schema_overrides={**lists, "x_Tags": TAGS}).write_parquet(path)


CHARGES: dict[str, dict[str, Any]] = {
    "cores": {
        "usage": {"amount": 12 * 1800.0, "unit": "seconds"},
        "system_labels": pairs(*SPEC),
        "labels": pairs(("team", "vision"), ("k8s-namespace", "train")),
    },
    "gpus of an N1": {
        "sku": "Nvidia Tesla T4 GPU attached to Spot Preemptible VMs",
        "usage": {"amount": 4 * 3600.0, "unit": "seconds"},
        "system_labels": pairs(("compute.googleapis.com/machine_spec", "n1-standard-8")),
    },
    "a disk": {"sku": "SSD backed PD Capacity in Americas"},
    "a bucket": {
        "service": "Cloud Storage",
        "sku": "Standard Storage US Multi-region",
        "resource": {"name": "acme-data", "global_name": "//storage.googleapis.com/acme-data"},
    },
    "between regions": {
        "sku": "Network Inter Region Data Transfer Out from Americas to EMEA",
        "resource": {"name": "trainer-1", "global_name": MACHINE},
    },
    "to the internet": {"sku": "Network Internet Data Transfer Out from Americas to Americas"},
    "training": {"service": "Vertex AI", "sku": "Custom Training A100 in Americas"},
    "tokens": {"service": "Vertex AI", "sku": "Gemini 3 Pro Input tokens"},
}


@pytest.mark.parametrize("charge", CHARGES.values(), ids=CHARGES)
def test_a_charge_is_what_the_detailed_export_says_of_it(
    tmp_path: Path, charge: dict[str, Any]
) -> None:
    focus, detailed = stage(tmp_path, line(**charge))
    assert {name: focus[name] for name in SAME} == {name: detailed[name] for name in SAME}


def test_money_is_what_the_table_says_whatever_stands_in_tags(tmp_path: Path) -> None:
    """Tags in the column of the specification, of one key in two namespaces; a line without any."""
    tag = {"Key": "env", "Value": "prod", "x_Inherited": True, "x_Namespace": "1"}
    rows = [exported(line(cost=0.1)), exported(line(cost=0.2))]
    for row in rows:
        for name in ("x_Labels", "x_SystemLabels", "x_ProjectLabels", "x_Tags"):
            del row[name]
    rows[0]["Tags"] = [tag, {**tag, "Value": "test", "x_Namespace": "2"}]
    path = tmp_path / "focus.parquet"
    pl.DataFrame(rows, schema_overrides={"Tags": TAGS}).write_parquet(path)
    first, second = sorted(stage_rows("focus", [path]), key=lambda row: str(row["billed_cost"]))
    assert (first["tags"], second["tags"]) == ({"env": "prod"}, None)
    total = Decimal(str(first["billed_cost"])) + Decimal(str(second["billed_cost"]))
    assert {each.amount for each in raw_totals("focus__cost_and_usage", [path])} == {total}
    assert total == Decimal("0.3")


FIELDS: list[dict[str, Any]] = [
    *({"name": name, "type": "NUMERIC"} for name in ("BilledCost", "EffectiveCost")),
    *({"name": name, "type": "STRING"} for name in ("BillingAccountId", "BillingCurrency")),
    *({"name": name, "type": "TIMESTAMP"} for name in ("BillingPeriodStart", "ChargePeriodStart")),
    {"name": "ProviderName", "type": "STRING"},
    {
        "name": "x_Labels",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [{"name": "Key", "type": "STRING"}, {"name": "Value", "type": "STRING"}],
    },
]


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    table = "acme.gcp_billing_immutable_01A_eu.gcp_billing_export_focus_01A"
    with serving(Warehouse(FIELDS, table=table)) as it:
        key = write_key(tmp_path / "key.json", it.address)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
        yield it


def rows_of(month: int, *costs: str) -> list[dict[str, Any]]:
    whole = exported(line(usage_start_time=utc(2026, month, 3), labels=pairs(("team", "vision"))))
    whole["BillingPeriodStart"] = utc(2026, month, 1, 7)
    kept = {field["name"]: whole[field["name"]] for field in FIELDS}
    return [{**kept, "BilledCost": Decimal(cost), "EffectiveCost": Decimal(cost)} for cost in costs]


def take(warehouse: Warehouse, memory: Memory, **changes: Any) -> list[Delivery]:
    """Read a night's deliveries, and remember them."""
    source = Focus(table=warehouse.table, endpoint_url=warehouse.address, **changes)
    found = list(source.deliveries(memory))
    for delivery in found:
        memory.land(delivery)
    return found


def cost_of(delivery: Delivery, path: Path) -> Decimal:
    """Land a delivery; return what its staged lines cost, which the raw totals say as well."""
    (file,) = delivery.files
    with file.open() as stream:
        path.write_bytes(stream.read())
    lines = stage_rows("focus", [path])
    assert {str(row["tags"]) for row in lines} == {"{'team': 'vision'}"}
    total = sum((Decimal(str(row["billed_cost"])) for row in lines), Decimal(0))
    assert {each.amount for each in raw_totals("focus__cost_and_usage", [path])} == {total}
    return total


@pytest.mark.servers
def test_the_table_of_the_export_is_read_by_its_partitions(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.write("20260517", rows_of(5, "0.1", "0.2"), utc(2026, 5, 18))
    warehouse.write("20260604", rows_of(5, "-0.05"), utc(2026, 6, 5))
    memory = Memory()
    found = take(warehouse, memory)
    assert [each.unit for each in found] == ["partition-2026-05-17", "partition-2026-06-04"]
    costs = [cost_of(each, tmp_path / f"{each.unit}.parquet") for each in found]
    assert costs == [Decimal("0.3"), Decimal("-0.05")]
    assert take(warehouse, memory) == []


@pytest.mark.servers
def test_a_view_is_read_by_billing_period_where_its_rows_have_changed(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.is_view = True
    warehouse.write("rows", [*rows_of(4, "7"), *rows_of(5, "0.1", "0.2")], utc(2026, 5, 18))
    memory = Memory()
    found = take(warehouse, memory)
    assert [(each.unit, each.stated_rows) for each in found] == [("2026-04", 1), ("2026-05", 2)]
    assert cost_of(found[1], tmp_path / "may.parquet") == Decimal("0.3")
    assert take(warehouse, memory) == []
    warehouse.write("rows", rows_of(5, "0.4"), utc(2026, 6, 1))
    (again,) = take(warehouse, memory)
    assert (again.unit, again.stated_rows) == ("2026-05", 3)
    assert [each.unit for each in take(warehouse, Memory(), since="2026-05-10")] == ["2026-05"]
    warehouse.write("rows", [{**rows_of(5, "1")[0], "BillingPeriodStart": None}], utc(2026, 6, 2))
    with pytest.raises(SourceError, match="without a BillingPeriodStart"):
        take(warehouse, memory)
    with pytest.raises(SourceError, match="may not bill more"):
        take(warehouse, Memory(), maximum_bytes_billed=5_000_000)


@pytest.mark.parametrize("fields", [{}, {"root": "x", "table": "a.b.c"}])
def test_files_or_a_table_but_not_both(fields: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match="either `root` or `table`"):
        list(Focus(**fields).deliveries(Memory()))
