"""A table of BigQuery that only grows, read by the partition: what a day's partition holds, whole.

What has changed is told by the list of partitions (INFORMATION_SCHEMA.PARTITIONS: rows, and when a
partition was last written to), which costs the least that a query can, 10 MB; a partition that has
not changed is never scanned. Rows in the streaming buffer belong to no partition yet: they come
with the night that finds them in one. A partition that has expired is not missed: what has landed
of it stays.

BigQuery Data Viewer on the dataset and BigQuery Job User on the project that pays are enough for
the REST API, through which rows come as text, a few thousand a second. The Storage API sends them
as they are kept, and wants a role more, BigQuery Read Session User on the project that pays.

Source: https://cloud.google.com/bigquery/docs/information-schema-partitions
Source: https://cloud.google.com/bigquery/docs/best-practices-costs
"""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from requests.exceptions import RequestException

from connectors.base import Checksum, Format, SourceError
from connectors.tally import count_request, count_session, shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.cloud.bigquery_storage_v1 import BigQueryReadClient

_NAME = re.compile(r"[a-zA-Z0-9][\w:.-]*\.\w+\.[\w-]+")
_DAY = re.compile(r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_SECONDS = 120
_PAGE = 5000
_LABELS = {"application": "mlspend"}


class Partition(NamedTuple):
    """A day's partition, as the list has it."""

    day: str
    """YYYY-MM-DD."""
    rows: int
    modified: datetime
    """UTC."""

    @property
    def version(self) -> str:
        """What changes whenever the partition does."""
        return f"{self.rows}-{self.modified:%Y%m%dT%H%M%S%f}"


@dataclass(slots=True)
class Budget:
    """The bytes that a night may still bill."""

    left: int
    billed: int = 0

    def spend(self, count: int) -> None:
        """Note what a query has billed."""
        self.left -= count
        self.billed += count


@dataclass(frozen=True)
class BigQueryExport:
    """One table, partitioned by day."""

    table: str
    """project.dataset.table"""
    project: str
    """Which project runs the queries and pays for them; empty: the table's."""
    endpoint_url: str
    storage_endpoint: str | None
    """host:port of the Storage API, empty for Google's own; none: rows come by REST."""
    budget: Budget

    def check(self) -> None:
        """Refuse a name that is none.

        Raises: SourceError
        """
        if not _NAME.fullmatch(self.table):
            raise SourceError(
                f"{self.table!r} is not a table of BigQuery",
                where="`table` in the config file",
                fix="write project.dataset.gcp_billing_export_resource_v1_XXXXXX_XXXXXX_XXXXXX",
            )

    @cached_property
    def client(self) -> bigquery.Client:
        """Connect with the credentials that Google's library finds."""
        options = ClientOptions(api_endpoint=self.endpoint_url) if self.endpoint_url else None
        with self.told():
            client = bigquery.Client(
                project=self.project or self.table.split(".")[0], client_options=options
            )
            count_session(client._http)  # noqa: SLF001 - the session has no other name
            return client

    @cached_property
    def _reader(self) -> BigQueryReadClient | None:
        if self.storage_endpoint is None:
            return None
        from google.cloud.bigquery_storage_v1 import BigQueryReadClient  # noqa: PLC0415  (slow)

        count = shared(count_request)

        class Counting(BigQueryReadClient):
            """Reads streams in threads of the library's own."""

            def create_read_session(self, *args: Any, **kwargs: Any) -> Any:
                count()
                return super().create_read_session(*args, **kwargs)

            def read_rows(self, *args: Any, **kwargs: Any) -> Any:
                count()
                return super().read_rows(*args, **kwargs)  # type: ignore[no-untyped-call]

        if not self.storage_endpoint:
            return Counting(  # type: ignore[no-untyped-call]
                credentials=self.client._credentials  # noqa: SLF001
            )
        import grpc  # type: ignore[import-untyped]  # noqa: PLC0415
        from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (  # noqa: PLC0415
            BigQueryReadGrpcTransport,
        )

        channel = grpc.insecure_channel(
            self.storage_endpoint, options=[("grpc.max_receive_message_length", -1)]
        )
        return Counting(  # type: ignore[no-untyped-call]
            transport=BigQueryReadGrpcTransport(channel=channel)
        )

    def batches(self, job: bigquery.QueryJob) -> Iterator[Any]:
        """Yield a job's rows as batches of Arrow; at least one, that says the columns.

        Raises: SourceError
        """
        with self.told():
            rows = job.result(timeout=_SECONDS, page_size=_PAGE)
            if not rows.total_rows:
                yield pa.RecordBatch.from_pylist([], schema=rows.to_arrow().schema)
                return
            # one stream at a time and few batches ahead: memory is bounded
            yield from rows.to_arrow_iterable(
                bqstorage_client=self._reader, max_queue_size=2, max_stream_count=1
            )

    @cached_property
    def shape(self) -> bigquery.Table:
        """What BigQuery says of the table or view."""
        with self.told():
            return self.client.get_table(self.table, timeout=_SECONDS)

    @cached_property
    def _column(self) -> str:
        """The column that says a row's partition.

        Raises: SourceError for a table that is not partitioned by day.
        """
        parts = self.shape.time_partitioning
        if parts is None or parts.type_ != "DAY":
            raise SourceError(
                "the table is not partitioned by day, so that what has changed cannot be told",
                where=self.table,
                fix="name the table that Cloud Billing itself exports to, not a view or a copy",
            )
        return str(parts.field or "_PARTITIONTIME")

    def partitions(self) -> list[Partition]:
        """List the partitions, oldest first.

        Raises: SourceError where the table is not there or may not be read.
        """
        column = self._column
        project, dataset, table = self.parts
        job = self.run(
            f"select partition_id, total_rows, last_modified_time "
            f"from `{project}`.`{dataset}`.INFORMATION_SCHEMA.PARTITIONS "
            f"where table_name = @table_name",
            bigquery.ScalarQueryParameter("table_name", "STRING", table),
        )
        with self.told():
            rows = list(job.result(timeout=_SECONDS))
        found = [
            Partition(
                f"{row.partition_id[:4]}-{row.partition_id[4:6]}-{row.partition_id[6:]}",
                row.total_rows or 0,
                row.last_modified_time.astimezone(UTC),
            )
            for row in rows
            if column and _DAY.fullmatch(row.partition_id or "")
        ]
        return sorted(found)

    def read(self, partition: Partition) -> PartitionFile:
        """Query a partition whole; its rows are fetched when the file is opened.

        Raises: SourceError, so where it would bill more than may be billed.
        """
        project, dataset, table = self.parts
        kind = next(
            (each.field_type for each in self.shape.schema if each.name == self._column),
            "TIMESTAMP",
        )
        job = self.run(
            f"select * from `{project}`.`{dataset}`.`{table}` "
            f"where `{self._column}` >= @first and `{self._column}` < @after",
            *_bounds(partition.day, kind),
        )
        return self.file(f"{table}${partition.day.replace('-', '')}.parquet", job)

    def file(self, name: str, job: bigquery.QueryJob) -> PartitionFile:
        """Return what a query gave as a file; its rows are fetched when it is opened.

        Raises: SourceError
        """
        with self.told():
            count = job.result(timeout=_SECONDS, page_size=1).total_rows
        return PartitionFile(name, self, job, count or 0, job.total_bytes_billed or 0)

    @property
    def parts(self) -> tuple[str, str, str]:
        """Project, dataset, table."""
        project, dataset, table = self.table.rsplit(".", 2)
        return project, dataset, table

    def run(self, query: str, *values: bigquery.ScalarQueryParameter) -> bigquery.QueryJob:
        """Run a query to its end, within what may still be billed.

        Raises: SourceError
        """
        if self.budget.left <= 0:
            raise self._too_dear(f"{self.budget.billed} bytes have been billed")
        config = bigquery.QueryJobConfig(
            query_parameters=list(values),
            maximum_bytes_billed=self.budget.left,
            use_query_cache=False,
            labels=_LABELS,
        )
        location = self.shape.location
        with self.told():
            job = self.client.query(query, job_config=config, location=location, timeout=_SECONDS)
            job.result(timeout=None, page_size=1)
        self.budget.spend(job.total_bytes_billed or 0)
        return job

    def _too_dear(self, why: str) -> SourceError:
        return SourceError(
            f"a night may not bill more: {why}",
            where=self.table,
            fix="raise `maximum_bytes_billed`, or let the next nights fetch the rest, or set "
            "`since`; the days before have landed",
        )

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what Google's library raises into our errors."""
        try:
            yield
        except BadRequest as error:
            if "bytesBilledLimitExceeded" in str(error.errors) or "bytes billed" in error.message:
                raise self._too_dear(_said(error)) from error
            raise self._refused(error, "report this as a fault of mlspend") from error
        except Forbidden as error:
            fix = (
                "grant BigQuery Data Viewer on the dataset, and BigQuery Job User on the project "
                "that pays (`project`); for `storage_api` BigQuery Read Session User on that too"
            )
            raise self._refused(error, fix) from error
        except NotFound as error:
            fix = "mend `table`; a new export has its table a few hours after it is switched on"
            raise self._refused(error, fix) from error
        except GoogleAuthError as error:
            fix = "let GOOGLE_APPLICATION_CREDENTIALS name a key file, or run as a service account"
            raise SourceError(
                f"Google does not know us: {_said(error)}",
                where=self.table,
                fix=fix,
            ) from error
        except (GoogleAPIError, RequestException, OSError) as error:
            raise SourceError(
                f"BigQuery does not answer: {_said(error)}",
                where=self.table,
                fix="run again; what has landed stays in force",
            ) from error

    def _refused(self, error: Any, fix: str) -> SourceError:
        return SourceError(f"BigQuery refuses: {_said(error)}", where=self.table, fix=fix)


def _said(error: Any) -> str:
    """Return what Google says is wrong, without the address that was asked."""
    stated = [each for each in getattr(error, "errors", ()) if isinstance(each, dict)]
    told = next((each["message"] for each in stated if "message" in each), None)
    text = str(told or getattr(error, "message", None) or error)
    return (text.splitlines() or [type(error).__name__])[0][:300]


def _bounds(day: str, kind: str) -> list[bigquery.ScalarQueryParameter]:
    """Return the first moment of a UTC day and the first after it, as the column's type."""
    first = datetime.fromisoformat(day).replace(tzinfo=UTC)
    after = datetime.fromtimestamp(first.timestamp() + 86400, UTC)
    if kind == "DATE":
        return [
            bigquery.ScalarQueryParameter("first", kind, first.date()),
            bigquery.ScalarQueryParameter("after", kind, after.date()),
        ]
    return [
        bigquery.ScalarQueryParameter("first", kind, first),
        bigquery.ScalarQueryParameter("after", kind, after),
    ]


@dataclass(frozen=True)
class PartitionFile:
    """A partition's rows, delivered as Parquet."""

    name: str
    export: BigQueryExport = field(repr=False)
    job: bigquery.QueryJob = field(repr=False)
    rows: int
    billed: int
    """Bytes."""
    format: Format = "parquet"
    size: int | None = None
    checksum: Checksum | None = None

    def open(self) -> BinaryIO:
        """Fetch the rows, page by page, into a file that has no name, and open that.

        Raises: SourceError
        """
        spooled = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        writer: pq.ParquetWriter | None = None
        try:
            for batch in self.export.batches(self.job):
                writer = writer or pq.ParquetWriter(spooled, batch.schema, compression="zstd")
                writer.write_batch(batch)
            if writer is not None:
                writer.close()
        except BaseException:
            spooled.close()
            raise
        spooled.seek(0)
        return cast("BinaryIO", spooled)
