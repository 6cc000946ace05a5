"""AWS's own FOCUS exports, 1.0 and 1.2: a charge is staged as from the Cost and Usage Report.

Columns and types are those of AWS's dictionaries: money in doubles, times in milliseconds, maps,
and nulls where its pages on conformance gaps say that there may be some.

Source: https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-focus-1-2-aws.html
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from queries.engines.duckdb import Limits, connect
from queries.totals import raw_totals
from tests.queries.bills import Row, stage_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

START, END = datetime(2026, 10, 5, 3), datetime(2026, 10, 5, 4)  # noqa: DTZ001 - UTC without a zone
MONTH = datetime(2026, 10, 1)  # noqa: DTZ001
PLAN = "arn:aws:savingsplans::1:savingsplan/sp-1"
Charge = tuple[str, str, str, str]
"""Product code, name of the service, usage type, id of the resource."""
CHARGES: Mapping[str, Charge] = {
    "machine": (
        *("AmazonEC2", "Amazon Elastic Compute Cloud", "USW2-BoxUsage:p4d.24xlarge"),
        "arn:aws:ec2:us-west-2:42:instance/i-0abc",
    ),
    "spot": ("AmazonEC2", "Amazon Elastic Compute Cloud", "SpotUsage:g5.xlarge", "i-0def"),
    "training": (
        *("AmazonSageMaker", "Amazon SageMaker", "USE2-Train:ml.p4d.24xlarge"),
        "arn:aws:sagemaker:us-east-2:42:training-job/fit",
    ),
    "volume": ("AmazonEC2", "Amazon Elastic Compute Cloud", "EBS:VolumeUsage.gp3", "vol-1"),
    "snapshot": (
        *("AmazonEC2", "Amazon Elastic Compute Cloud", "EU-EBS:SnapshotUsage"),
        "arn:aws:ec2:eu-west-1::snapshot/snap-1",
    ),
    "bucket": (
        *("AmazonS3", "Amazon Simple Storage Service", "EUC1-TimedStorage-ByteHrs"),
        "arn:aws:s3:::acme-data",
    ),
    "requests": ("AmazonS3", "Amazon Simple Storage Service", "Requests-Tier1", "acme-data"),
    "between regions": (
        *("AmazonS3", "Amazon Simple Storage Service", "USE1-APN3-AWS-Out-Bytes", "acme-data"),
    ),
    "from elsewhere": (
        *("AmazonS3", "Amazon Simple Storage Service", "USE1-APN3-AWS-In-Bytes", "acme-data"),
    ),
    "to the internet": (
        *("AmazonEC2", "Amazon Elastic Compute Cloud", "EUW2-DataTransfer-Out-Bytes", "i-0abc"),
    ),
    "between zones": (
        *("AmazonEC2", "Amazon Elastic Compute Cloud", "DataTransfer-Regional-Bytes", "i-0abc"),
    ),
    "gateway": (
        *("AmazonEC2", "Amazon Elastic Compute Cloud", "USE2-NatGateway-Bytes"),
        "arn:aws:ec2:us-east-2:42:natgateway/nat-1",
    ),
    "control plane": (
        *("AmazonEKS", "Amazon Elastic Container Service for Kubernetes"),
        *("USE2-AmazonEKS-Hours:perCluster", "arn:aws:eks:us-east-2:42:cluster/ml"),
    ),
    "tokens": ("AmazonBedrock", "Amazon Bedrock", "USE1-NovaPro-cache-read-input-token-count", ""),
    "model of another": ("9b2k3", "Claude X (Amazon Bedrock Edition)", "USE1-MP:USE1_X-Units", ""),
}
SAME = (
    *("x_line_class", "x_instance_type", "x_from_region", "x_to_region", "resource_id"),
    *("region_id", "service_name", "service_provider_name", "host_provider_name", "tags"),
    *("billing_period", "charge_date", "charge_hour", "billed_cost", "effective_cost"),
    *("contracted_cost", "charge_category", "sku_id", "sku_meter", "sub_account_id"),
)
STRINGS = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))


def cur(charge: Charge) -> dict[str, object]:
    """Return a charge as CUR 2.0 has it."""
    code, service, usage, resource = charge
    return {
        "bill_payer_account_id": "000000000001",
        "bill_billing_period_start_date": "2026-10-01T00:00:00Z",
        "line_item_usage_account_id": "000000000042",
        "line_item_usage_start_date": "2026-10-05T03:00:00Z",
        "line_item_usage_end_date": "2026-10-05T04:00:00Z",
        "line_item_currency_code": "USD",
        "line_item_line_item_type": "Usage",
        "line_item_product_code": code,
        "line_item_usage_type": usage,
        "line_item_resource_id": resource,
        "line_item_unblended_cost": 2.75,
        "product_product_name": service,
        "product_sku": "SKU1",
        "resource_tags": '{"user_team": "vision"}',
        "cost_category": '{"Unit": "Research"}',
    }


def focus(charge: Charge, version: str, **columns: object) -> dict[str, object]:
    """Return a charge as an export of FOCUS has it, with every gap that AWS's own may have."""
    code, service, usage, resource = charge
    line: dict[str, object] = {
        "BilledCost": 2.75,
        "EffectiveCost": 2.75,
        "ListCost": 3.25,
        "ContractedCost": None,
        "ContractedUnitPrice": None,
        "PricingQuantity": 1.0,
        "BillingAccountId": "000000000001",
        "SubAccountId": "000000000042",
        "BillingCurrency": "USD",
        "BillingPeriodStart": MONTH,
        "ChargePeriodStart": START,
        "ChargePeriodEnd": END,
        "ChargeCategory": "Usage",
        "CommitmentDiscountId": None,
        "CommitmentDiscountStatus": None,
        "ProviderName": "AWS",
        "PublisherName": None,
        "InvoiceIssuerName": None,
        "RegionId": None,
        "ResourceId": resource or None,
        "ServiceName": service,
        "ServiceCategory": None,
        "SkuId": None,
        "SkuPriceId": "SKU1.JRTCKXETXF.6YS6EN2CT7",
        "Tags": [{"key": "user_team", "value": "vision"}],
        "x_Operation": "RunInstances",
        "x_ServiceCode": code,
    }
    if version == "1.0":
        line["x_UsageType"] = usage
        line["x_CostCategories"] = [{"key": "Unit", "value": "Research"}]
    else:
        line["SkuMeter"] = usage
        line["Tags"] = [
            {"key": "resourceTags/user_team", "value": "vision"},
            {"key": "costCategory/Unit", "value": "Research"},
        ]
    return line | columns


