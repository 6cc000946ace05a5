"""VPC flow logs of AWS in S3: who sent how many bytes to whom, for each network interface.

A file is gzipped text behind a line with the names of its fields, or Parquet; which fields there
are is what the flow log was configured with. A file is named after the time of writing, a few
minutes after its records' window, so a delivery is a UTC day of an account and region. Parquet is
delivered as it stands, text packed into Parquet under the names that Parquet has, `-` as nothing.

Two flow logs may record one interface, such as one of the VPC and one of its subnet: the file's
name tells them apart, and staging takes one.

Source: https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html,
https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from connectors.base import Checksum, Delivery, Format, SourceError, SourceFile, Table
from connectors.local import FrameFile
from connectors.store import open_store
from connectors.stored import fingerprint, read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    import polars as pl

    from connectors.base import Known
    from connectors.stored import StoredFile

_NAME = re.compile(
    r"(?:^|/)(?P<account>\d{12})_vpcflowlogs_(?P<region>[a-z0-9-]+)_(?P<log>fl-[0-9a-z]+)_"
    r"(?P<day>\d{8})T\d{4}Z_[0-9a-zA-Z]+\.log\.(?P<kind>gz|parquet)"
)
_COLUMNS = {
    "account_id": "text",
    "interface_id": "text",
    "instance_id": "text",
    "srcaddr": "text",
    "dstaddr": "text",
    "bytes": "integer",
    "start": "integer",
    "action": "text",
    "log_status": "text",
    "pkt_srcaddr": "text",
    "pkt_dstaddr": "text",
    "region": "text",
    "az_id": "text",
    "pkt_src_aws_service": "text",
    "pkt_dst_aws_service": "text",
    "flow_direction": "text",
    "traffic_path": "integer",
}
_NEEDED = ("interface_id", "srcaddr", "dstaddr", "bytes", "start")
_BATCH_BYTES = 16 << 20
_BATCH_FILES = 2000


def _named(part: str, name: str) -> str:
    """Return a part of a file's name; '' where it is not named as AWS names logs."""
    match = _NAME.search(name)
    return match[part] if match else ""


@dataclass(frozen=True, slots=True)
class VpcFlowLogs:
    """The flow logs under one root, of any number of accounts and regions."""

    root: str
    """Where the logs are written: a folder, or `s3://bucket/prefix`."""
    backfill_days: int = 35
    """How many days before the newest log are read; the bucket must keep logs for longer."""

    name: ClassVar[str] = "vpc_flow_logs"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "records",
            {**_COLUMNS, "file_region": "text", "file_log": "text"},  # type: ignore[dict-item]
            rename=lambda header: header.replace("-", "_"),
            of_file={
                "file_region": lambda name: _named("region", name),
                "file_log": lambda name: _named("log", name),
            },
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each day of an account and region that is new or has more files, oldest first.

        Raises: SourceError where no flow log is there.
        """
        found: dict[tuple[date, str, str], list[StoredFile]] = {}
        for file in open_store(self.root).files():
            if match := _NAME.search(file.name):
                day = datetime.strptime(match["day"], "%Y%m%d").replace(tzinfo=UTC).date()
                found.setdefault((day, match["account"], match["region"]), []).append(file)
        if not found:
            raise SourceError(
                "there is no flow log here: no file is named like 111122223333_vpcflowlogs_"
                "us-east-1_fl-0123456789abcdef0_20261003T0405Z_0a1b2c3d.log.gz",
                where=self.root,
                fix="check `root`; the first logs come some ten minutes after they are switched on",
            )
        oldest = max(found)[0] - timedelta(days=self.backfill_days)
        for (day, account, region), files in sorted(found.items()):
            unit, version = f"{account}/{region}/{day}", fingerprint(files)
            if day >= oldest and not known.has("records", unit, version):
                yield Delivery("records", unit, version, datetime.now(UTC), _files(files))


def _files(files: Sequence[StoredFile]) -> list[SourceFile]:
    """Return Parquet as it stands, and text in batches of one flow log that fit into memory."""
    taken: list[SourceFile] = []
    batches: dict[str, list[StoredFile]] = {}
    for file in files:
        if _named("kind", file.name) == "parquet":
            taken.append(file)
            continue
        batch = batches.setdefault(_named("log", file.name), [])
        if batch and (
            len(batch) == _BATCH_FILES or sum(one.size or 0 for one in batch) > _BATCH_BYTES
        ):
            taken.append(_Batch(tuple(batch)))
            batch.clear()
        batch.append(file)
    return taken + [_Batch(tuple(batch)) for batch in batches.values()]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some text files of one flow log, read when they are opened."""

    members: Sequence[StoredFile] = field(repr=False)
    format: Format = "parquet"
    size: int | None = None
    checksum: Checksum | None = None

    @property
    def name(self) -> str:
        return f"{self.members[0].name}.parquet"

    def open(self) -> BinaryIO:
        import polars as pl  # noqa: PLC0415  (slow to import)

        frame = pl.concat([_records(file) for file in self.members], how="diagonal")
        return FrameFile(self.name, frame).open()


def _records(file: StoredFile) -> pl.DataFrame:
    """Return a text file's records: the fields that are read, as the texts that they are.

    Raises: SourceError for a file that is cut, has no names of fields, or a line of other fields.
    """
    import polars as pl  # noqa: PLC0415

    try:
        text = gzip.decompress(read_whole(file))
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(file, f"it is no whole gzip file: {error}") from error
    names = text.partition(b"\n")[0].decode("ascii", "replace").strip().replace("-", "_").split(" ")
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise SourceError(
            f"a flow log has no field {missing[0].replace('_', '-')}",
            where=file.name,
            fix="have the flow log write it: the default format has it, and so must a custom one",
        )
    for number, line in enumerate(text.rstrip(b"\n").split(b"\n"), start=1):
        if line.count(b" ") != len(names) - 1:
            raise _damaged(
                file, f"line {number} has not the {len(names)} fields that its first line names"
            )
    frame = pl.read_csv(
        io.BytesIO(text),
        separator=" ",
        quote_char=None,
        has_header=False,
        skip_rows=1,
        infer_schema=False,
        new_columns=names,
        null_values="-",
        schema={name: pl.String() for name in names},
    )
    return frame.select(name for name in _COLUMNS if name in names)


def _damaged(file: StoredFile, why: str) -> SourceError:
    return SourceError(
        f"a flow log is damaged: {why}",
        where=file.name,
        fix="copy the file again, or take it away; the last good delivery stays in force",
    )
