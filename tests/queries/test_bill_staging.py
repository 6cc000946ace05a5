"""Bills as staged lines: every sample's money to the last digit, and what each line is."""

from __future__ import annotations

import csv
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from queries.totals import raw_totals
from tests.queries.bills import DATA, lines_of, stage_rows, staged, sum_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

AWS = DATA / "aws_cur"
LEGACY = "lineItem/UnblendedCost"
FOCUS_SAMPLES = sorted(
    path for path in (DATA / "focus").rglob("*.csv") if path.parent.name != "spec_1_2_refused"
)
AWS_SAMPLES: Mapping[Path, str] = {
    AWS / "legacy_sample/sample-anonymous-aws-export-dataset.csv": LEGACY,
    AWS / "keboola/keboola_cur1.csv": LEGACY,
    AWS / "keboola/keboola_cur2.csv": "line_item_unblended_cost",
    AWS / "sbroenne/sbroenne_legacy.csv": LEGACY,
    AWS / "sbroenne/sbroenne_cur20.csv": "line_item_unblended_cost",
    AWS / "fivetran/aws_cost_report.csv": "line_item_unblended_cost",
    AWS / "koku/aws_2022-07-01-alt-columns.csv": LEGACY,
    AWS / "koku/aws_2023-06-01-not-final.csv": LEGACY,
    AWS / "koku/aws_2023-06-01.csv": LEGACY,
    next((AWS / "koku_local_bucket").rglob("*.csv.gz")): LEGACY,
}


def totals(kind: str, path: Path) -> tuple[Decimal, Decimal]:
    """Return what the staged lines of a file are billed, and effectively cost."""
    with staged(kind, [path]) as con:
        row = con.execute(
            "select coalesce(sum(billed_cost), 0), coalesce(sum(effective_cost), 0) from staged"
        ).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("path", FOCUS_SAMPLES, ids=lambda path: path.stem)
def test_a_focus_sample_is_staged_to_the_last_digit(path: Path) -> None:
    billed, _ = sum_column([path], "BilledCost")
    effective, _ = sum_column([path], "EffectiveCost")
    assert totals("focus", path) == (billed, effective)
    assert len(stage_rows("focus", [path])) == sum(1 for _ in lines_of(path))


@pytest.mark.parametrize("path", AWS_SAMPLES, ids=lambda path: path.stem)
def test_an_aws_sample_is_staged_to_the_last_digit(path: Path) -> None:
    billed, _ = sum_column([path], AWS_SAMPLES[path])
    assert totals("aws_cur", path)[0] == billed
    assert len(stage_rows("aws_cur", [path])) == sum(1 for _ in lines_of(path))


@pytest.mark.parametrize("path", [*FOCUS_SAMPLES, *AWS_SAMPLES], ids=lambda path: path.stem)
def test_the_models_and_the_raw_totals_agree_under_every_key(path: Path) -> None:
    kind = "focus" if path in FOCUS_SAMPLES else "aws_cur"
    table = "focus__cost_and_usage" if kind == "focus" else "aws_cur__line_items"
    found = {
        (
            total.billing_account_id,
            total.billing_period,
            total.charge_month,
            total.billing_currency,
            total.measure,
        ): total.amount
        for total in raw_totals(table, [path])
    }
    with staged(kind, [path]) as con:
        rows = con.execute(
            "select coalesce(billing_account_id, ''), strftime(billing_period, '%Y-%m'), "
            "strftime(charge_date, '%Y-%m'), billing_currency, sum(billed_cost), "
            "sum(effective_cost) from staged group by all"
        ).fetchall()
    wanted = {}
    for *key, billed, effective in rows:
        wanted[(*key, "billed_cost")] = billed
        wanted[(*key, "effective_cost")] = effective
    assert found == wanted


