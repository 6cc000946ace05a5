"""Google Cloud bills: the detailed (or standard) usage cost export.

The export is a table of BigQuery that Google appends to, several times a day and in any order: late
and corrected lines come days later, for older days of use. There is no line id, and equal lines are
legal. What is whole is a partition, the lines that came in on one day, so in BigQuery the unit is
the ingestion day (see `bigquery_export`).

The same table may be read from files instead: Parquet as `EXPORT DATA` writes it and JSON lines as
an extract job does, both with their nested columns, or CSV whose headers are the flattened names
(`service.description`), in which lists are JSON. Those are units by the month
that their path names (see `billing_files`).

Source: https://cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/detailed-usage
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from connectors.base import ColumnType, SourceError, Table
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

    table: str = ""
    """The export's table in BigQuery, `project.dataset.table`; either this or `root`."""
    root: str = ""
    """A folder or `gs://bucket/prefix` of exported files."""
    project: str = ""
    """The project that runs the queries and pays for them; empty: the table's."""
    maximum_bytes_billed: int = 100_000_000_000
    """What a night's queries may bill, all together. Bytes."""
    since: str = ""
    """The first ingestion day to read, YYYY-MM-DD; empty: all there are."""
    storage_api: bool = False
    """Whether rows come by the Storage API: many times faster, and a role more."""
    endpoint_url: str = ""
    """Another address than BigQuery's own."""
    storage_endpoint: str = ""
    """Another host:port than that of Google's Storage API."""

    name: ClassVar[str] = "gcp_billing"
    tables: ClassVar[Sequence[Table]] = (
        Table(name="line_items", columns=_COLUMNS, rename=declared_name, is_bill=True),
    )

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        if bool(self.table) == bool(self.root):
            raise SourceError(
                "either `table` or `root` must be given",
                where="[connectors.gcp_billing]",
                fix="`table` for BigQuery, `root` for a folder of exported files",
            )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each unit that is new or changed, oldest first.

        Raises: SourceError for a unit that is not whole, after the others.
        """
        self.check()
        if self.root:
            store = open_store(self.root)
            table = self.tables[0].name
            yield from plain_deliveries(table, store, store.files(), known, one_tree=True)
        else:
            from connectors.bigquery_units import unit_deliveries  # noqa: PLC0415  (slow to load)

            yield from unit_deliveries(self.tables[0].name, self, known, "[connectors.gcp_billing]")
