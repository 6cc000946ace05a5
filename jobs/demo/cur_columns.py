"""The columns of a Cost and Usage Report 2.0 and what this company's lines say in them.

Source: https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Final

from jobs.demo.charges import SERVICES
from jobs.demo.fleet import ACCOUNTS, PAYER
from jobs.demo.world import EAST, TICKS, WEST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jobs.demo.charges import Charge, Split

_FAMILIES: Final = (
    ("NatGateway", "NAT Gateway"),
    ("Usage:", "Compute Instance"),
    ("EBS:Snapshot", "Storage Snapshot"),
    ("EBS:Volume", "Storage"),
    ("TimedStorage", "Storage"),
    ("Requests-", "API Request"),
    ("-Bytes", "Data Transfer"),
    ("LoadBalancer", "Load Balancer-Application"),
    ("perCluster", "Compute"),
    ("Train:", "ML Instance"),
)
_LOCATIONS: Final = {EAST: "US East (N. Virginia)", WEST: "EU (Ireland)", "internet": "External"}
_ISSUER: Final = "Amazon Web Services, Inc."
_COVERED: Final = "SavingsPlanCoveredUsage"


@cache
def _time(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _family(charge: Charge) -> str:
    return _family_of(charge.usage_type)


@cache
def _family_of(usage_type: str) -> str:
    for part, family in _FAMILIES:
        if part in usage_type:
            return family
    return ""


def _bill_type(charge: Charge) -> str:
    if charge.line_type == "Refund":
        return "Refund"
    return "Purchase" if charge.line_type == "SavingsPlanUpfrontFee" else "Anniversary"


def _invoice(charge: Charge) -> str:
    number = charge.period.start // 86_400 * 7
    return f"{charge.period.name.replace('-', '')}{number:07d}" if charge.period.is_closed else ""


def _term(charge: Charge) -> str:
    if charge.line_type != "Usage":
        return "OnDemand" if charge.line_type == _COVERED else ""
    return "Spot" if "Spot" in charge.usage_type else "OnDemand"


def _rate_id(charge: Charge) -> str:
    return _rate_of(charge.usage_type) if charge.usage_type else ""


@cache
def _rate_of(usage_type: str) -> str:
    return f"{sum(usage_type.encode()) * 1009 % 10**9}"


def _is_transfer(charge: Charge) -> bool:
    return charge.to_region != ""


CONSTANTS: Final[Mapping[str, str]] = {
    "bill_billing_entity": "AWS",
    "bill_invoicing_entity": _ISSUER,
    "bill_payer_account_id": PAYER,
    "bill_payer_account_name": ACCOUNTS[PAYER],
    "line_item_currency_code": "USD",
    "line_item_legal_entity": _ISSUER,
    "pricing_currency": "USD",
}
"""The same on every line."""
TEXTS: Final[Mapping[str, Callable[[Charge], str]]] = {
    "bill_bill_type": _bill_type,
    "bill_invoice_id": _invoice,
    "identity_time_interval": lambda c: f"{_time(c.start)}/{_time(c.end)}",
    "line_item_availability_zone": lambda c: c.zone,
    "line_item_line_item_description": lambda c: c.description,
    "line_item_line_item_type": lambda c: c.line_type,
    "line_item_operation": lambda c: c.operation,
    "line_item_product_code": lambda c: c.product,
    "line_item_resource_id": lambda c: c.resource,
    "line_item_tax_type": lambda c: "VAT" if c.line_type == "Tax" else "",
    "line_item_usage_account_id": lambda c: c.account,
    "line_item_usage_account_name": lambda c: ACCOUNTS[c.account],
    "line_item_usage_type": lambda c: c.usage_type,
    "pricing_rate_id": _rate_id,
    "pricing_term": _term,
    "pricing_unit": lambda c: c.unit,
    "product_from_location": lambda c: _LOCATIONS[c.region] if _is_transfer(c) else "",
    "product_from_region_code": lambda c: c.region if _is_transfer(c) else "",
    "product_instance_family": lambda c: "GPU instance" if c.instance_type else "",
    "product_instance_type": lambda c: c.instance_type if "Spot" not in c.usage_type else "",
    "product_location": lambda c: _LOCATIONS.get(c.region, ""),
    "product_operation": lambda c: c.operation,
    "product_pricing_unit": lambda c: c.unit,
    "product_product_family": _family,
    "product_region_code": lambda c: c.region,
    "product_servicecode": lambda c: "AWSDataTransfer" if _is_transfer(c) else c.product,
    "product_sku": lambda c: f"SKU{_rate_id(c)}" if c.usage_type else "",
    "product_to_location": lambda c: _LOCATIONS[c.to_region] if _is_transfer(c) else "",
    "product_to_region_code": lambda c: c.to_region if c.to_region in (EAST, WEST) else "",
    "product_usagetype": lambda c: c.usage_type,
    "savings_plan_offering_type": lambda c: "ComputeSavingsPlans" if c.plan else "",
    "savings_plan_purchase_term": lambda c: "1yr" if c.plan else "",
    "savings_plan_savings_plan_a_r_n": lambda c: c.plan,
    "split_line_item_parent_resource_id": lambda c: c.split.parent if c.split else "",
}


def _amount(ticks: int) -> float:
    return ticks / TICKS


def _allotted(split: Split) -> float:
    return float(max(split.reserved, split.used))


NUMBERS: Final[Mapping[str, Callable[[Charge], float]]] = {
    "line_item_blended_cost": lambda c: _amount(c.cost),
    "line_item_blended_rate": lambda c: _amount(c.rate),
    "line_item_unblended_cost": lambda c: _amount(c.cost),
    "line_item_unblended_rate": lambda c: _amount(c.rate),
    "line_item_usage_amount": lambda c: c.amount,
    "pricing_public_on_demand_cost": lambda c: (
        _amount(c.cost) if c.line_type in ("Usage", _COVERED) else 0.0
    ),
    "pricing_public_on_demand_rate": lambda c: _amount(c.rate),
    "savings_plan_recurring_commitment_for_billing_period": lambda c: (
        _amount(c.cost) if c.line_type == "SavingsPlanRecurringFee" else 0.0
    ),
    "savings_plan_savings_plan_effective_cost": lambda c: (
        _amount(c.effective or 0) if c.line_type == _COVERED else 0.0
    ),
    "savings_plan_savings_plan_rate": lambda c: (
        _amount((c.effective or 0) * c.rate // c.cost) if c.line_type == _COVERED else 0.0
    ),
    "savings_plan_total_commitment_to_date": lambda c: _amount(c.commitment),
    "savings_plan_used_commitment": lambda c: _amount(c.used_commitment),
    "split_line_item_actual_usage": lambda c: float(c.split.used) if c.split else 0.0,
    "split_line_item_reserved_usage": lambda c: float(c.split.reserved) if c.split else 0.0,
    "split_line_item_split_cost": lambda c: _amount(c.split.cost) if c.split else 0.0,
    "split_line_item_split_usage": lambda c: _allotted(c.split) if c.split else 0.0,
    "split_line_item_split_usage_ratio": lambda c: (
        _allotted(c.split) / c.split.capacity if c.split else 0.0
    ),
}
TIMES: Final[Mapping[str, Callable[[Charge], int]]] = {
    "bill_billing_period_start_date": lambda c: c.period.start,
    "bill_billing_period_end_date": lambda c: c.period.end,
    "line_item_usage_start_date": lambda c: c.start,
    "line_item_usage_end_date": lambda c: c.end,
}


def _product(charge: Charge) -> dict[str, str]:
    name = {"product_name": SERVICES[charge.product]}
    return name | ({"region": charge.region} if charge.region else {})


MAPS: Final[Mapping[str, Callable[[Charge], Mapping[str, str]]]] = {
    "cost_category": lambda c: {},  # noqa: ARG005
    "discount": lambda c: {},  # noqa: ARG005
    "product": _product,
    "resource_tags": lambda c: c.tags,
}
UNUSED_NUMBERS: Final = (
    "discount_bundled_discount",
    "discount_total_discount",
    "line_item_normalization_factor",
    "line_item_normalized_usage_amount",
    "reservation_amortized_upfront_cost_for_usage",
    "reservation_amortized_upfront_fee_for_billing_period",
    "reservation_effective_cost",
    "reservation_recurring_fee_for_usage",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_quantity",
    "reservation_unused_recurring_fee",
    "reservation_upfront_value",
    "savings_plan_amortized_upfront_commitment_for_billing_period",
)
UNUSED_TEXTS: Final = (
    "pricing_lease_contract_length",
    "pricing_offering_class",
    "pricing_purchase_option",
    "pricing_rate_code",
    "product_comment",
    "product_fee_code",
    "product_fee_description",
    "product_from_location_type",
    "product_instancesku",
    "product_location_type",
    "product_to_location_type",
    "reservation_availability_zone",
    "reservation_end_time",
    "reservation_modification_status",
    "reservation_normalized_units_per_reservation",
    "reservation_number_of_reservations",
    "reservation_reservation_a_r_n",
    "reservation_start_time",
    "reservation_subscription_id",
    "reservation_total_reserved_normalized_units",
    "reservation_total_reserved_units",
    "reservation_units_per_reservation",
    "savings_plan_end_time",
    "savings_plan_instance_type_family",
    "savings_plan_payment_option",
    "savings_plan_region",
    "savings_plan_start_time",
)
FLAT_COLUMNS: Final = tuple(
    sorted(
        [
            "identity_line_item_id",
            *CONSTANTS,
            *TEXTS,
            *NUMBERS,
            *TIMES,
            *MAPS,
            *UNUSED_NUMBERS,
            *UNUSED_TEXTS,
        ]
    )
)
"""Every column, in the order of the report: the alphabet's."""