# Line item types. The covered pair is AWS's own example: 0.0416 on demand, 0.0260 with the plan.
COLUMNS = (
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_unblended_cost",
    "reservation_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "savings_plan_savings_plan_a_r_n",
    "reservation_reservation_a_r_n",
)
SP, RI = "arn:aws:savingsplans::1:savingsplan/sp-1", "arn:aws:ec2:us-east-1:1:reserved-instances/r"
BOX = "BoxUsage:p4d.24xlarge"
Line = tuple[str, ...]
Golden = tuple[str, str, str, str]
"""Category, class of line, billed, effective."""
TYPES: Sequence[tuple[Line, Sequence[Golden]]] = (
    (
        ("Usage", "AmazonEC2", BOX, "32.77", "", "", "", "", "", "", "", ""),
        [("Usage", "instance", "32.77", "32.77")],
    ),
    (
        ("DiscountedUsage", "AmazonEC2", BOX, "0", "19.22", "", "", "", "", "", "", RI),
        [("Usage", "instance", "0", "19.22")],
    ),
    (
        ("DiscountedUsage", "AmazonEC2", BOX, "3.5", "", "", "", "", "", "", "", RI),
        [("Usage", "instance", "3.5", "3.5")],
    ),
    (
        ("RIFee", "AmazonEC2", "HeavyUsage:p4d.24xlarge", "744", "", "10", "5", "", "", "", "", RI),
        [("Purchase", "purchase", "744", "0"), ("Usage", "commitment_unused", "0", "15")],
    ),
    (
        ("RIFee", "AmazonEC2", "HeavyUsage:p4d.24xlarge", "744", "", "", "", "", "", "", "", RI),
        [("Purchase", "purchase", "744", "744"), ("Usage", "commitment_unused", "0", "0")],
    ),
    (
        ("Fee", "AmazonEC2", "HeavyUsage:p4d.24xlarge", "9000", "", "", "", "", "", "", "", RI),
        [("Purchase", "purchase", "9000", "0")],
    ),
    (
        ("Fee", "AmazonRoute53", "Route53-Domains", "12", "", "", "", "", "", "", "", ""),
        [("Purchase", "purchase", "12", "12")],
    ),
    (
        ("Fee", "AWSSupportBusiness", "Dollar", "100", "", "", "", "", "", "", "", ""),
        [("Purchase", "support", "100", "100")],
    ),
    (
        (
            "SavingsPlanCoveredUsage",
            "AmazonEC2",
            BOX,
            "0.0416",
            "",
            "",
            "",
            "0.026",
            "",
            "",
            SP,
            "",
        ),
        [("Usage", "instance", "0.0416", "0.026")],
    ),
    (
        ("SavingsPlanNegation", "AmazonEC2", BOX, "-0.0416", "", "", "", "", "", "", SP, ""),
        [("Usage", "instance", "-0.0416", "0")],
    ),
    (
        (
            *("SavingsPlanRecurringFee", "ComputeSavingsPlans", "ComputeSP:1yrNoUpfront", "12.5"),
            *("", "", "", "", "12.5", "11.25", SP, ""),
        ),
        [("Purchase", "purchase", "12.5", "0"), ("Usage", "commitment_unused", "0", "1.25")],
    ),
    (
        (
            *("SavingsPlanUpfrontFee", "ComputeSavingsPlans", "ComputeSP:1yrAllUpfront", "5000"),
            *("", "", "", "", "", "", SP, ""),
        ),
        [("Purchase", "purchase", "5000", "0")],
    ),
    (
        ("Tax", "AmazonEC2", "", "100.25", "", "", "", "", "", "", "", ""),
        [("Tax", "tax", "100.25", "100.25")],
    ),
    (
        ("Credit", "AmazonEC2", BOX, "-20.5", "", "", "", "", "", "", "", ""),
        [("Credit", "credit", "-20.5", "-20.5")],
    ),
    (
        ("Refund", "AmazonEC2", BOX, "-7", "", "", "", "", "", "", "", ""),
        [("Adjustment", "credit", "-7", "-7")],
    ),
    (
        ("Refund", "ComputeSavingsPlans", "ComputeSP", "-50", "", "", "", "", "", "", SP, ""),
        [("Adjustment", "credit", "-50", "0")],
    ),
    (
        ("EdpDiscount", "AmazonEC2", BOX, "-3", "", "", "", "", "", "", "", ""),
        [("Credit", "credit", "-3", "-3")],
    ),
    (
        ("PrivateRateDiscount", "AmazonS3", "Requests-Tier1", "-1", *([""] * 8)),
        [("Credit", "credit", "-1", "-1")],
    ),
    (
        ("BundledDiscount", "AmazonCloudFront", "CloudFront", "-2", *([""] * 8)),
        [("Credit", "credit", "-2", "-2")],
    ),
    (
        ("SomethingNew", "AmazonEC2", "Thing", "4", *([""] * 8)),
        [("Adjustment", "other", "4", "4")],
    ),
)


