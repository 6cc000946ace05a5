"""What the journal tells the warehouse: `raw.totals`, `raw.deliveries`, `raw.restatements`.

The totals are the other side of the books: what each delivery bills, summed from its raw bytes by
code that shares nothing with the models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from queries.engines.duckdb import Connection
    from queries.landed import Declared, Landed
    from queries.totals import RawTotal

_TOTALS = """
create or replace table raw.totals (
    source varchar,
    provider varchar,
    billing_account_id varchar,
    billing_period date,
    charge_month date,
    billing_currency varchar,
    measure varchar,
    row_count bigint,
    amount decimal(38, 12),
    beyond varchar
)
"""
_DELIVERIES = """
create or replace table raw.deliveries (
    source varchar,
    connector varchar,
    table_name varchar,
    unit varchar,
    version_at timestamp,
    landed_at timestamp,
    is_bill boolean
)
"""
_RESTATEMENTS = """
create or replace table raw.restatements (
    restatement_no bigint,
    restated_at timestamp,
    source varchar,
    unit varchar,
    charge_month date,
    billing_currency varchar,
    measure varchar,
    cost_before decimal(38, 12),
    cost_after decimal(38, 12),
    lines_before bigint,
    lines_after bigint,
    was_open boolean
)
"""


@dataclass(frozen=True, slots=True)
class Restated:
    """A sum of a bill that a newer delivery changed, as the journal's ledger has it."""

    number: int
    at: datetime
    """UTC, without a zone."""
    source: str
    unit: str
    charge_month: str
    billing_currency: str
    measure: str
    before: Decimal
    after: Decimal
    lines_before: int | None
    lines_after: int | None
    was_open: bool


def create_restatements(con: Connection, restated: Sequence[Restated]) -> None:
    """Create `raw.restatements`, the ledger of what newer deliveries have changed."""
    con.execute(_RESTATEMENTS)
    rows = [
        (
            one.number,
            one.at,
            one.source,
            one.unit,
            f"{one.charge_month}-01",
            one.billing_currency,
            one.measure,
            one.before,
            one.after,
            one.lines_before,
            one.lines_after,
            one.was_open,
        )
        for one in restated
    ]
    _insert(con, "raw.restatements", rows)


def create_ledgers(
    con: Connection,
    totals: Sequence[tuple[str, RawTotal]],
    landed: Sequence[Landed],
    tables: Mapping[str, Mapping[str, Declared]],
) -> None:
    """Create the two tables that the books and the freshness of sources are made from.

    `totals` are what each source's deliveries bill.
    """
    con.execute(_TOTALS)
    con.execute(_DELIVERIES)
    _insert(con, "raw.totals", [_row_of(source, total) for source, total in totals])
    deliveries = [
        (
            delivery.source,
            delivery.connector,
            delivery.table,
            delivery.unit,
            delivery.version_at,
            delivery.landed_at,
            tables[delivery.connector][delivery.table].is_bill,
        )
        for delivery in landed
    ]
    _insert(con, "raw.deliveries", deliveries)


def _row_of(source: str, total: RawTotal) -> tuple[object, ...]:
    return (
        source,
        total.provider,
        total.billing_account_id,
        f"{total.billing_period}-01",
        f"{total.charge_month}-01",
        total.billing_currency,
        total.measure,
        total.rows,
        total.amount,
        format(total.beyond, "f"),
    )


def _insert(con: Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        marks = ", ".join("?" for _ in rows[0])
        con.executemany(f"insert into {table} values ({marks})", rows)
