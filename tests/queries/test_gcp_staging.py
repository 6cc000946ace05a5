"""Google Cloud bills as staged lines: money to the last digit, and what each line is."""

from __future__ import annotations

import ast
import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from queries.totals import raw_totals
from tests.connectors.gcp_lines import MACHINE, Line, credit, line, pairs
from tests.queries.bills import DATA, lines_of, stage_rows, staged, sum_column, sum_printed_credits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

KIND, TABLE = "gcp_billing", "gcp_billing__line_items"
SAMPLES = sorted((DATA / "gcp_billing").rglob("*.csv"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem[:12])
def test_a_sample_is_staged_to_the_last_digit(path: Path) -> None:
    rows = stage_rows(KIND, [path])
    assert sum(Decimal(str(row["billed_cost"])) for row in rows) == (
        sum_column([path], "cost")[0] + sum_printed_credits([path])
    )
    lines = list(lines_of(path))
    promotions = sum(len(ast.literal_eval(line["credits"])) for line in lines)
    assert len(rows) == len(lines) + promotions
    assert sum(row["charge_category"] == "Credit" for row in rows) == promotions
    before = sum(Decimal(str(row["list_cost"])) for row in rows)
    assert before == sum(Decimal(line["cost"]) for line in lines)


def test_the_sample_of_2022_is_transfer_of_one_machine() -> None:
    (path,) = [path for path in SAMPLES if "2022" in path.name]
    rows = stage_rows(KIND, [path])
    assert {
        (row["x_line_class"], row["x_from_region"], row["x_to_region"], row["sub_account_id"])
        for row in rows
    } == {("transfer", "us-central1", "internet", "cloud-billing-292519")}


def agrees(paths: Sequence[Path]) -> bool:
    """Tell whether the models and the raw totals agree under every key."""
    found = {
        (
            total.billing_account_id,
            total.billing_period,
            total.charge_month,
            total.billing_currency,
            total.measure,
        ): total.amount
        for total in raw_totals(TABLE, paths)
    }
    with staged(KIND, paths) as con:
        rows = con.execute(
            "select coalesce(billing_account_id, ''), strftime(billing_period, '%Y-%m'), "
            "strftime(charge_date, '%Y-%m'), billing_currency, sum(billed_cost), "
            "sum(effective_cost) from staged group by all"
        ).fetchall()
    wanted = {}
    for *key, billed, effective in rows:
        wanted[(*key, "billed_cost")] = billed
        wanted[(*key, "effective_cost")] = effective
    return found == wanted


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem[:12])
def test_the_models_and_the_raw_totals_agree_on_a_sample(path: Path) -> None:
    assert agrees([path])


# Lines as the table of BigQuery has them, nested

SPEC = (
    ("compute.googleapis.com/machine_spec", "a2-highgpu-1g"),
    ("compute.googleapis.com/cores", "12"),
    ("compute.googleapis.com/memory", "87040"),
)


PAIR = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
TAG = {"key": pl.String, "value": pl.String, "inherited": pl.Boolean, "namespace": pl.String}
SCHEMA: Mapping[str, Any] = {
    "project": pl.Struct({"id": pl.String, "name": pl.String, "labels": PAIR}),
    "labels": PAIR,
    "system_labels": PAIR,
    "tags": pl.List(pl.Struct(TAG)),
    "credits": pl.List(
        pl.Struct(
            {
                "name": pl.String,
                "amount": pl.Float64,
                "full_name": pl.String,
                "id": pl.String,
                "type": pl.String,
            }
        )
    ),
    "cost_at_list": pl.Decimal(38, 9),
    "seller_name": pl.String,
    "adjustment_info": pl.Struct({"id": pl.String, "mode": pl.String}),
    "consumption_model": pl.Struct({"id": pl.String, "description": pl.String}),
}


def parquet(path: Path, lines: Sequence[Line], **schema: Any) -> Path:
    """Write lines as an export of the table does."""
    pl.DataFrame(lines, schema_overrides={**SCHEMA, **schema}).write_parquet(path)
    return path


