"""BigQuery's REST API on this machine, as far as reading a partitioned table goes.

The official client speaks to it, with a key file and a token of its own; what the server checks
(tokens, the cap on bytes billed, rows by page) it checks as Google does. It understands the queries
that begin like those of `bigquery_export`, and no other.

Source: https://cloud.google.com/bigquery/docs/reference/rest/v2
"""

from __future__ import annotations

import json
import re
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import grpc  # type: ignore[import-untyped]
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.bigquery_storage_v1.types import (  # noqa: TID251 - the counterpart
    ArrowRecordBatch,
    ArrowSchema,
    CreateReadSessionRequest,
    DataFormat,
    ReadRowsRequest,
    ReadRowsResponse,
    ReadSession,
    ReadStream,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: Google's library asks Google about the key on the side, in vain."""
_LEAST_BILLED = 10 * 1024 * 1024
_TOKEN = "loopback-token"  # noqa: S105 - what the server itself hands out
_PARTITION_FIELDS = (
    {"name": "partition_id", "type": "STRING"},
    {"name": "total_rows", "type": "INTEGER"},
    {"name": "last_modified_time", "type": "TIMESTAMP"},
)
_PERIOD_FIELDS = (
    {"name": "period", "type": "STRING"},
    {"name": "row_count", "type": "INTEGER"},
    {"name": "state", "type": "STRING"},
)
Row = dict[str, Any]
Field = dict[str, Any]


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """An error as the API words it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "error": {
                "code": status,
                "message": message,
                "errors": [{"reason": reason, "message": message, "domain": "global"}],
            }
        }


@dataclass
class Warehouse:
    """One table, its partitions, and what has been asked of it."""

    fields: Sequence[Field]
    table: str = "acme.billing.gcp_billing_export_resource_v1_01A_02B_03C"
    partitioning: Row | None = field(default_factory=lambda: {"type": "DAY"})
    partitions: dict[str, list[Row]] = field(default_factory=dict)
    """YYYYMMDD -> rows."""
    modified: dict[str, datetime] = field(default_factory=dict)
    is_view: bool = False
    """Whether the table is a view: it has no partitions, and is asked for by billing period."""
    bytes_per_row: int = 1_000_000
    page_rows: int = 1000
    busy: int = 0
    """How many requests are yet to be refused for being too many."""
    denied: bool = False
    lost_rows: int = 0
    """Rows that the pages lack, though they are counted."""
    queries: list[str] = field(default_factory=list)
    billed: list[int] = field(default_factory=list)
    results: dict[str, tuple[Sequence[Field], list[Row]]] = field(default_factory=dict)
    jobs: dict[str, Row] = field(default_factory=dict)
    address: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def write(self, day: str, rows: Sequence[Row], at: datetime) -> None:
        """Append rows to the partition of a day, YYYYMMDD."""
        self.partitions.setdefault(day, []).extend(rows)
        self.modified[day] = at

    def admit(self, authorization: str) -> None:
        """Let a request pass.

        Raises: Refusal
        """
        if authorization != f"Bearer {_TOKEN}":
            raise Refusal(401, "authError", "Invalid Credentials")
        if self.busy > 0:
            self.busy -= 1
            raise Refusal(503, "backendError", "try again")
        if self.denied:
            raise Refusal(403, "accessDenied", "Access Denied: User does not have permission")

    def run(self, asked: Row) -> Row:
        """Run a job to its end."""
        query = asked["configuration"]["query"]
        fields, rows, scanned = self._answer(query)
        billed = max(_LEAST_BILLED, scanned)
        if billed > int(query.get("maximumBytesBilled", billed)):
            raise Refusal(
                400,
                "bytesBilledLimitExceeded",
                f"Query exceeded limit for bytes billed: {query['maximumBytesBilled']}. "
                f"{billed} or higher required.",
            )
        self.queries.append(query["query"])
        self.billed.append(billed)
        reference = asked["jobReference"] | {"location": "EU"}
        job_id = reference["jobId"]
        self.results[job_id] = fields, rows
        self.jobs[job_id] = {
            "kind": "bigquery#job",
            "jobReference": reference,
            "configuration": {
                "jobType": "QUERY",
                "query": query
                | {
                    "destinationTable": {
                        "projectId": reference["projectId"],
                        "datasetId": "_results",
                        "tableId": job_id,
                    }
                },
            },
            "status": {"state": "DONE"},
            "statistics": {
                "query": {"totalBytesBilled": str(billed), "totalBytesProcessed": str(scanned)}
            },
        }
        return self.jobs[job_id]

    def _answer(self, query: Row) -> tuple[Sequence[Field], list[Row], int]:
        text = query["query"]
        values = {
            each["name"]: each["parameterValue"]["value"] for each in query["queryParameters"]
        }
        project, dataset, table = self.table.split(".")
        if f"`{project}`.`{dataset}`.INFORMATION_SCHEMA.PARTITIONS" in text:
            assert values == {"table_name": table}
            found = [
                {
                    "partition_id": day,
                    "total_rows": len(rows),
                    "last_modified_time": self.modified[day],
                }
                for day, rows in self.partitions.items()
            ]
            return _PARTITION_FIELDS, found, 0
        assert f"from `{project}`.`{dataset}`.`{table}`" in text
        if self.is_view:
            return self._answer_view(text, values)
        assert " where `_PARTITIONTIME` >= @first" in text
        first, after = (re.sub(r"\D", "", values[name])[:8] for name in ("first", "after"))
        days = [day for day in self.partitions if day.isdigit() and first <= day < after]
        rows = [row for day in days for row in self.partitions[day]]
        return self.fields, rows, len(rows) * self.bytes_per_row

    def _answer_view(self, text: str, values: Row) -> tuple[Sequence[Field], list[Row], int]:
        """Answer for a view: the state of each billing period, or the rows of one."""
        assert "substr(cast(BillingPeriodStart as string), 1, 7)" in text
        whole = [row for rows in self.partitions.values() for row in rows]
        scanned = len(whole) * self.bytes_per_row
        by_period: dict[str | None, list[Row]] = {}
        for row in whole:
            at = row["BillingPeriodStart"]
            by_period.setdefault(f"{at:%Y-%m}" if at else None, []).append(row)
        if "select *" in text:
            return self.fields, by_period[values["period"]], scanned
        found = [
            {
                "period": period,
                "row_count": len(rows),
                "state": str(sum(zlib.crc32(repr(row).encode()) for row in rows)),
            }
            for period, rows in by_period.items()
        ]
        return _PERIOD_FIELDS, sorted(found, key=lambda row: str(row["period"])), scanned

    def page(self, job_id: str, asked: dict[str, list[str]]) -> Row:
        """Return a page of a job's rows."""
        fields, rows = self.results[job_id]
        start = int(asked.get("pageToken", asked.get("startIndex", ["0"]))[0])
        size = min(self.page_rows, int(asked.get("maxResults", [str(self.page_rows)])[0]))
        whole = rows[: len(rows) - self.lost_rows] if fields is self.fields else rows
        answer: Row = {
            "jobReference": self.jobs[job_id]["jobReference"],
            "jobComplete": True,
            "schema": {"fields": list(fields)},
            "totalRows": str(len(rows)),
            "rows": [_encoded(row, fields) for row in whole[start : start + size]],
        }
        if start + size < len(whole):
            answer["pageToken"] = str(start + size)
        return answer

    def describe(self) -> Row:
        """Return the table's resource."""
        project, dataset, table = self.table.split(".")
        return {
            "kind": "bigquery#table",
            "tableReference": {"projectId": project, "datasetId": dataset, "tableId": table},
            "schema": {"fields": list(self.fields)},
            "location": "EU",
            "type": "VIEW" if self.is_view else "TABLE",
            **(
                {"timePartitioning": self.partitioning}
                if self.partitioning and not self.is_view
                else {}
            ),
        }


def _encoded(row: Row, fields: Sequence[Field]) -> Row:
    """Return a row as the API writes it: `f` for its fields, `v` for a value, numbers as text."""
    return {"f": [{"v": _value(row.get(each["name"]), each)} for each in fields]}


def _value(value: Any, kind: Field) -> Any:
    if kind.get("mode") == "REPEATED":
        return [{"v": _value(each, kind | {"mode": "NULLABLE"})} for each in value or []]
    if value is None:
        return None
    if kind["type"] == "RECORD":
        return _encoded(value, kind["fields"])
    if kind["type"] == "TIMESTAMP":
        return str(round(value.timestamp() * 1_000_000))
    if kind["type"] == "BOOLEAN":
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _route(warehouse: Warehouse, asked: BaseHTTPRequestHandler, body: bytes) -> Row:
    """Return the answer to a request.

    Raises: Refusal
    """
    url = urlsplit(asked.path)
    if url.path == "/token":
        return {"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"}
    warehouse.admit(asked.headers.get("Authorization", ""))
    path = url.path.removeprefix("/bigquery/v2/projects/")
    project, dataset, table = warehouse.table.split(".")
    if asked.command == "POST" and path.endswith("/jobs"):
        return warehouse.run(json.loads(body))
    if match := re.fullmatch(r"[^/]+/(?:queries|datasets/_results/tables)/([^/]+)(/data)?", path):
        return warehouse.page(match[1], parse_qs(url.query))
    if match := re.fullmatch(r"[^/]+/jobs/([^/]+)", path):
        return warehouse.jobs[match[1]]
    if path == f"{project}/datasets/{dataset}/tables/{table}":
        return warehouse.describe()
    raise Refusal(404, "notFound", f"Not found: {path}")


@contextmanager
def serving(warehouse: Warehouse) -> Iterator[Warehouse]:
    """Answer for a warehouse until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            self._reply(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def _reply(self, body: bytes) -> None:
            with warehouse.lock:
                try:
                    status, answer = 200, _route(warehouse, self, body)
                except Refusal as refusal:
                    status, answer = refusal.status, refusal.body
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    warehouse.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield warehouse
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


@contextmanager
def storing(warehouse: Warehouse, to_arrow: Callable[[list[Row]], Any]) -> Iterator[str]:
    """Answer for the Storage API until the block ends, in batches; yield host:port."""

    def begin(asked: CreateReadSessionRequest, context: Any) -> ReadSession:
        if warehouse.denied:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "readsessions.create denied")
        job_id = asked.read_session.table.rpartition("/")[2]
        warehouse.queries.append(f"storage session of {asked.max_stream_count} streams")
        schema = to_arrow(warehouse.results[job_id][1]).schema.serialize().to_pybytes()
        return ReadSession(
            name=job_id,
            table=asked.read_session.table,
            data_format=DataFormat.ARROW,
            arrow_schema=ArrowSchema(serialized_schema=schema),
            streams=[ReadStream(name=f"{job_id}/streams/0")],
        )

    def send(asked: ReadRowsRequest, _: Any) -> Iterator[ReadRowsResponse]:
        table = to_arrow(warehouse.results[asked.read_stream.split("/")[0]][1])
        schema = table.schema.serialize().to_pybytes()
        for batch in table.to_batches(max_chunksize=warehouse.page_rows):
            packed = batch.serialize().to_pybytes()
            yield ReadRowsResponse(
                arrow_schema=ArrowSchema(serialized_schema=schema),
                arrow_record_batch=ArrowRecordBatch(serialized_record_batch=packed),
                row_count=batch.num_rows,
            )

    handlers = {
        "CreateReadSession": grpc.unary_unary_rpc_method_handler(
            begin, CreateReadSessionRequest.deserialize, ReadSession.serialize
        ),
        "ReadRows": grpc.unary_stream_rpc_method_handler(
            send, ReadRowsRequest.deserialize, ReadRowsResponse.serialize
        ),
    }
    server = grpc.server(ThreadPoolExecutor(4))
    service = "google.cloud.bigquery.storage.v1.BigQueryRead"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def write_key(path: Path, address: str) -> Path:
    """Write the key file of a service account whose tokens come from the server at `address`."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    content = {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "1",
        "private_key": text.decode(),
        "client_email": "mlspend@acme.example",
        "token_uri": f"{address}/token",
    }
    path.write_text(json.dumps(content), "utf-8")
    return path


def utc(year: int, month: int, day: int, hour: int = 0) -> datetime:
    """Return a time."""
    return datetime(year, month, day, hour, tzinfo=UTC)
