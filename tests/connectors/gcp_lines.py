"""Lines of Google's detailed export as its table has them, nested, and the table's schema."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Line = dict[str, Any]
MACHINE = "//compute.googleapis.com/projects/7/zones/us-central1-a/instances/5487"


def pairs(*entries: tuple[str, str]) -> list[Line]:
    """Return labels as the export nests them."""
    return [{"key": key, "value": value} for key, value in entries]


def credit(kind: str | None, amount: float, name: str = "a credit") -> Line:
    """Return a credit of a line."""
    return {"name": name, "amount": amount, "full_name": name, "id": name, "type": kind}


def line(service: str = "Compute Engine", sku: str = "A2 Instance Core", **changes: Any) -> Line:
    """Return a line of one hour of May 2026, as the detailed export nests it."""
    return {
        "billing_account_id": "01A-02B-03C",
        "service": {"id": "6F81-5844-456A", "description": service},
        "sku": {"id": "AAAA-BBBB-CCCC", "description": sku},
        "usage_start_time": datetime(2026, 5, 17, 3, tzinfo=UTC),
        "usage_end_time": datetime(2026, 5, 17, 4, tzinfo=UTC),
        "project": {"id": "ml", "name": "ML", "labels": pairs(("team", "platform"))},
        "labels": pairs(),
        "system_labels": pairs(),
        "location": {"location": "us-central1", "region": "us-central1", "zone": "us-central1-a"},
        "resource": {"name": "trainer-1", "global_name": MACHINE},
        "tags": [{"key": "env", "value": "prod", "inherited": True, "namespace": "acme"}],
        "export_time": datetime(2026, 5, 17, 9, 30, tzinfo=UTC),
        "cost": 1.0,
        "cost_at_list": Decimal("2.000000000"),
        "currency": "EUR",
        "usage": {"amount": 3600.0, "unit": "seconds"},
        "credits": [],
        "invoice": {"month": "202605"},
        "cost_type": "regular",
        "adjustment_info": {"id": None, "mode": None},
        "seller_name": None,
        "consumption_model": {"id": None, "description": None},
        **changes,
    }


def _text(*names: str) -> list[Line]:
    return [{"name": name, "type": "STRING", "mode": "NULLABLE"} for name in names]


def _record(name: str, *fields: Line, mode: str = "NULLABLE") -> Line:
    return {"name": name, "type": "RECORD", "mode": mode, "fields": list(fields)}


def _of(kind: str, *names: str) -> list[Line]:
    return [{"name": name, "type": kind, "mode": "NULLABLE"} for name in names]


_PAIR = _text("key", "value")
FIELDS: list[Line] = [
    *_text("billing_account_id", "currency", "cost_type", "seller_name"),
    _record("service", *_text("id", "description")),
    _record("sku", *_text("id", "description")),
    *_of("TIMESTAMP", "usage_start_time", "usage_end_time", "export_time"),
    _record("project", *_text("id", "name"), _record("labels", *_PAIR, mode="REPEATED")),
    _record("labels", *_PAIR, mode="REPEATED"),
    _record("system_labels", *_PAIR, mode="REPEATED"),
    _record("location", *_text("location", "region", "zone")),
    _record("resource", *_text("name", "global_name")),
    _record("tags", *_PAIR, *_of("BOOLEAN", "inherited"), *_text("namespace"), mode="REPEATED"),
    *_of("FLOAT", "cost"),
    *_of("NUMERIC", "cost_at_list"),
    _record("usage", *_of("FLOAT", "amount"), *_text("unit")),
    _record(
        "credits",
        *_text("name"),
        *_of("FLOAT", "amount"),
        *_text("full_name", "id", "type"),
        mode="REPEATED",
    ),
    _record("invoice", *_text("month")),
    _record("adjustment_info", *_text("id", "mode")),
    _record("consumption_model", *_text("id", "description")),
]
"""The table's schema as BigQuery's API describes it."""