def stage_all(folder: Path, lines: Sequence[Mapping[str, object]]) -> dict[object, Row]:
    """Return the staged lines of a Parquet file by usage type, held against the raw totals."""
    path = folder / "bill.parquet"
    first = lines[0]
    kind = "focus" if "BilledCost" in first else "aws_cur"
    texts = {column: pl.String for column, value in first.items() if value is None}
    maps = {column: STRINGS for column in ("Tags", "x_CostCategories") if column in first}
    times = {
        column: pl.Datetime("ms") for column, value in first.items() if isinstance(value, datetime)
    }
    frame = pl.DataFrame(lines, schema_overrides={**texts, **maps, **times})
    frame.write_parquet(path)
    rows = stage_rows(kind, [path])
    if kind == "focus":
        sums = {
            total.measure: total.amount for total in raw_totals("focus__cost_and_usage", [path])
        }
        for measure in ("billed_cost", "effective_cost"):
            assert sums[measure] == sum(Decimal(str(row[measure])) for row in rows)
    assert len(rows) == len(lines)
    return {row["sku_meter"]: row for row in rows}


def stage(folder: Path, line: Mapping[str, object]) -> Row:
    (row,) = stage_all(folder, [line]).values()
    return row


@pytest.mark.parametrize("version", ["1.0", "1.2"])
def test_a_charge_is_staged_as_from_the_report(tmp_path: Path, version: str) -> None:
    wanted = stage_all(tmp_path, [cur(charge) for charge in CHARGES.values()])
    found = stage_all(tmp_path, [focus(charge, version) for charge in CHARGES.values()])
    assert len(found) == len(CHARGES)
    for meter, row in found.items():
        assert {column: row[column] for column in SAME} == {
            column: wanted[meter][column] for column in SAME
        }


def test_the_code_of_a_service_follows_from_its_name(tmp_path: Path) -> None:
    """A copy of the columns of FOCUS alone, without those of AWS's."""
    lines = [focus(charge, "1.2") for charge in CHARGES.values() if charge[0][:2] in ("Am", "AW")]
    bare = [line | {"x_ServiceCode": None} for line in lines]
    assert stage_all(tmp_path, bare) == stage_all(tmp_path, lines)


