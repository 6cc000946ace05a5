"""Azure's bill as Cost Management exports it, twice: actual and amortised cost, with manifests.

Both hold all usage. What a reservation covers costs nothing in the one and its part of the
reservation in the other; what went unused is in the second alone, and the fee in the first.

Source: https://learn.microsoft.com/azure/cost-management-billing/dataset-schema/cost-usage-details-ea
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from jobs.demo.azure import SERVICE, SUBSCRIPTION
from jobs.demo.world import DAY, HOUR, TICKS, day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from jobs.demo.charges import Charge
    from jobs.demo.world import Period, World

_KINDS: Final = {"actual": "ActualCost", "amortized": "AmortizedCost"}
_GROUP: Final = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ml/providers/Microsoft.Compute"
_TAGS: Final = {"user_team": "team", "user_project": "project", "user_owner": "owner"}


def _date(second: int) -> str:
    return day_of(second).isoformat()


def _tags(charge: Charge) -> str:
    """Return tags as Azure writes them: JSON without its braces."""
    named = {_TAGS[key]: value for key, value in charge.tags.items()}
    return json.dumps(named)[1:-1]


def _info(charge: Charge) -> str:
    return json.dumps({"ServiceType": charge.instance_type}) if charge.resource else ""


_COLUMNS: Final[Mapping[str, Callable[[Charge], str]]] = {
    "BillingAccountId": lambda _: "8611537",
    "BillingPeriodStartDate": lambda c: _date(c.period.start),
    "BillingPeriodEndDate": lambda c: _date(c.period.end - DAY),
    "Date": lambda c: _date(c.start),
    "ChargeType": lambda c: c.line_type,
    "PricingModel": lambda c: "Reservation" if c.plan else "OnDemand",
    "Frequency": lambda c: "Recurring" if c.line_type == "Purchase" else "UsageBased",
    "ConsumedService": lambda _: "Microsoft.Compute",
    "MeterCategory": lambda _: SERVICE,
    "MeterSubCategory": lambda c: c.instance_type,
    "MeterName": lambda c: c.usage_type,
    "UnitOfMeasure": lambda c: c.unit,
    "Quantity": lambda c: f"{c.amount:g}",
    "BillingCurrencyCode": lambda _: "EUR",
    "SubscriptionId": lambda c: c.account,
    "ResourceLocation": lambda c: c.region,
    "ResourceId": lambda c: f"{_GROUP}/virtualMachines/{c.resource}" if c.resource else "",
    "BenefitId": lambda c: c.plan,
    "ProductName": lambda c: c.description,
    "Tags": _tags,
    "AdditionalInfo": _info,
}


def write_azure(folder: Path, world: World, charges: Sequence[Charge]) -> None:
    """Write each month's run of both exports."""
    for period in world.calendar.periods:
        lines = [charge for charge in charges if charge.period is period]
        if lines:
            written = min(period.end + 5 * DAY, world.calendar.until + 6 * HOUR)
            for half in _KINDS:
                _write_run(folder / half, half, period, lines, written)


def _cost_in(half: str, charge: Charge) -> int | None:
    """Return what a line costs in an export; None where the export has no such line."""
    if half == "actual":
        return None if charge.line_type == "UnusedReservation" else charge.billed_cost
    return None if charge.line_type == "Purchase" else charge.effective_cost


def _write_run(
    folder: Path, half: str, period: Period, lines: Sequence[Charge], written: int
) -> None:
    at = datetime.fromtimestamp(written, UTC)
    run_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{half}/{period.name}"))
    span = f"{day_of(period.start):%Y%m%d}-{day_of(period.end - DAY):%Y%m%d}"
    place = f"ml-{half}/{span}/{at:%Y%m%d%H%M}/{run_id}"
    name = f"{place}/part_0_0001.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_COLUMNS, "CostInBillingCurrency"])
    rows = 0
    for charge in lines:
        cost = _cost_in(half, charge)
        if cost is not None:
            cells = [value(charge) for value in _COLUMNS.values()]
            writer.writerow([*cells, f"{Decimal(cost) / TICKS:f}"])
            rows += 1
    content = text.getvalue().encode()
    (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    blob = {
        "blobName": f"exports/{_KINDS[half]}/{name}",
        "byteCount": len(content),
        "dataRowCount": rows,
        "headerRowCount": 1,
    }
    manifest = {
        "manifestVersion": "2024-04-01",
        "dataFormat": "csv",
        "blobCount": 1,
        "byteCount": len(content),
        "dataRowCount": rows,
        "blobs": [blob],
        "exportConfig": {
            "exportName": f"ml-{half}",
            "type": _KINDS[half],
            "dataVersion": "2023-05-01",
        },
        "runInfo": {"runId": run_id, "submittedTime": f"{at:%Y-%m-%dT%H:%M:%S}.0000000Z"},
    }
    path = folder / place / "manifest.json"
    path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
