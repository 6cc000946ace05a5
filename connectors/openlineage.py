"""What jobs say of themselves by OpenLineage: run events in files, or from a service with them.

Files hold one event a line, as the client's file transport, and Kafka's or S3's sinks, write them:
`*.json`, `*.jsonl`, `*.ndjson`, `*.log`, and each with `.gz` behind it. A file that has grown is
read from where it ended; one that was written anew is read again, whole. A line that is not ended
yet waits for the next night.

A service such as Marquez is asked for the events since the last night and `overlap_days` before,
and gives those that are new. Events come in any order, and may come twice: staging makes runs of
them. Facets are kept as they are, but `environmentVariables`, which may hold secrets. Events of
jobs and datasets without a run are passed by.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError
from connectors.openlineage_events import EVENTS, Cursor, FileMark, read_lines, row_of
from connectors.records import ParquetParts
from connectors.secrets import as_bearer, secret_of
from connectors.store import open_store
from connectors.stored import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known, Table
    from connectors.http import Json, JsonService
    from connectors.stored import StoredFile

_PLAIN = (".json", ".jsonl", ".ndjson", ".log")
_ENDINGS = (*_PLAIN, *(f"{ending}.gz" for ending in _PLAIN))
_MOST = 1 << 30
"""Bytes that a packed file may hold."""
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Openlineage:
    """Run events of OpenLineage."""

    root: str
    """A folder, s3://bucket/prefix, or the address of a service: `https://marquez.example`."""
    token_env: str = ""
    """The environment variable that holds a service's token."""
    overlap_days: int = 2
    """Events of the days before the last extraction are asked for again. Days."""
    backfill_days: int = 0
    """Days to look back on the first night, of a service; 0: to the first event."""
    page_size: int = 100
    """Events per request."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "openlineage"
    tables: ClassVar[Sequence[Table]] = (EVENTS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the events that are new; nothing where none is.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield deliveries as of a time of extraction, whose unit they carry."""
        before, parts = Cursor.of(known.cursor(EVENTS.name)), ParquetParts(EVENTS)
        wrong = None
        if self.root.startswith(("http://", "https://")):
            after = self._ask(before, parts, at)
        else:
            after, wrong = self._read(before, parts, at)
        if parts.row_count:
            files = parts.files()
            version = hashlib.sha256(b"".join(file.content for file in files)).hexdigest()[:32]
            unit = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            yield Delivery(
                table=EVENTS.name,
                unit=unit,
                version=version,
                version_at=at,
                files=files,
                cursor=after.text(),
                stated_rows=parts.row_count,
            )
        if wrong:
            raise wrong

    def _read(
        self, before: Cursor, parts: ParquetParts, at: datetime
    ) -> tuple[Cursor, SourceError | None]:
        """Read what is new in files; those with a mistake are left for the next night."""
        listed = [file for file in open_store(self.root).files() if file.name.endswith(_ENDINGS)]
        if not listed:
            raise SourceError(
                "there is no file of events",
                where=self.root,
                fix=f"mend `root`; names must end in one of {', '.join(_ENDINGS)}",
            )
        after, wrong = Cursor(), None
        for file in listed:
            mark = before.files.get(file.name)
            if mark is not None and mark.stamp == file.stamp:
                after.files[file.name] = mark
                continue
            try:
                rows, after.files[file.name] = self._new_in(file, mark, at)
            except SourceError as error:
                wrong = wrong or error
                if mark is not None:
                    after.files[file.name] = mark
                continue
            for row in rows:
                parts.add(row)
        return after, wrong

    def _new_in(
        self, file: StoredFile, mark: FileMark | None, at: datetime
    ) -> tuple[list[tuple[object, ...]], FileMark]:
        content = _unpacked(file) if file.name.endswith(".gz") else read_whole(file)
        start = mark.upto if mark is not None and mark.begins(content) else 0
        is_still = at - file.modified > timedelta(hours=1)
        rows, upto = read_lines(content, start, file.name, self.root, is_still=is_still)
        stamp = file.stamp if upto == len(content) else ""
        return rows, FileMark.of(stamp, content[:upto])

    def _ask(self, before: Cursor, parts: ParquetParts, at: datetime) -> Cursor:
        """Ask a service for what is new."""
        if before.high_water is not None:
            since = before.high_water - timedelta(days=self.overlap_days)
        else:
            since = at - timedelta(days=self.backfill_days) if self.backfill_days else _BEGINNING
        after = Cursor(high_water=at)
        with self._open() as service:
            for number, event in enumerate(self._pages(service, since, at), start=1):
                row = row_of(event, f"event {number}", self.root)
                if row is None:
                    continue
                digest = hashlib.sha256(repr(row).encode()).digest()[:8]
                if digest not in before.digests and digest not in after.digests:
                    parts.add(row)
                after.digests.add(digest)
        return after

    def _pages(self, service: JsonService, since: datetime, at: datetime) -> Iterator[Json]:
        """Yield the events of a time, oldest first, so that new ones come at the end."""
        path, offset = "api/v1/events/lineage", 0
        while True:
            asked: dict[str, str | int] = {
                "after": since.isoformat(),
                "before": at.isoformat(),
                "sortDirection": "asc",
                "limit": self.page_size,
                "offset": offset,
            }
            answer = service.ask("GET", path, params=asked)
            found = answer.json.get("events") if answer.is_success else None
            if not isinstance(found, list):
                raise service.refusal(answer, path, said="", credentials="token_env")
            yield from found
            offset += len(found)
            if len(found) < self.page_size:
                return

    def _open(self) -> JsonService:
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        if "@" in self.root:
            raise SourceError(
                "root holds credentials",
                where=self.root.rpartition("@")[2],
                fix="put a token into the environment or a file: token_env, token_file",
            )
        return JsonService.at(
            "the keeper of OpenLineage events",
            self.root,
            headers=lambda: as_bearer(secret_of(self.token_env, where=self.root)),
            timeout_seconds=self.timeout_seconds,
        )


def _unpacked(file: StoredFile) -> bytes:
    """Return what a packed file holds.

    Raises: SourceError for one that is damaged, still being written, or holds too much.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(read_whole(file))) as unpacked:
            content = unpacked.read(_MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"the file is not a whole gzip file: {error}",
            where=file.name,
            fix="have it written again; one that is still being written is read the next night",
        ) from error
    if len(content) > _MOST:
        raise SourceError(
            f"the file holds more than {_MOST >> 30} GiB of events",
            where=file.name,
            fix="have what writes the events begin a new file more often",
        )
    return content
