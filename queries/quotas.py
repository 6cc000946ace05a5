"""What the config file says of quotas, as the models read it: `raw.quotas`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from queries.engines.duckdb import Connection

COLUMNS = {
    "quota": "varchar",
    "dimension": "varchar",
    "member": "varchar",
    "measure": "varchar",
    "window_kind": "varchar",
    "window_days": "integer",
    "limit_amount": "decimal(38, 12)",
    "billing_currency": "varchar",
    "threshold": "decimal(6, 4)",
}


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a measure a member may use in a window."""

    name: str
    dimension: str
    member: str
    """`*`: every member of the dimension, each for itself."""
    measure: str
    """effective_cost or gpu_hours."""
    window_kind: str
    """day, week, month, quarter, or days."""
    window_days: int
    """How many days a window of `days` has."""
    limit_amount: Decimal
    billing_currency: str | None
    """None where the measure is not money."""
    thresholds: tuple[Decimal, ...]
    """Shares of the limit."""


def create_quotas(con: Connection, quotas: Sequence[Quota]) -> None:
    """Create the table of quotas: a row for each threshold of each."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute(f"create or replace table raw.quotas ({columns})")
    rows = [
        (
            quota.name,
            quota.dimension,
            quota.member,
            quota.measure,
            quota.window_kind,
            quota.window_days,
            quota.limit_amount,
            quota.billing_currency,
            threshold,
        )
        for quota in quotas
        for threshold in quota.thresholds
    ]
    if rows:
        marks = ", ".join("?" for _ in COLUMNS)
        con.executemany(f"insert into raw.quotas values ({marks})", rows)
