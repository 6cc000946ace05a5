"""Google Cloud bills: the detailed (or standard) usage cost export.

The export is a table of BigQuery that Google appends to, several times a day and in any order: late
and corrected lines come days later, for older days of use. There is no line id, and equal lines are
legal. What is whole is a partition, the lines that came in on one day, so in BigQuery the unit is
the ingestion day (see `bigquery_export`).

The same table may be read from files instead: Parquet as `EXPORT DATA` writes it, with its nested
columns, or CSV whose headers are the flattened names (`service.description`), in which lists are
JSON. Those are units by the month that their path names (see `billing_files`).

Source: https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/detailed-usage
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from connectors.base import ColumnType, Table
from connectors.billing_files import plain_deliveries
from connectors.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Delivery, Known

_TEXTS = (
    "adjustment_info_description",
    "adjustment_info_mode",
    "adjustment_info_type",
    "billing_account_id",
    "consumption_model_description",
    "consumption_model_id",
    "cost_type",
    "credits",
    "currency",
    "invoice_month",
    "labels",
    "location_location",
    "location_region",
    "location_zone",
    "project_id",
    "project_labels",
    "project_name",
    "project_number",
    "resource_global_name",
    "resource_name",
    "seller_name",
    "service_description",
    "service_id",
    "sku_description",
    "sku_id",
    "subscription_instance_id",
    "system_labels",
    "tags",
    "usage_pricing_unit",
    "usage_unit",
)
_NUMBERS = (
    "cost",
    "cost_at_effective_price_default",
    "cost_at_list",
    "price_list_price",
    "usage_amount",
    "usage_amount_in_pricing_units",
)
_TIMES = ("export_time", "usage_end_time", "usage_start_time")
_COLUMNS: Mapping[str, ColumnType] = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(_TIMES, "time"),
}


def declared_name(header: str) -> str:
    """Return the declared name of a header: `service.description` is service_description."""
    return header.replace(".", "_").lower()


@dataclass(frozen=True, slots=True)
class GcpBilling:
    """One usage cost export of one billing account."""

    root: str = ""
    """A folder or `s3://bucket/prefix` of exported files; either this or `table`."""

    name: ClassVar[str] = "gcp_billing"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            name="line_items",
            columns=_COLUMNS,
            rename=declared_name,
            is_bill=True,
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each unit that is new or changed, oldest first.

        Raises: SourceError for a unit that is not whole, after the others.
        """
        table = self.tables[0].name
        store = open_store(self.root)
        yield from plain_deliveries(table, store, store.files(), known, one_tree=True)
