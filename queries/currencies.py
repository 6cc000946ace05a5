"""The reporting currency, as the config file says: `raw.reporting`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queries.engines.duckdb import Connection

RATES = "exchange rates"
"""What `marts.freshness` calls the source of rates that are missing."""
COLUMNS = "currency varchar"


def create_reporting(con: Connection, currency: str) -> None:
    """Create the table of the reporting currency: one row, or none where none is set."""
    con.execute(f"create or replace table raw.reporting ({COLUMNS})")
    if currency:
        con.execute("insert into raw.reporting values (?)", [currency])