def json_lines(path: Path, lines: Sequence[Line]) -> Path:
    """Write lines as an extract job of BigQuery does: no nulls, decimals and times as text."""
    rows = [{key: value for key, value in each.items() if value is not None} for each in lines]
    text = "".join(f"{json.dumps(row, default=_as_text)}\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return path


def _as_text(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)


def flat(path: Path, lines: Sequence[Line], show: Any = json.dumps) -> Path:
    """Write lines as text with flattened headers."""
    with path.open("w", encoding="utf-8", newline="") as text:
        rows = [_flat(each, show) for each in lines]
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def _flat(each: Line, show: Any) -> dict[str, str]:
    row: dict[str, str] = {}
    for key, value in each.items():
        if isinstance(value, dict):
            row |= {
                f"{key}.{name}": "" if part is None else show(part) if name == "labels" else part
                for name, part in value.items()
            }
        else:
            row[key] = show(value) if isinstance(value, list) else "" if value is None else value
    return {key: str(value) for key, value in row.items()}


@pytest.mark.parametrize(
    ("changes", "golden"),
    [
        ({}, [("Usage", "instance", "1")]),
        (
            {"credits": [credit("SUSTAINED_USAGE_DISCOUNT", -0.25), credit("DISCOUNT", -0.05)]},
            [("Usage", "instance", "0.7")],
        ),
        (
            {"credits": [credit("PROMOTION", -0.4), credit("FREE_TIER", -0.1)]},
            [("Usage", "instance", "0.9"), ("Credit", "credit", "-0.4")],
        ),
        (
            {"credits": [credit("PROMOTION", -0.4)] * 2},
            [("Usage", "instance", "1"), *[("Credit", "credit", "-0.4")] * 2],
        ),
        (
            {"credits": [credit(None, -0.3), credit("SOMETHING_NEW", -0.2)]},
            [
                ("Usage", "instance", "1"),
                ("Credit", "credit", "-0.3"),
                ("Credit", "credit", "-0.2"),
            ],
        ),
        ({"cost_type": "tax", "cost": 19.0}, [("Tax", "tax", "19")]),
        ({"cost_type": "rounding_error", "cost": -0.01}, [("Adjustment", "credit", "-0.01")]),
        ({"cost_type": "adjustment", "cost": -5.0}, [("Adjustment", "instance", "-5")]),
        (
            {"sku": "Commitment v1: A100 in Americas for 1 Year"},
            [("Purchase", "purchase", "1")],
        ),
        (
            {
                "sku": "Commitment - dollar based v1: GCE for 1 Year",
                "cost": 10.0,
                "credits": [credit("FEE_UTILIZATION_OFFSET", -8.5)],
            },
            [("Purchase", "commitment_unused", "1.5")],
        ),
        ({"seller_name": "Weights & Co"}, [("Usage", "saas", "1")]),
        ({"seller_name": "Google LLC"}, [("Usage", "instance", "1")]),
    ],
)
def test_each_kind_of_line_counts_as_written_down_by_hand(
    tmp_path: Path, changes: Line, golden: Sequence[tuple[str, str, str]]
) -> None:
    nested = parquet(tmp_path / "nested.parquet", [line(**changes)])
    texts = flat(tmp_path / "flat.csv", [line(**changes)])
    printed = flat(tmp_path / "printed.csv", [line(**changes)], repr)
    objects = json_lines(tmp_path / "objects.json", [line(**changes)])
    rows = stage_rows(KIND, [nested])
    assert rows == stage_rows(KIND, [texts]) == stage_rows(KIND, [printed])
    assert rows == stage_rows(KIND, [objects])
    found = [(row["charge_category"], row["x_line_class"], row["billed_cost"]) for row in rows]
    assert sorted(map(str, found)) == sorted(
        str((category, kind, Decimal(cost).quantize(Decimal("1e-12"))))
        for category, kind, cost in golden
    )
    total = sum(Decimal(cost) for *_, cost in golden)
    for path in (nested, texts, printed, objects):
        assert {each.amount for each in raw_totals(TABLE, [path])} == {total}
        assert {each.rows for each in raw_totals(TABLE, [path])} == {1}


def test_a_machine_is_its_cores_memory_and_gpus(tmp_path: Path) -> None:
    """Core-seconds are hours of the machine; the GPU is a line of its own with the same name."""
    spec: Line = {"system_labels": pairs(*SPEC)}
    lines = [
        line(usage={"amount": 12 * 1800.0, "unit": "seconds"}, **spec),
        line(sku="A2 Instance Ram running in Americas", **spec),
        line(sku="Nvidia Tesla A100 GPU running in Americas", **spec),
        line(
            sku="Nvidia Tesla T4 GPU attached to Spot Preemptible VMs",
            usage={"amount": 4 * 3600.0, "unit": "seconds"},
            system_labels=pairs(("compute.googleapis.com/machine_spec", "n1-standard-8")),
            resource={"name": "n1", "global_name": MACHINE},
        ),
    ]
    rows = stage_rows(KIND, [parquet(tmp_path / "a.parquet", lines)])
    by_meter = {str(row["sku_meter"]).split()[2]: row for row in rows}
    assert {row["x_line_class"] for row in rows} == {"instance"}
    assert {row["resource_id"] for row in rows} == {"trainer-1", "n1"}
    core, gpu, t4 = by_meter["Core"], by_meter["A100"], by_meter["T4"]
    assert (core["consumed_quantity"], core["consumed_unit"]) == (Decimal("0.5"), "Hours")
    assert (core["x_instance_type"], core["x_cpu_count"], core["x_memory_gib"]) == (
        "a2-highgpu-1g",
        Decimal(12),
        Decimal(85),
    )
    assert gpu["x_gpu_count"] is None, "the table of instance types knows better"
    assert (t4["x_gpu_count"], t4["pricing_category"]) == (Decimal(4), "Dynamic")


def test_labels_tags_and_labels_of_the_project_are_told_apart(tmp_path: Path) -> None:
    labels = pairs(
        ("team", "vision"),
        ("k8s-namespace", "train"),
        ("k8s-label/user", "ada"),
        ("team", "a second value of one key"),
    )
    (row,) = stage_rows(KIND, [parquet(tmp_path / "a.parquet", [line(labels=labels)])])
    assert row["tags"] == {
        "team": "vision",
        "k8s-namespace": "train",
        "k8s-label/user": "ada",
        "tag/env": "prod",
        "project-label/team": "platform",
    }


def test_the_invoice_and_the_use_are_two_months(tmp_path: Path) -> None:
    late = line(
        usage_start_time=datetime(2026, 4, 30, 23, tzinfo=UTC),
        usage_end_time=datetime(2026, 5, 1, tzinfo=UTC),
        adjustment_info={"id": "x", "mode": "COMPLETE_NEGATION"},
        cost=-1.0,
        cost_type="adjustment",
    )
    path = parquet(tmp_path / "a.parquet", [late])
    (row,) = stage_rows(KIND, [path])
    assert (row["billing_period"], row["charge_date"]) == (date(2026, 5, 1), date(2026, 4, 30))
    assert row["charge_class"] == "Correction"
    assert {(t.billing_period, t.charge_month) for t in raw_totals(TABLE, [path])} == {
        ("2026-05", "2026-04")
    }


@pytest.mark.parametrize(
    ("service", "sku", "kind", "target"),
    [
        ("Compute Engine", "N1 Predefined Instance Core running in Americas", "instance", None),
        ("Compute Engine", "Spot Preemptible A3 High Instance Ram", "instance", None),
        ("Compute Engine", "Nvidia L4 GPU running in Belgium", "instance", None),
        ("Compute Engine", "Custom Instance Core running in Finland", "instance", None),
        ("Compute Engine", "SSD backed Local Storage", "instance", None),
        ("Compute Engine", "Storage PD Capacity", "volume", None),
        ("Compute Engine", "Balanced PD Capacity in Belgium", "volume", None),
        ("Compute Engine", "Hyperdisk Balanced IOPS", "volume", None),
        ("Cloud Filestore", "Filestore Capacity Basic SSD", "volume", None),
        ("Compute Engine", "Storage PD Snapshot in US", "snapshot", None),
        ("Compute Engine", "Storage Machine Image", "snapshot", None),
        ("Networking", "Networking Cloud Nat Data Processing", "nat", None),
        ("Networking", "Cloud NAT Gateway: uptime charge", "nat", None),
        ("Networking", "Network Load Balancing: Forwarding Rule", "load_balancer", None),
        ("Compute Engine", "Network Internet Egress from Americas to EMEA", "transfer", "internet"),
        (
            "Compute Engine",
            "Network Inter Region Data Transfer Out from Netherlands to Iowa",
            "transfer",
            "us-central1",
        ),
        ("Compute Engine", "Network Inter Zone Egress", "transfer", "us-central1"),
        ("Cloud Storage", "Download Worldwide Destinations", "transfer", "internet"),
        ("Cloud Storage", "Standard Storage US Multi-region", "object_storage", None),
        ("Cloud Storage", "Regional Standard Class A Operations", "object_requests", None),
        ("Cloud Storage", "Nearline Data Retrieval", "object_requests", None),
        ("Kubernetes Engine", "Regional Kubernetes Clusters", "control_plane", None),
        ("Vertex AI", "Training: A100 GPU in Americas", "managed_job", None),
        ("Vertex AI", "Gemini 3 Pro Text Input", "other", None),
        ("Support", "Enhanced Support", "support", None),
        ("BigQuery", "Analysis", "other", None),
    ],
)
def test_the_words_of_a_sku_say_what_a_line_is(
    tmp_path: Path, service: str, sku: str, kind: str, target: str | None
) -> None:
    (row,) = stage_rows(KIND, [parquet(tmp_path / "a.parquet", [line(service, sku)])])
    assert (row["x_line_class"], row["x_to_region"]) == (kind, target)


def test_a_price_with_commitment_is_committed_and_effective_as_it_stands(tmp_path: Path) -> None:
    new = line(consumption_model={"id": "7754", "description": "CUD - 3 years"}, cost=0.46)
    (row,) = stage_rows(KIND, [parquet(tmp_path / "a.parquet", [new])])
    assert (row["pricing_category"], row["commitment_discount_status"]) == ("Committed", "Used")
    assert (row["effective_cost"], row["list_cost"]) == (Decimal("0.46"), Decimal(2))


def test_identical_lines_and_credits_are_all_kept(tmp_path: Path) -> None:
    lines = [line(credits=[credit("PROMOTION", -0.5)])] * 7
    rows = stage_rows(KIND, [parquet(tmp_path / "a.parquet", lines)])
    assert [row["billed_cost"] for row in rows].count(Decimal(1)) == 7
    assert [row["billed_cost"] for row in rows].count(Decimal("-0.5")) == 7


@pytest.mark.parametrize("amount", ["-1234567890.123456789", "-0.000000000123456789012345"])
def test_amounts_of_more_digits_than_a_double_has_are_exact(tmp_path: Path, amount: str) -> None:
    """As NUMERIC in Parquet, and as a number in JSON."""
    text = flat(tmp_path / "a.csv", [line(credits=[credit("PROMOTION", -7.0)])])
    text.write_text(text.read_text("utf-8").replace("-7.0", amount), "utf-8")
    assert agrees([text])
    exact = Decimal(amount).quantize(Decimal("1e-12"))
    assert exact in [row["billed_cost"] for row in stage_rows(KIND, [text])]


costs = st.floats(-2000, 2000) | st.floats(-1e9, 1e9) | st.sampled_from([0.0, 5e-6, 1e-13])
kinds = st.sampled_from(["PROMOTION", "DISCOUNT", "FREE_TIER", None, "NEW"])
many = st.lists(
    st.tuples(costs, st.lists(st.tuples(kinds, costs), max_size=4), st.sampled_from(["04", "05"])),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=many)
def test_whatever_a_bill_holds_the_models_and_the_raw_totals_agree(
    tmp_path: Path, drawn: list[tuple[float, list[tuple[str | None, float]], str]]
) -> None:
    lines = [
        line(
            cost=cost,
            credits=[credit(kind, amount) for kind, amount in reliefs],
            invoice={"month": f"2026{month}"},
        )
        for cost, reliefs, month in drawn
    ]
    assert agrees([parquet(tmp_path / "nested.parquet", lines)])
    assert agrees([flat(tmp_path / "flat.csv", lines)])