def test_maps_of_parquet_are_read_as_lists_of_pairs_are(tmp_path: Path) -> None:
    lists = tmp_path / "lists.parquet"
    line = focus(CHARGES["machine"], "1.2")
    pl.DataFrame([line]).write_parquet(lists)
    packed = "map_from_entries(Tags) as Tags, map {'EDP': -0.25::double} as x_Discounts"
    with connect(Limits(threads=1)) as con:
        con.execute(
            f"copy (select * exclude (Tags), {packed} "
            f"from read_parquet('{lists}')) to '{tmp_path}/maps.parquet'"
        )
    (row,) = stage_rows("focus", [tmp_path / "maps.parquet"])
    assert row == stage(tmp_path, line)


def test_the_name_of_a_service_follows_from_its_code(tmp_path: Path) -> None:
    charge = CHARGES["machine"]
    assert stage(tmp_path, focus(charge, "1.2", ServiceName=None)) == stage(
        tmp_path, focus(charge, "1.2")
    )


@pytest.mark.parametrize(
    "publisher",
    ["Amazon Web Services, Inc.", "AWS EMEA SARL", "Amazon Web Services India Private Limited"],
)
def test_amazons_companies_are_aws(tmp_path: Path, publisher: str) -> None:
    row = stage(tmp_path, focus(CHARGES["machine"], "1.2", PublisherName=publisher))
    assert (row["service_provider_name"], row["x_line_class"]) == ("AWS", "instance")


def test_what_somebody_else_publishes_is_theirs(tmp_path: Path) -> None:
    row = stage(tmp_path, focus(CHARGES["machine"], "1.2", PublisherName="Awsome Inc."))
    assert (row["service_provider_name"], row["x_line_class"]) == ("Awsome Inc.", "saas")


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({"ContractedCost": 2.5, "ContractedUnitPrice": 9.0}, "2.5"),
        ({"ContractedUnitPrice": 1.3, "PricingQuantity": 3.0}, "3.9"),
        ({"ContractedUnitPrice": 1.3, "PricingQuantity": None}, "2.75"),
        ({"ContractedUnitPrice": 1e9}, "2.75"),
        ({"CommitmentDiscountId": PLAN, "BilledCost": 0.0, "EffectiveCost": 1.5}, "3.25"),
    ],
    ids=["stated", "by its price", "price without quantity", "price too large", "covered"],
)
def test_a_contracted_cost_that_is_null_is_mended(
    tmp_path: Path, columns: Mapping[str, object], wanted: str
) -> None:
    row = stage(tmp_path, focus(CHARGES["machine"], "1.2", **columns))
    assert row["contracted_cost"] == Decimal(wanted)


def test_discounts_that_costs_already_have_are_not_taken_off_again(tmp_path: Path) -> None:
    line = focus(CHARGES["machine"], "1.0") | {"x_Discounts": '{"EDP": -0.25}'}
    row = stage(tmp_path, line)
    assert (row["billed_cost"], row["effective_cost"]) == (Decimal("2.75"), Decimal("2.75"))


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({"ChargeCategory": "Adjustment", "BilledCost": -3.0, "EffectiveCost": -3.0}, "credit"),
        ({"ChargeCategory": "Adjustment"}, "instance"),
        ({"ChargeClass": "Correction", "BilledCost": -3.0, "EffectiveCost": -3.0}, "instance"),
        ({"CommitmentDiscountStatus": "Unused", "BilledCost": 0.0}, "commitment_unused"),
        ({"ChargeCategory": "Purchase", "EffectiveCost": 0.0}, "purchase"),
        ({"ChargeCategory": "Tax"}, "tax"),
    ],
    ids=["refund", "rounding", "correction", "unused", "fee", "tax"],
)
def test_what_is_no_use_is_classed_as_in_the_report(
    tmp_path: Path, columns: Mapping[str, object], wanted: str
) -> None:
    assert stage(tmp_path, focus(CHARGES["machine"], "1.0", **columns))["x_line_class"] == wanted


def test_costs_of_thousands_keep_every_place_of_a_double(tmp_path: Path) -> None:
    row = stage(tmp_path, focus(CHARGES["machine"], "1.2", BilledCost=23456.789012345))
    assert row["billed_cost"] == Decimal("23456.789012345")
