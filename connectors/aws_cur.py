"""AWS bills: the Cost and Usage Report 2.0 of Data Exports, and the older report.

AWS rewrites a billing period up to three times a day until its charges are final, and later for
refunds and credits, so the unit is the period and the manifest, written last, is the commit mark.
The columns are those of CUR 2.0. The older report's headers (`lineItem/UnblendedCost`) become what
Athena makes of them, which are the same names. Only `product` differs: the older report has a
column for each attribute where CUR 2.0 has some columns and a map, so the attributes that mlspend
reads are declared as columns, and the map beside them.

Line ids are another on every refresh, so they are never part of a comparison.

An export has the column of who called (`line_item_iam_principal`) only where it was asked for, and
where it was not, Bedrock's cost is nobody's without a word. So `iam_principal` demands it, of the
newest period alone, because older ones were written before anybody asked; the bill counts even so.

Source: https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html
Source: https://docs.aws.amazon.com/cur/latest/userguide/data-dictionary.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from connectors.aws_exports import find_manifests
from connectors.base import ColumnType, SourceError, Table
from connectors.billing_files import bill_deliveries
from connectors.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Delivery, Known

_TEXTS = (
    "bill_bill_type",
    "bill_billing_entity",
    "bill_invoice_id",
    "bill_payer_account_id",
    "bill_payer_account_name",
    "identity_line_item_id",
    "identity_time_interval",
    "line_item_availability_zone",
    "line_item_currency_code",
    "line_item_iam_principal",
    "line_item_legal_entity",
    "line_item_line_item_description",
    "line_item_line_item_type",
    "line_item_operation",
    "line_item_product_code",
    "line_item_resource_id",
    "line_item_usage_account_id",
    "line_item_usage_account_name",
    "line_item_usage_type",
    "pricing_unit",
    "product_from_region_code",
    "product_instance_type",
    "product_product_family",
    "product_product_name",
    "product_region",
    "product_region_code",
    "product_sku",
    "product_to_region_code",
    "reservation_reservation_a_r_n",
    "savings_plan_savings_plan_a_r_n",
    "split_line_item_parent_resource_id",
)
_NUMBERS = (
    "line_item_net_unblended_cost",
    "line_item_unblended_cost",
    "line_item_usage_amount",
    "pricing_public_on_demand_cost",
    "reservation_effective_cost",
    "reservation_net_effective_cost",
    "reservation_net_unused_amortized_upfront_fee_for_billing_period",
    "reservation_net_unused_recurring_fee",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_recurring_fee",
    "savings_plan_net_savings_plan_effective_cost",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "split_line_item_actual_usage",
    "split_line_item_reserved_usage",
    "split_line_item_split_usage",
    "split_line_item_split_usage_ratio",
)
_TIMES = (
    "bill_billing_period_start_date",
    "line_item_usage_end_date",
    "line_item_usage_start_date",
)
_MAPS: Mapping[str, str] = {
    "cost_category": "costCategory/",
    "resource_tags": "resourceTags/",
}
_COLUMNS: Mapping[str, ColumnType] = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(_TIMES, "time"),
    **dict.fromkeys((*_MAPS, "product", "tags"), "tags"),
}
_PRINCIPAL = "line_item_iam_principal"
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


def declared_name(header: str) -> str:
    """Return the name that Athena gives a header: `savingsPlan/SavingsPlanARN` ends in `_a_r_n`."""
    if "/" not in header:
        return header.lower()
    category, _, field = header.partition("/")
    return f"{_CAPITAL.sub('_', category)}_{_CAPITAL.sub('_', field)}".lower()


@dataclass(frozen=True, slots=True)
class AwsCur:
    """One Cost and Usage Report, of either kind."""

    root: str
    """Where it lands: a folder, or `s3://bucket/prefix`."""
    iam_principal: bool = False
    """Whether the newest period must say who called."""

    name: ClassVar[str] = "aws_cur"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            name="line_items",
            columns=_COLUMNS,
            maps=_MAPS,
            rename=declared_name,
            is_bill=True,
            of_export=("identity_line_item_id", "bill_invoice_id"),
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each billing period that is new or changed, oldest first.

        Raises: SourceError for a period that is not whole, or a demanded column that is not there,
            after the others.
        """
        table = self.tables[0].name
        seen = _Nothing() if self.iam_principal else known
        newest: Delivery | None = None
        for delivery in bill_deliveries(
            table, open_store(self.root), find_manifests, seen, one_tree=True
        ):
            newest = delivery
            if not known.has(table, delivery.unit, delivery.version):
                yield delivery
        if self.iam_principal and newest is not None:
            _demand_principal(newest)


class _Nothing:
    """What was known before the first night."""

    def has(self, table: str, unit: str, version: str) -> bool:  # noqa: ARG002
        return False

    def cursor(self, table: str) -> str | None:  # noqa: ARG002
        return None


def _demand_principal(newest: Delivery) -> None:
    """Look for the column in the header of the period's smallest file.

    Raises: SourceError where it is not there.
    """
    from connectors.headers import header_of  # noqa: PLC0415 - loads polars

    file = min(newest.files, key=lambda file: file.size or 0)
    if _PRINCIPAL not in map(declared_name, header_of(file)):
        raise SourceError(
            f"{newest.unit} does not say who called: it has no column {_PRINCIPAL}, which "
            "`iam_principal = true` demands",
            where=file.name,
            fix="switch INCLUDE_IAM_PRINCIPAL_DATA on in the export (and select the column), or "
            "take `iam_principal` away; all other figures of this bill are right",
        )