def write_lines(
    path: Path, lines: Sequence[Sequence[str]], columns: Sequence[str] = COLUMNS
) -> Path:
    """Write lines of a report, of one hour of May 2024."""
    fixed = {
        "bill_payer_account_id": "000000000001",
        "bill_billing_period_start_date": "2024-05-01T00:00:00Z",
        "line_item_usage_start_date": "2024-05-17T03:00:00Z",
        "line_item_usage_end_date": "2024-05-17T04:00:00Z",
        "line_item_currency_code": "USD",
    }
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow([*fixed, *columns])
        writer.writerows([*fixed.values(), *line] for line in lines)
    return path


@pytest.mark.parametrize(
    ("line", "golden"), TYPES, ids=[f"{line[0][0]}-{line[0][3]}" for line in TYPES]
)
def test_each_type_of_line_counts_as_written_down_by_hand(
    tmp_path: Path, line: Line, golden: Sequence[Golden]
) -> None:
    path = write_lines(tmp_path / "cur.csv", [line])
    found = {
        (
            row["charge_category"],
            row["x_line_class"],
            row["billed_cost"],
            row["effective_cost"],
        )
        for row in stage_rows("aws_cur", [path])
    }
    assert found == {
        (category, kind, Decimal(billed), Decimal(effective))
        for category, kind, billed, effective in golden
    }
    sums = {total.measure: total.amount for total in raw_totals("aws_cur__line_items", [path])}
    assert sums == {
        "billed_cost": sum(Decimal(row[2]) for row in golden),
        "effective_cost": sum(Decimal(row[3]) for row in golden),
    }


def test_the_parquet_of_a_report_counts_as_its_text(tmp_path: Path) -> None:
    """Doubles that are decimals of few places, and nulls where text has nothing."""
    text = write_lines(tmp_path / "cur.csv", [line for line, _ in TYPES])
    money = [
        column
        for column in COLUMNS
        if column.endswith(("cost", "fee", "period", "date", "commitment"))
    ]
    frame = pl.read_csv(text, infer_schema=False).with_columns(pl.col(money).cast(pl.Float64))
    frame.write_parquet(tmp_path / "cur.parquet")
    assert stage_rows("aws_cur", [tmp_path / "cur.parquet"]) == stage_rows("aws_cur", [text])
    assert raw_totals("aws_cur__line_items", [tmp_path / "cur.parquet"]) == raw_totals(
        "aws_cur__line_items", [text]
    )


@pytest.mark.parametrize(
    ("product", "usage", "wanted"),
    [
        ("AmazonEC2", "USW2-BoxUsage:p4d.24xlarge", ("instance", "p4d.24xlarge", None, None)),
        ("AmazonEC2", "EU-SpotUsage:g5.xlarge", ("instance", "g5.xlarge", None, None)),
        ("AmazonEC2", "UnusedBox:p5.48xlarge", ("instance", "p5.48xlarge", None, None)),
        ("AmazonEC2", "CPUCredits:t3", ("instance", None, None, None)),
        ("AmazonEC2", "APS4-EBS:VolumeUsage.gp3", ("volume", None, None, None)),
        ("AmazonEC2", "EBS:SnapshotUsage", ("snapshot", None, None, None)),
        ("AmazonEC2", "USE2-NatGateway-Bytes", ("nat", None, None, None)),
        ("AmazonVPC", "USE2-VpcEndpoint-Hours", ("nat", None, None, None)),
        ("AWSELB", "USE2-LCUUsage", ("load_balancer", None, None, None)),
        ("AmazonEKS", "USE2-AmazonEKS-Hours:perCluster", ("control_plane", None, None, None)),
        ("AmazonEKS", "USE2-EKS-EC2-vCPU-Hours", ("other", None, None, None)),
        ("AmazonS3", "TimedStorage-ByteHrs", ("object_storage", None, None, None)),
        ("AmazonS3", "EUC1-TimedStorage-INT-FA-ByteHrs", ("object_storage", None, None, None)),
        ("AmazonS3", "EUC1-Requests-Tier2", ("object_requests", None, None, None)),
        ("AmazonS3", "EUC1-Retrieval-SIA", ("object_requests", None, None, None)),
        ("AmazonS3", "USE1-APN3-AWS-Out-Bytes", ("transfer", None, "us-east-1", "ap-northeast-3")),
        ("AmazonS3", "USE1-APN3-AWS-In-Bytes", ("transfer", None, "ap-northeast-3", "us-east-1")),
        ("AmazonEC2", "DataTransfer-Out-Bytes", ("transfer", None, "us-east-1", "internet")),
        ("AmazonEC2", "EUW2-DataTransfer-In-Bytes", ("transfer", None, "internet", "eu-west-2")),
        (
            "AmazonEC2",
            "EUW2-DataTransfer-Regional-Bytes",
            ("transfer", None, "eu-west-2", "eu-west-2"),
        ),
        ("AmazonCloudFront", "EU-DataTransfer-Out-Bytes", ("transfer", None, None, "internet")),
        ("AmazonGuardDuty", "USE1-PaidEventsAnalyzed-Bytes", ("other", None, None, None)),
        (
            "AmazonSageMaker",
            "USE1-Train:ml.p4d.24xlarge",
            ("managed_job", "p4d.24xlarge", None, None),
        ),
        ("AmazonSageMaker", "USE1-Host:ml.g5.xlarge", ("managed_job", "g5.xlarge", None, None)),
        ("AmazonEFS", "USE1-TimedStorage-ByteHrs", ("volume", None, None, None)),
        ("AmazonSNS", "EUN1-Requests-Tier1", ("other", None, None, None)),
        ("AWSGlue", "ETL-DPU-Hour", ("managed_job", None, None, None)),
    ],
)
def test_a_usage_type_says_what_a_line_is(
    tmp_path: Path, product: str, usage: str, wanted: tuple[str | None, ...]
) -> None:
    """The class, then the type of the machine, then where bytes come from and go to."""
    path = write_lines(tmp_path / "cur.csv", [("Usage", product, usage, "1", *([""] * 8))])
    (row,) = stage_rows("aws_cur", [path])
    columns = ("x_line_class", "x_instance_type", "x_from_region", "x_to_region")
    assert tuple(row[column] for column in columns) == wanted


