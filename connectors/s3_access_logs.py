"""S3 server access logs: who read which object, and how many bytes of it were sent.

AWS writes thousands of small files a day, named after the moment of writing; a record may come
hours late, so a file's day is not its records' day. A delivery is a day of writing: its lines, as
they are, packed into a few Parquet files of one column, and taken apart by the staging SQL. AWS
promises neither that every request is logged nor that one is logged once.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from connectors.base import Checksum, Delivery, Format, SourceError, Table
from connectors.local import FrameFile
from connectors.store import open_store
from connectors.stored import fingerprint, read_whole
from connectors.tally import shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known
    from connectors.stored import StoredFile

_NAME = re.compile(r"(?:^|/)(20\d\d-\d\d-\d\d)-\d\d-\d\d-\d\d-[0-9A-Z]{16}$")
_RECORD = re.compile(
    r"^\S+ \S+ \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] \S+ \S+ \S+ \S+ \S+ "
    r'(?:".*?"|-) (?:\d{3}|-) \S+ (?:\d+|-) (?:\d+|-) (?:\d+|-) (?:\d+|-) '
)
_BATCH_BYTES = 32 << 20
_BATCH_FILES = 2000
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class S3AccessLogs:
    """The access logs under one root, of any number of buckets."""

    root: str
    """Where the logs are written: a folder, or `s3://bucket/prefix`."""
    backfill_days: int = 35
    """How many days before the newest log are read; the bucket must keep logs for longer."""

    name: ClassVar[str] = "s3_access_logs"
    tables: ClassVar[Sequence[Table]] = (Table("lines", {"file": "text", "line": "text"}),)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each day of writing that is new or has more files, oldest first.

        Raises: SourceError where no access log is there.
        """
        days: dict[date, list[StoredFile]] = {}
        for file in open_store(self.root).files():
            if match := _NAME.search(file.name):
                days.setdefault(date.fromisoformat(match[1]), []).append(file)
        if not days:
            raise SourceError(
                "there is no access log here: no file is named like "
                "2026-10-03-04-05-06-0123456789ABCDEF",
                where=self.root,
                fix="check `root`; the first logs come hours after logging is switched on",
            )
        oldest = max(days) - timedelta(days=self.backfill_days)
        for day, files in sorted(days.items()):
            unit, version = f"written-{day}", fingerprint(files)
            if day >= oldest and not known.has("lines", unit, version):
                yield Delivery("lines", unit, version, datetime.now(UTC), _batches(files))


@dataclass(frozen=True, slots=True)
class _LogBatch:
    """Some log files, read when they are opened."""

    members: Sequence[StoredFile] = field(repr=False)
    format: Format = "parquet"
    size: int | None = None
    checksum: Checksum | None = None

    @property
    def name(self) -> str:
        return f"{self.members[0].name}.parquet"

    def open(self) -> BinaryIO:
        import polars as pl  # noqa: PLC0415  (slow to import)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            texts = list(pool.map(shared(_lines_of), self.members))
        files = [file.name for file, lines in zip(self.members, texts, strict=True) for _ in lines]
        lines = [line for lines in texts for line in lines]
        schema = {"file": pl.String, "line": pl.String}
        return FrameFile(self.name, pl.DataFrame({"file": files, "line": lines}, schema)).open()


def _batches(files: Sequence[StoredFile]) -> list[_LogBatch]:
    """Group files so that one group fits into memory."""
    groups: list[list[StoredFile]] = [[]]
    size = 0
    for file in files:
        size += file.size or 0
        if groups[-1] and (size > _BATCH_BYTES or len(groups[-1]) == _BATCH_FILES):
            groups.append([])
            size = file.size or 0
        groups[-1].append(file)
    return [_LogBatch(group) for group in groups]


def _lines_of(file: StoredFile) -> list[str]:
    """Return a log's lines.

    Raises: SourceError for a line that is no record, such as one that was cut.
    """
    lines = read_whole(file).decode("utf-8", "backslashreplace").split("\n")
    if lines[-1] == "":
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if not _RECORD.match(line):
            raise SourceError(
                f"line {number} is no record of an S3 access log: {line[:80]}",
                where=file.name,
                fix="copy the file again, or take it away; the last good delivery stays in force",
            )
    return lines
