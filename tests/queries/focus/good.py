"""A FOCUS bill without a fault, to be spoilt one value at a time."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from queries.focus.model import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Line = dict[str, str]
_EVERY_LINE: Line = {
    "BillingAccountId": "111",
    "BillingAccountName": "Acme",
    "BillingAccountType": "Account",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-10-01T00:00:00Z",
    "ChargePeriodEnd": "2026-10-01T01:00:00Z",
    "ChargeDescription": "a machine",
    "HostProviderName": "AWS",
    "ServiceProviderName": "AWS",
    "ProviderName": "AWS",
    "PublisherName": "AWS",
    "InvoiceIssuerName": "AWS",
    "PricingCurrency": "USD",
    "ServiceCategory": "Compute",
    "ServiceSubcategory": "Virtual Machines",
    "ServiceName": "EC2",
    "InvoiceId": "INV-1",
}
USAGE: Line = _EVERY_LINE | {
    "BilledCost": "3",
    "EffectiveCost": "3",
    "ListCost": "4",
    "ContractedCost": "3",
    "PricingCurrencyEffectiveCost": "3",
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "PricingCategory": "Standard",
    "PricingQuantity": "2",
    "PricingUnit": "Hours",
    "ListUnitPrice": "2",
    "ContractedUnitPrice": "1.5",
    "ConsumedQuantity": "2",
    "ConsumedUnit": "Hours",
    "ResourceId": "i-1",
    "ResourceType": "Instance",
    "RegionId": "us-east-1",
    "RegionName": "Virginia",
    "SkuId": "S",
    "SkuPriceId": "SP",
    "SkuPriceDetails": '{"GpuCount": 8}',
    "Tags": '{"team": "vision", "brackets": "[a]{b}"}',
}
_COMMITMENT = {
    "CommitmentDiscountId": "c-1",
    "CommitmentDiscountName": "a plan",
    "CommitmentDiscountCategory": "Spend",
    "CommitmentDiscountType": "Savings Plan",
    "CommitmentDiscountQuantity": "1",
    "CommitmentDiscountUnit": "USD",
}
COVERED: Line = USAGE | _COMMITMENT | {
    "BilledCost": "0",
    "EffectiveCost": "3",
    "PricingCategory": "Committed",
    "CommitmentDiscountStatus": "Used",
}  # fmt: skip
UNUSED: Line = COVERED | {
    "CommitmentDiscountStatus": "Unused",
    "ConsumedQuantity": "",
    "ConsumedUnit": "",
}
PURCHASE: Line = _EVERY_LINE | _COMMITMENT | {
    "BilledCost": "6",
    "EffectiveCost": "0",
    "ListCost": "6",
    "ContractedCost": "6",
    "PricingCurrencyEffectiveCost": "0",
    "ChargeCategory": "Purchase",
    "ChargeFrequency": "One-Time",
    "PricingCategory": "Standard",
    "PricingQuantity": "1",
    "PricingUnit": "Plan",
    "ListUnitPrice": "6",
    "ContractedUnitPrice": "6",
}  # fmt: skip
TAX: Line = _EVERY_LINE | {
    "BilledCost": "1",
    "EffectiveCost": "1",
    "ListCost": "1",
    "ContractedCost": "1",
    "PricingCurrencyEffectiveCost": "1",
    "ChargeCategory": "Tax",
    "ChargeFrequency": "Recurring",
}
ALLOCATED: Line = USAGE | {
    "AllocatedMethodId": "m",
    "AllocatedMethodDetails": '{"Elements": [{"AllocatedRatio": 0.5}]}',
    "AllocatedResourceId": "pod-1",
    "AllocatedResourceName": "pod",
    "AllocatedTags": '{"team": "vision"}',
}
LINES = (USAGE, COVERED, UNUSED, PURCHASE, TAX, ALLOCATED)


def write_bill(
    path: Path,
    lines: Sequence[Mapping[str, str]] = LINES,
    version: str = "1.4",
    without: Sequence[str] = (),
    also: Sequence[str] = (),
) -> Path:
    """Write lines with every column of a version but some, and some besides."""
    columns = [column for column in columns_of(version) if column not in without]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*columns, *also], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    return path