@pytest.mark.parametrize(
    ("product", "usage", "delivered", "staged_id"),
    [
        ("AmazonEC2", BOX, "i-0abc", "i-0abc"),
        ("AmazonEC2", BOX, "arn:aws:ec2:us-east-1:1:instance/i-0abc", "i-0abc"),
        ("AmazonEC2", "EBS:VolumeUsage.gp3", "arn:aws:ec2:us-east-1:1:volume/vol-1", "vol-1"),
        ("AmazonS3", "TimedStorage-ByteHrs", "arn:aws:s3:::acme-data", "acme-data"),
        ("AmazonS3", "TimedStorage-ByteHrs", "acme-data", "acme-data"),
        (
            "AmazonEC2",
            "EBS:SnapshotUsage",
            "arn:aws:ec2:us-east-1::snapshot/snap-1",
            "snap-1",
        ),
        (
            "AmazonEC2",
            "EBS:SnapshotUsage",
            "arn:aws:ec2:us-east-1:1:snapshot/snap-1",
            "snap-1",
        ),
        ("AmazonEC2", "NatGateway-Hours", "arn:aws:ec2:us-east-1:1:natgateway/nat-1", "nat-1"),
        ("AmazonEC2", "Reserved", f"{RI}-1", f"{RI}-1"),
        (
            "AWSELB",
            "LoadBalancerUsage",
            "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/a/1",
            "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/a/1",
        ),
        ("AmazonEC2", BOX, "", None),
    ],
)
def test_ids_of_ec2_and_of_buckets_are_their_last_part(
    tmp_path: Path, product: str, usage: str, delivered: str, staged_id: str | None
) -> None:
    line = ("Usage", product, usage, "1", *([""] * 8), delivered)
    columns = (*COLUMNS, "line_item_resource_id")
    (row,) = stage_rows("aws_cur", [write_lines(tmp_path / "cur.csv", [line], columns)])
    assert row["resource_id"] == staged_id


def test_tags_keep_their_keys_and_cost_categories_join_them(tmp_path: Path) -> None:
    columns = (*COLUMNS, "resourceTags/user:Team", "resourceTags/user:team", "costCategory/Unit")
    tagged = ("Usage", "AmazonEC2", BOX, "1", *([""] * 8), "vision", "nlp", "Research")
    bare = ("Usage", "AmazonEC2", BOX, "2", *([""] * 8), "", "", "")
    rows = stage_rows("aws_cur", [write_lines(tmp_path / "cur.csv", [tagged, bare], columns)])
    assert [row["tags"] for row in rows] == [
        {"Unit": "Research", "user:Team": "vision", "user:team": "nlp"},
        {},
    ]


