"""Bills in the FOCUS format, versions 1.0 to 1.4, whoever exported them.

AWS Data Exports and Azure Cost Management are read by their manifests, Google's FOCUS export from
its table in BigQuery (see `bigquery_units`), any other folder of FOCUS files by the months in its
paths (see `billing_files`). Columns are found whatever their case
(`BilledCost`, `billedcost`, `billed_cost`), because query engines that copy bills change it.

Source: https://focus.finops.org/focus-specification/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from connectors import aws_exports, azure_exports
from connectors.base import ColumnType, SourceError, Table
from connectors.billing_files import bill_deliveries
from connectors.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Delivery, Known
    from connectors.billing_files import Manifest
    from connectors.stored import StoredFile

_COLUMNS: Mapping[str, ColumnType] = {
    "allocated_tags": "tags",
    "availability_zone": "text",
    "billed_cost": "number",
    "billing_account_id": "text",
    "billing_account_name": "text",
    "billing_currency": "text",
    "billing_period_start": "time",
    "capacity_reservation_status": "text",
    "charge_category": "text",
    "charge_class": "text",
    "charge_description": "text",
    "charge_frequency": "text",
    "charge_period_end": "time",
    "charge_period_start": "time",
    "commitment_discount_id": "text",
    "commitment_discount_status": "text",
    "commitment_discount_type": "text",
    "consumed_quantity": "number",
    "consumed_unit": "text",
    "contracted_cost": "number",
    "contracted_unit_price": "number",
    "effective_cost": "number",
    "host_provider_name": "text",
    "invoice_id": "text",
    "invoice_issuer_name": "text",
    "list_cost": "number",
    "pricing_category": "text",
    "pricing_quantity": "number",
    "pricing_unit": "text",
    "provider_name": "text",
    "publisher_name": "text",
    "region_id": "text",
    "resource_id": "text",
    "resource_name": "text",
    "resource_type": "text",
    "service_category": "text",
    "service_name": "text",
    "service_provider_name": "text",
    "service_subcategory": "text",
    "sku_id": "text",
    "sku_meter": "text",
    "sku_price_details": "tags",
    "sku_price_id": "text",
    "sub_account_id": "text",
    "sub_account_name": "text",
    "tags": "tags",
    "x_cost_categories": "tags",
    "x_labels": "text",
    "x_operation": "text",
    "x_project_labels": "text",
    "x_service_code": "text",
    "x_sku_details": "tags",
    "x_sku_meter_category": "text",
    "x_sku_meter_name": "text",
    "x_system_labels": "text",
    "x_tags": "text",
    "x_usage_type": "text",
}
_BY_LETTERS = {column.replace("_", ""): column for column in _COLUMNS}


def declared_name(header: str) -> str:
    """Return the declared name of a header; the header itself where it is not declared."""
    return _BY_LETTERS.get(header.replace("_", "").lower(), header)


@dataclass(frozen=True, slots=True)
class Focus:
    """One FOCUS export, or a folder of FOCUS files."""

    root: str = ""
    """Where it lands: a folder, `s3://`, `gs://bucket/prefix` or `az://account/container/prefix`."""
    credential_env: str = ""
    """A variable with a connection string or a SAS of Azure's storage; empty: as the machine is."""

    table: str = ""
    """Google's FOCUS table or view in BigQuery, `project.dataset.table`, in the place of `root`."""
    project: str = ""
    """The project that runs the queries and pays for them; empty: the table's."""
    maximum_bytes_billed: int = 100_000_000_000
    """What a night's queries may bill, all together. Bytes."""
    since: str = ""
    """The first ingestion day to read (of a view: its month), YYYY-MM-DD; empty: all there are."""
    storage_api: bool = False
    """Whether rows come by the Storage API: many times faster, and a role more."""
    endpoint_url: str = ""
    """Another address than BigQuery's own."""
    storage_endpoint: str = ""
    """Another host:port than that of Google's Storage API."""

    name: ClassVar[str] = "focus"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            name="cost_and_usage",
            columns=_COLUMNS,
            rename=declared_name,
            null_marks=("", "NULL", "null", "(null)", "None", "''"),
            is_bill=True,
            of_export=("invoice_id", "invoicedetailid"),
        ),
    )

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        if bool(self.table) == bool(self.root):
            raise SourceError(
                "either `root` or `table` must be given",
                where="[connectors.focus]",
                fix="`root` for a folder of files, `table` for Google's export in BigQuery",
            )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each billing period that is new or changed, oldest first.

        Raises: SourceError for a period that is not whole, after the others.
        """
        table = self.tables[0].name
        self.check()
        if self.table:
            from connectors.bigquery_units import unit_deliveries  # noqa: PLC0415  (slow to load)

            yield from unit_deliveries(table, self, known, "[connectors.focus]")
            return
        store = open_store(self.root, self.credential_env)
        yield from bill_deliveries(table, store, _find_manifests, known, one_tree=False)


def _find_manifests(files: Sequence[StoredFile]) -> list[Manifest]:
    return [
        *aws_exports.find_manifests(files),
        *azure_exports.find_manifests(files, "FocusCost"),
    ]
