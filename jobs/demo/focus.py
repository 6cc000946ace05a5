"""The renters' bills in FOCUS 1.2, as they export it: one as CSV, one as Parquet.

Source: https://focus.finops.org/focus-specification/v1-2/
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from jobs.demo.rented_bill import CURRENCY
from jobs.demo.world import TICKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from jobs.demo.charges import Charge
    from jobs.demo.world import World


class Renter(NamedTuple):
    """Who writes a bill."""

    provider: str
    account: str
    account_name: str


RENTERS: Final[Mapping[str, Renter]] = {
    "lab": Renter("Brightrack Compute", "BR-20417", "Lumenfold Research"),
    "eu-lab": Renter("Nordglas Cloud", "ng-acct-0093", "Lumenfold Europe"),
}
_CATEGORIES: Final = {"Usage": "Usage", "Fee": "Purchase", "Credit": "Credit", "Tax": "Tax"}
_MONEY: Final = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
_QUANTITIES: Final = ("ConsumedQuantity", "PricingQuantity", "ListUnitPrice", "ContractedUnitPrice")
_TIMES: Final = (
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
)


def _money(ticks: int) -> str:
    return f"{Decimal(ticks) / TICKS:f}"


def _time(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _is_use(charge: Charge) -> bool:
    return charge.line_type == "Usage"


def _details(charge: Charge) -> str:
    if charge.machine is None:
        return ""
    kind = charge.machine.kind
    return json.dumps(
        {
            "InstanceType": kind.name,
            "GpuCount": str(kind.gpus),
            "CoreCount": str(kind.cores),
            "MemorySize": str(kind.memory_gib),
            "x_GpuModel": kind.gpu_model,
        }
    )


_COLUMNS: Final[Mapping[str, Callable[[Charge, Renter], str]]] = {
    "BilledCost": lambda c, _: _money(c.billed_cost),
    "BillingAccountId": lambda _, r: r.account,
    "BillingAccountName": lambda _, r: r.account_name,
    "BillingAccountType": lambda *_: "Organization",
    "BillingCurrency": lambda c, _: CURRENCY[c.account.removesuffix("-research")],
    "BillingPeriodStart": lambda c, _: _time(c.period.start),
    "BillingPeriodEnd": lambda c, _: _time(c.period.end),
    "ChargeCategory": lambda c, _: _CATEGORIES[c.line_type],
    "ChargeClass": lambda *_: "",
    "ChargeDescription": lambda c, _: c.description,
    "ChargeFrequency": lambda c, _: "Usage-Based" if _is_use(c) else "Recurring",
    "ChargePeriodStart": lambda c, _: _time(c.start),
    "ChargePeriodEnd": lambda c, _: _time(c.end),
    "ConsumedQuantity": lambda c, _: f"{c.amount:g}" if _is_use(c) else "",
    "ConsumedUnit": lambda c, _: c.unit if _is_use(c) else "",
    "ContractedCost": lambda c, _: _money(c.cost),
    "ContractedUnitPrice": lambda c, _: _money(c.rate) if c.rate else "",
    "EffectiveCost": lambda c, _: _money(c.effective_cost),
    "InvoiceId": lambda c, r: f"{r.account}-{c.period.name}" if c.period.is_closed else "",
    "InvoiceIssuerName": lambda _, r: r.provider,
    "ListCost": lambda c, _: _money(c.cost),
    "ListUnitPrice": lambda c, _: _money(c.rate) if c.rate else "",
    "PricingCategory": lambda c, _: "Standard" if _is_use(c) else "",
    "PricingCurrency": lambda c, _: CURRENCY[c.account.removesuffix("-research")],
    "PricingQuantity": lambda c, _: f"{c.amount:g}",
    "PricingUnit": lambda c, _: c.unit,
    "ProviderName": lambda _, r: r.provider,
    "PublisherName": lambda _, r: r.provider,
    "RegionId": lambda c, _: c.region,
    "RegionName": lambda c, _: c.region,
    "AvailabilityZone": lambda c, _: c.zone,
    "ResourceId": lambda c, _: c.resource,
    "ResourceName": lambda c, _: c.machine.node if c.machine else "",
    "ResourceType": lambda c, _: "GPU machine" if c.machine else "",
    "ServiceCategory": lambda c, _: "Compute" if c.product == "GPU machines" else "Other",
    "ServiceName": lambda c, _: c.product,
    "ServiceSubcategory": lambda c, _: (
        "Virtual Machines" if c.product == "GPU machines" else "Other (Other)"
    ),
    "SkuId": lambda c, _: c.usage_type,
    "SkuMeter": lambda c, _: c.usage_type,
    "SkuPriceDetails": lambda c, _: _details(c),
    "SkuPriceId": lambda c, _: f"{c.usage_type}/standard",
    "SubAccountId": lambda c, _: c.account,
    "SubAccountName": lambda c, _: c.account,
    "SubAccountType": lambda *_: "Project",
    "Tags": lambda c, _: json.dumps(dict(c.tags)),
}


def write_csv(folder: Path, world: World, source: str, charges: Sequence[Charge]) -> None:
    """Write a file a month: `<source>_focus_2026-10.csv.gz`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in _monthly(world, source, charges):
        text = frame.write_csv(quote_style="necessary").encode()
        path = folder / f"{source}_focus_{name}.csv.gz"
        path.write_bytes(gzip.compress(text, compresslevel=6, mtime=0))


def write_parquet(folder: Path, world: World, source: str, charges: Sequence[Charge]) -> None:
    """Write a file a month, in a folder `billing_period=2026-10`; money is double."""
    for name, frame in _monthly(world, source, charges):
        path = folder / f"billing_period={name}" / f"{source}-focus.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers = [pl.col(column).cast(pl.Float64) for column in (*_MONEY, *_QUANTITIES)]
        times = [
            pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us")
            for column in _TIMES
        ]
        frame.with_columns(*numbers, *times).write_parquet(path, compression="zstd")


def _monthly(
    world: World, source: str, charges: Sequence[Charge]
) -> list[tuple[str, pl.DataFrame]]:
    """Return each period's name and lines, every value as text."""
    frames = []
    for period in world.calendar.periods:
        lines = [charge for charge in charges if charge.period is period]
        if not lines:
            continue
        columns = {
            column: [value(line, RENTERS[source]) or None for line in lines]
            for column, value in _COLUMNS.items()
        }
        frames.append(
            (period.name, pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String())))
        )
    return frames