def test_the_hour_of_a_charge_is_known_only_where_it_is_exactly_one(tmp_path: Path) -> None:
    line = ("Usage", "AmazonEC2", BOX, "1", *([""] * 8))
    (row,) = stage_rows("aws_cur", [write_lines(tmp_path / "hour.csv", [line])])
    assert row["charge_hour"] == datetime(2024, 5, 17, 3)  # noqa: DTZ001 - UTC without a zone
    assert (row["charge_date"], row["billing_period"]) == (date(2024, 5, 17), date(2024, 5, 1))
    day = (tmp_path / "hour.csv").read_text("utf-8").replace("17T04", "18T03")
    (tmp_path / "day.csv").write_text(day, "utf-8")
    (row,) = stage_rows("aws_cur", [tmp_path / "day.csv"])
    assert row["charge_hour"] is None


def test_identical_lines_are_all_kept(tmp_path: Path) -> None:
    line = ("Usage", "AmazonEC2", BOX, "1.5", *([""] * 8))
    path = write_lines(tmp_path / "cur.csv", [line] * 7)
    assert [row["billed_cost"] for row in stage_rows("aws_cur", [path])] == [Decimal("1.5")] * 7


def test_a_focus_line_of_a_marketplace_is_provided_by_its_publisher() -> None:
    rows = stage_rows("focus", [DATA / "focus/sample_1_0/focus_sample.csv"])
    providers = {(row["service_provider_name"], row["host_provider_name"]) for row in rows}
    assert providers == {
        ("AWS", "AWS"),
        ("Microsoft", "Microsoft"),
        ("Oracle", "Oracle"),
        ("Red Hat Inc.", "AWS"),
    }
    (saas,) = [row for row in rows if row["service_provider_name"] == "Red Hat Inc."]
    assert saas["x_line_class"] == "saas"


FOCUS_COLUMNS = (
    *("BilledCost", "EffectiveCost", "BillingPeriodStart", "ChargePeriodStart", "ChargeCategory"),
    *("ServiceCategory", "ServiceName", "SkuMeter", "ResourceType", "CommitmentDiscountStatus"),
    *("x_ServiceCode", "SkuPriceDetails", "ServiceProviderName", "HostProviderName"),
)


@pytest.mark.parametrize(
    ("line", "kind", "instance_type"),
    [
        ("Usage,Compute,Virtual Machines,NC24ads,Virtual machine,,,", "instance", None),
        ('Usage,Compute,EC2,x,,,,"{""InstanceType"": ""p5.48xlarge""}"', "other", None),
        (
            "Usage,Compute,Amazon Elastic Compute Cloud,USW2-BoxUsage:p5.48xlarge,,,AmazonEC2,",
            "instance",
            "p5.48xlarge",
        ),
        (
            'Usage,Compute,VM,x,instance,,,"{""InstanceType"":""a3-highgpu-8g"",""GpuCount"":8}"',
            "instance",
            "a3-highgpu-8g",
        ),
        ("Usage,Compute,VM,x,instance,Unused,,", "commitment_unused", None),
        ("Tax,Compute,VM,x,instance,,,", "tax", None),
        ("Credit,Compute,VM,x,instance,,,", "credit", None),
        ("Purchase,Compute,VM,x,instance,,,", "purchase", None),
        ("Usage,Storage,S3,EUC1-TimedStorage-ByteHrs,,,AmazonS3,", "object_storage", None),
        ("Usage,Storage,Storage Accounts,LRS Write Operations,,,,", "object_requests", None),
        ("Usage,Networking,Cloud NAT,x,,,,", "nat", None),
        ("Usage,Networking,Bandwidth,Inter-Region,,,,", "transfer", None),
        ("Usage,Management and Governance,AWS Support (Business),,,,,", "support", None),
        ("Usage,Integration,Queue,x,,,,", "other", None),
    ],
)
def test_a_focus_line_is_classified_by_category_meter_and_kind(
    tmp_path: Path, line: str, kind: str, instance_type: str | None
) -> None:
    path = tmp_path / "focus.csv"
    start = "1,1,2026-10-01T00:00:00Z,2026-10-01T00:00:00Z"
    text = f"{','.join(FOCUS_COLUMNS)}\n{start},{line},Cloud,Cloud\n"
    path.write_text(text, encoding="utf-8")
    (row,) = stage_rows("focus", [path])
    assert (row["x_line_class"], row["x_instance_type"]) == (kind, instance_type)


def test_lines_with_a_field_too_few_are_refused(tmp_path: Path) -> None:
    """A real damaged file: read loosely, its costs would slide into other columns."""
    assert tmp_path
    with pytest.raises(Exception, match="CSV Error on Line: 2"):
        stage_rows("aws_cur", [AWS / "koku/test_cur.csv"])
