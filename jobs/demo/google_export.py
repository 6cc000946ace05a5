"""Google's bill as BigQuery exports the table of detailed usage: nested Parquet, a folder a month.

Source: https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/detailed-usage
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from jobs.demo.google import COMPUTE, KUBERNETES, PROJECT, REGION
from jobs.demo.world import COMPANY, DAY, TICKS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from polars.datatypes import DataType, DataTypeClass

    from jobs.demo.charges import Charge
    from jobs.demo.world import World

_PAIRS: Final = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
_TIME: Final = pl.Datetime("us", "UTC")
_TEXTS: Final = ("name", "full_name", "id", "type")
_CREDITS: Final = pl.List(pl.Struct({**dict.fromkeys(_TEXTS, pl.String), "amount": pl.Float64}))
_SCHEMA: Final[Mapping[str, DataType | DataTypeClass]] = {
    "billing_account_id": pl.String,
    "service": pl.Struct({"id": pl.String, "description": pl.String}),
    "sku": pl.Struct({"id": pl.String, "description": pl.String}),
    "usage_start_time": _TIME,
    "usage_end_time": _TIME,
    "project": pl.Struct({"id": pl.String, "name": pl.String, "labels": _PAIRS}),
    "labels": _PAIRS,
    "system_labels": _PAIRS,
    "location": pl.Struct(dict.fromkeys(("location", "region", "zone"), pl.String)),
    "resource": pl.Struct({"name": pl.String, "global_name": pl.String}),
    "export_time": _TIME,
    "cost": pl.Float64,
    "currency": pl.String,
    "usage": pl.Struct({"amount": pl.Float64, "unit": pl.String}),
    "credits": _CREDITS,
    "invoice": pl.Struct({"month": pl.String}),
    "cost_type": pl.String,
}
_SERVICES: Final = {COMPUTE: "6F81-5844-456A", KUBERNETES: "CCD8-9BF1-090E"}
_LABELS: Final = {"user_team": "team", "user_project": "project", "user_owner": "user"}
Row = dict[str, object]


def write_google(folder: Path, world: World, charges: Sequence[Charge]) -> None:
    """Write each month's file: `2026-10/detailed-000000000000.parquet`."""
    for period in world.calendar.periods:
        rows: list[Row] = []
        credits_of: list[Row] = []
        for charge in (one for one in charges if one.period is period):
            if charge.line_type == "Credit":
                credits_of.append(_credit("PROMOTION", "Startup credits 2026", charge.cost))
                continue
            credits_of = []
            if charge.billed is not None:
                off = charge.billed - charge.cost
                credits_of.append(_credit("COMMITTED_USAGE_DISCOUNT", "Committed use", off))
            rows.append(_row(charge, credits_of))
        if rows:
            path = folder / period.name / "detailed-000000000000.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pl.DataFrame(rows, schema=_SCHEMA).write_parquet(path, compression="zstd")


def _credit(kind: str, name: str, amount: int) -> Row:
    code = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
    return {"name": name, "full_name": name, "id": code, "type": kind, "amount": amount / TICKS}


def _row(charge: Charge, credits_of: Sequence[Row]) -> Row:
    sku = hashlib.blake2b(charge.usage_type.encode(), digest_size=6).hexdigest().upper()
    code = f"{sku[:4]}-{sku[4:8]}-{sku[8:]}"
    place = f"//compute.googleapis.com/projects/41/zones/{charge.zone}/instances/{charge.resource}"
    return {
        "billing_account_id": "01A2B3-C4D5E6-F70819",
        "service": {"id": _SERVICES.get(charge.product, ""), "description": charge.product},
        "sku": {"id": code, "description": charge.usage_type},
        "usage_start_time": _time(charge.start),
        "usage_end_time": _time(charge.end),
        "project": {
            "id": PROJECT,
            "name": f"{COMPANY} search",
            "labels": _pairs({"environment": "research"}),
        },
        "labels": _pairs(_labels(charge)),
        "system_labels": _pairs(_system_labels(charge)),
        "location": {"location": REGION, "region": REGION, "zone": charge.zone or None},
        "resource": {
            "name": charge.resource or None,
            "global_name": place if charge.product == COMPUTE else None,
        },
        "export_time": _time(charge.end + DAY // 4),
        "cost": charge.cost / TICKS,
        "currency": "USD",
        "usage": {"amount": charge.amount, "unit": charge.unit},
        "credits": credits_of,
        "invoice": {"month": charge.period.name.replace("-", "")},
        "cost_type": "tax" if charge.line_type == "Tax" else "regular",
    }


def _labels(charge: Charge) -> dict[str, str]:
    if not charge.namespace:
        return dict(charge.tags)
    labels = {
        "goog-k8s-cluster-name": "search-l4",
        "k8s-namespace": charge.namespace,
    }
    if charge.is_labelled:
        labels |= {f"k8s-label/{_LABELS[key]}": value for key, value in charge.tags.items()}
    return labels


def _system_labels(charge: Charge) -> dict[str, str]:
    if not charge.instance_type:
        return {}
    return {
        "compute.googleapis.com/machine_spec": charge.instance_type,
        "compute.googleapis.com/cores": "24",
        "compute.googleapis.com/memory": str(96 * 1024),
    }


def _pairs(values: dict[str, str]) -> list[Row]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _time(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
