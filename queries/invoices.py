"""What the user's invoices say, as the models read it: `raw.invoices`."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from decimal import Decimal

    from queries.engines.duckdb import Connection

COLUMNS = {
    "entry_no": "integer",
    "source": "varchar",
    "provider": "varchar",
    "billing_account_id": "varchar",
    "invoice_id": "varchar",
    "billing_period": "date",
    "amount": "decimal(38, 12)",
    "billing_currency": "varchar",
    "tolerance": "decimal(38, 12)",
}


@dataclass(frozen=True, slots=True)
class Invoice:
    """What an invoice, or all invoices of a month, come to, as somebody entered it."""

    entry_no: int
    """Its place in the config file, from 1."""
    source: str | None
    """Whose lines are on it: a source's or a provider's, one of them given."""
    provider: str | None
    billing_account_id: str | None
    """None: every account of the source or provider."""
    invoice_id: str | None
    billing_period: date | None
    """First day of the month; given where `invoice_id` is not."""
    amount: Decimal
    billing_currency: str
    tolerance: Decimal
    """How far the lines may be off and still agree."""


def create_invoices(con: Connection, invoices: Sequence[Invoice]) -> None:
    """Create the table of entered invoices."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute(f"create or replace table raw.invoices ({columns})")
    if invoices:
        marks = ", ".join("?" for _ in COLUMNS)
        con.executemany(
            f"insert into raw.invoices values ({marks})", [astuple(one) for one in invoices]
        )
