"""Bills in the FOCUS format, versions 1.0 to 1.4, whoever exported them.

AWS Data Exports and Azure Cost Management are read by their manifests; any other folder of FOCUS
files by the months in its paths (see `billing_files`). Columns are found whatever their case
(`BilledCost`, `billedcost`, `billed_cost`), because query engines that copy bills change it.

Source: https://focus.finops.org/focus-specification/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from connectors import aws_exports, azure_exports
from connectors.base import ColumnType, Table
from connectors.billing_files import bill_deliveries
from connectors.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Delivery, Known
    from connectors.billing_files import Manifest
    from connectors.store import StoredFile

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
    "x_operation": "text",
    "x_service_code": "text",
    "x_sku_details": "tags",
    "x_sku_meter_category": "text",
    "x_sku_meter_name": "text",
    "x_usage_type": "text",
}
_BY_LETTERS = {column.replace("_", ""): column for column in _COLUMNS}


def declared_name(header: str) -> str:
    """Return the declared name of a header; the header itself where it is not declared."""
    return _BY_LETTERS.get(header.replace("_", "").lower(), header)


@dataclass(frozen=True, slots=True)
class Focus:
    """One FOCUS export, or a folder of FOCUS files."""

    root: str
    """Where it lands: a folder, `s3://bucket/prefix` or `az://account/container/prefix`."""
    credential_env: str = ""
    """A variable with a connection string or a SAS of Azure's storage; empty: as the machine is."""

    name: ClassVar[str] = "focus"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            name="cost_and_usage",
            columns=_COLUMNS,
            rename=declared_name,
            null_marks=("", "NULL", "null", "(null)", "None", "''"),
            is_bill=True,
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each billing period that is new or changed, oldest first.

        Raises: SourceError for a period that is not whole, after the others.
        """
        table = self.tables[0].name
        store = open_store(self.root, self.credential_env)
        yield from bill_deliveries(table, store, _find_manifests, known, one_tree=False)


def _find_manifests(files: Sequence[StoredFile]) -> list[Manifest]:
    return [
        *aws_exports.find_manifests(files),
        *azure_exports.find_manifests(files, "FocusCost"),
    ]
