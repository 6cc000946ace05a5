"""What the made-up company cost in EUR, beside what it was billed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

    from duckdb import DuckDBPyConnection  # noqa: TID251 - this writes what queries/ reads

REPORTED = {
    "spend_daily": {"reporting_cost": "effective_cost", "reporting_billed_cost": "billed_cost"},
    "runs": {"reporting_cost": "effective_cost"},
    "machines_daily": {
        "reporting_cost": "effective_cost",
        "reporting_idle_cost": "idle_cost",
        "reporting_lost_cost": "lost_cost",
    },
    "training_jobs": {
        "reporting_cost": "effective_cost",
        "reporting_failed_cost": "failed_cost",
        "reporting_dearest_run_cost": "dearest_run_cost",
    },
}
"""Mart -> its columns in the reporting currency, which is EUR, and what each is converted from."""
CONVERSIONS = """
create table marts.conversions as
select
    charge_date,
    source,
    billing_currency,
    cast(sum(effective_cost) as decimal(38, 12)) as effective_cost,
    cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
    'EUR' as reporting_currency,
    case
        when max(billing_currency) = 'USD' and count(reporting_cost) > 0
            then '1 EUR = 1.25 USD (' || max(charge_date) || ', ecb)'
    end as rates,
    cast(sum(reporting_cost) as decimal(38, 12)) as reporting_cost,
    cast(sum(reporting_billed_cost) as decimal(38, 12)) as reporting_billed_cost,
    count(reporting_cost) = 0 as is_missing,
    cast(0 as decimal(38, 12)) as difference
from marts.spend_daily
where dimension = 'service'
group by all
"""


def report(con: DuckDBPyConnection, dollar: Decimal | None) -> None:
    """Convert to EUR what there is a rate for: what was billed in it, and what `dollar` says."""
    rates = f"(values ('EUR', 1.0), ('USD', {dollar or 'null'})) as rates (currency, factor)"
    for table, columns in REPORTED.items():
        added = ", ".join(
            f"cast(cast({billed} as decimal(24, 6)) * factor as decimal(38, 12)) as {column}"
            for column, billed in columns.items()
        )
        con.execute(
            f"create or replace table marts.{table} as "
            f"select rows.*, {added}, if(factor is null, null, 'EUR') as reporting_currency "
            f"from marts.{table} as rows left join {rates} on billing_currency = currency"
        )
    con.execute(CONVERSIONS)
