"""Runs of Azure's exports as Cost Management leaves them: a folder for each, its manifest last."""

from __future__ import annotations

import json
import os
from calendar import monthrange
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = (
    "BillingAccountId,BillingPeriodStartDate,BillingPeriodEndDate,Date,ChargeType,PricingModel,"
    "Frequency,ConsumedService,MeterCategory,MeterSubCategory,MeterName,UnitOfMeasure,Quantity,"
    "CostInBillingCurrency,BillingCurrencyCode,SubscriptionId,ResourceId,BenefitId,Tags,"
    "AdditionalInfo"
)


def line(  # noqa: PLR0913  (a line has that many fields)
    cost: str,
    charge: str = "Usage",
    model: str = "OnDemand",
    *,
    day: str = "2026-10-05",
    meter: str = "Virtual Machines,NCads A100 v4 Series,NC24ads A100 v4",
    resource: str = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/"
    "virtualMachines/Train-1",
    benefit: str = "",
    tags: str = '"""team"": ""vision"""',
    info: str = '"{""ServiceType"":""Standard_NC24ads_A100_v4"",""VCPUs"":24}"',
    month: str = "2026-10",
) -> str:
    """Return a line of an export, without its end."""
    return (
        f"8611537,{month}-01,{month}-31,{day},{charge},{model},UsageBased,Microsoft.Compute,"
        f"{meter},1 Hour,24,{cost},USD,S,{resource},{benefit},{tags},{info}"
    )


def text_of(lines: Sequence[str], header: str = HEADER) -> str:
    return "\n".join([header, *lines, ""])


def write(root: Path, name: str, text: str, at: float = 0) -> Path:
    """Write a file; `at` is when, in seconds."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))
    return path


def run_id(word: str) -> str:
    """Return the id of a run that tests call by a word."""
    return str(uuid5(NAMESPACE_URL, word))


def write_run(  # noqa: PLR0913  (a run has that many facts)
    root: Path,
    kind: str,
    texts: Sequence[str],
    *,
    at: str = "2026-10-06T04:00:00",
    month: str = "2026-10",
    run: str = "a",
    overwrites: bool = False,
) -> Path:
    """Write one run of an export, as a part for each text; return its manifest."""
    year, number = (int(part) for part in month.split("-"))
    last = monthrange(year, number)[1]
    span = f"{year}{number:02d}01-{year}{number:02d}{last}"
    stamp = at.replace("-", "").replace(":", "").replace("T", "")[:12]
    folder = (
        f"export/{span}/{run_id(run)}" if overwrites else f"export/{span}/{stamp}/{run_id(run)}"
    )
    blobs = []
    for number, text in enumerate(texts):
        name = f"{folder}/part_{number}_0001.csv"
        path = write(root, name, text)
        rows = max(text.count("\n") - 1, 0)
        blobs.append(
            {
                "blobName": f"exports/{kind}/{name}",
                "byteCount": path.stat().st_size,
                "dataRowCount": rows,
                "headerRowCount": 1,
            }
        )
    manifest = {
        "manifestVersion": "2024-04-01",
        "dataFormat": "csv",
        "blobCount": len(blobs),
        "byteCount": sum(int(str(blob["byteCount"])) for blob in blobs),
        "dataRowCount": sum(int(str(blob["dataRowCount"])) for blob in blobs),
        "blobs": blobs,
        "exportConfig": {"exportName": f"ml-{kind}", "type": kind, "dataVersion": "2023-05-01"},
        "runInfo": {"runId": run_id(run), "submittedTime": f"{at}.0000000Z"},
    }
    return write(root, f"{folder}/manifest.json", json.dumps(manifest))


def write_pair(root: Path, **facts: str) -> None:
    """Write one run of both exports: an hour of use that is paid for, and one that is committed."""
    used = line("30", model="OnDemand")
    saved = line("12", model="SavingsPlan", benefit="/providers/Microsoft.BillingBenefits/p")
    bought = line(
        "500", "Purchase", "SavingsPlan", benefit="/providers/Microsoft.BillingBenefits/p"
    )
    on_demand = line("40", model="SavingsPlan", benefit="/providers/Microsoft.BillingBenefits/p")
    write_run(root / "actual", "ActualCost", [text_of([used, on_demand, bought])], **facts)  # type: ignore[arg-type]
    write_run(root / "amortized", "AmortizedCost", [text_of([used, saved])], **facts)  # type: ignore[arg-type]
