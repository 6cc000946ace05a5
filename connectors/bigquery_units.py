"""Which parts of a table of BigQuery are delivered: a table's ingestion days, a view's months.

A table that only grows is read by its partitions (see `bigquery_export`). A view has none, so what
has changed is told by a fingerprint of each billing period's rows: that reads the whole view every
night, which is billed, and counts towards what a night may bill.

Source: https://docs.cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/focus-export
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from google.cloud import bigquery

from connectors.base import Delivery, SourceError
from connectors.bigquery_export import BigQueryExport, Budget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.base import Known
    from connectors.bigquery_export import PartitionFile
    from connectors.focus import Focus
    from connectors.gcp_billing import GcpBilling

_SINCE = re.compile(r"(?:20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))?")
_PERIOD = "substr(cast(BillingPeriodStart as string), 1, 7)"
_VIEWS = ("VIEW", "MATERIALIZED_VIEW")


def unit_deliveries(
    name: str, reader: Focus | GcpBilling, known: Known, where: str
) -> Iterator[Delivery]:
    """Yield each part of the reader's table that is new or changed, as deliveries of `name`.

    Raises: SourceError, at `where` for settings that mean nothing.
    """
    if not _SINCE.fullmatch(reader.since):
        raise SourceError(
            f"`since` is {reader.since!r}, which is no day",
            where=where,
            fix="write it as 2026-10-01",
        )
    budget = Budget(reader.maximum_bytes_billed)
    storage = reader.storage_endpoint if reader.storage_api else None
    export = BigQueryExport(reader.table, reader.project, reader.endpoint_url, storage, budget)
    export.check()
    find = _periods if export.shape.table_type in _VIEWS else _days
    yield from find(name, export, reader.since, known)


def _days(name: str, export: BigQueryExport, since: str, known: Known) -> Iterator[Delivery]:
    for partition in export.partitions():
        unit = f"partition-{partition.day}"
        if partition.day >= since and not known.has(name, unit, partition.version):
            file = export.read(partition)
            yield _delivery(name, unit, partition.version, partition.modified, file)


def _periods(name: str, export: BigQueryExport, since: str, known: Known) -> Iterator[Delivery]:
    """Yield the billing periods of a view whose rows are not those that have landed."""
    project, dataset, table = export.parts
    view = f"`{project}`.`{dataset}`.`{table}`"
    job = export.run(
        f"select {_PERIOD} as period, count(*) as row_count, "
        "cast(sum(mod(farm_fingerprint(to_json_string(line)), 1099511627776)) as string) as state "
        f"from {view} as line group by period order by period"
    )
    with export.told():
        periods = [(row.period, f"{row.row_count}-{row.state}") for row in job.result()]
    if any(period is None for period, _ in periods):
        raise SourceError(
            "the view has lines without a BillingPeriodStart",
            where=export.table,
            fix="mend the view: every line of a bill belongs to a billing period",
        )
    for period, version in periods:
        if period >= since[:7] and not known.has(name, period, version):
            month = bigquery.ScalarQueryParameter("period", "STRING", period)
            job = export.run(f"select * from {view} where {_PERIOD} = @period", month)
            file = export.file(f"{table}-{period}.parquet", job)
            yield _delivery(name, period, version, datetime.now(UTC), file)


def _delivery(name: str, unit: str, version: str, at: datetime, file: PartitionFile) -> Delivery:
    return Delivery(
        table=name,
        unit=unit,
        version=version,
        version_at=at,
        files=[file],
        cursor=f"{file.billed} bytes billed",
        stated_rows=file.rows,
        note=f"{file.billed / 1e6:.1f} MB billed by BigQuery",
    )
