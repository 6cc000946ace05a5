"""What changed in a service that keeps runs, night by night: read again, compared, delivered.

A record is delivered where it differs from what was delivered before. Records that are not over are
asked for by key until they are, and delivered once a day: that they still run is news. One that was
not over and is no longer there is delivered as gone, so that nothing runs for ever.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from connectors.base import Delivery, SourceError, Table
from connectors.records import ParquetParts, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Self

    from connectors.base import ColumnType, Known

_DAY = 24 * 60 * 60 * 1_000_000
_LAG = 5 * 60 * 1_000_000
"""Clocks differ, and a change may be written late."""
_FORMAT = 1
_WITHOUT_OFFSET = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+")

Row = tuple[object, ...]


def table_of(name: str, columns: Mapping[str, ColumnType]) -> Table:
    """Return a table of records, with the two columns that every record has."""
    return Table(name=name, columns={"key": "text", "gone_at": "integer", **columns})


def micros(text: object, where: str) -> int | None:
    """Read a time with its offset, as microseconds since 1970.

    Raises: SourceError
    """
    if text is None:
        return None
    try:
        return _since_1970(datetime.fromisoformat(str(text)))
    except (ValueError, TypeError) as error:
        raise SourceError(
            f"{str(text)[:40]!r} is not a time with an offset",
            where=where,
            fix="check the service's version; its log says what it answers",
        ) from error


def _since_1970(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def utc_micros(text: object, where: str) -> int | None:
    """Read a time of a service that means UTC, whether it says so or not.

    Raises: SourceError
    """
    if isinstance(text, str) and _WITHOUT_OFFSET.fullmatch(text):
        text += "Z"
    return micros(text, where)


@dataclass(frozen=True, slots=True)
class Record:
    """A run or a task as the service has it now."""

    key: str
    """By which it is asked for again."""
    rows: Sequence[Row]
    """One for each try, their values in the order of the table's columns, without the first two."""
    is_open: bool
    last_sign: int
    """Microseconds; when it was last heard of."""


class Stream(Protocol):
    """One kind of record of a service."""

    def changed(self, since: int) -> Iterable[Record]:
        """Yield what may have changed since (microseconds; 0: everything). One may come twice."""
        ...

    def by_key(self, key: str) -> Record | None:
        """Return a record; none for one that is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Days:
    """How far back is read."""

    overlap: int
    rescan: int
    rescan_every: int
    backfill: int


@dataclass(slots=True)
class _Memory:
    """What was delivered, as far back as it may still change: the cursor's text.

    Twelve bytes a record: six of its key's digest, six of its content's.
    """

    high_water: int = 0
    rescanned: int = 0
    reach: int = 0
    """How far back was ever looked, 0: to the first record."""
    open_keys: set[str] = field(default_factory=set)
    digests: dict[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: str | None) -> Self | None:
        """Read a cursor; none on the first night, and where another format is to be begun anew."""
        held = json.loads(cursor) if cursor else {}
        if held.get("format") != _FORMAT:
            return None
        packed = base64.b64decode(held["digests"])
        pairs = (packed[start : start + 12] for start in range(0, len(packed), 12))
        return cls(
            high_water=held["high_water"],
            rescanned=held["rescanned"],
            reach=held["reach"],
            open_keys=set(held["open"]),
            digests={pair[:6]: pair[6:] for pair in pairs},
        )

    def text(self) -> str:
        """Write the cursor."""
        packed = b"".join(key + content for key, content in sorted(self.digests.items()))
        return json.dumps(
            {
                "format": _FORMAT,
                "high_water": self.high_water,
                "rescanned": self.rescanned,
                "reach": self.reach,
                "open": sorted(self.open_keys),
                "digests": base64.b64encode(packed).decode(),
            }
        )


def changes(
    table: Table, stream: Stream, known: Known, at: datetime, days: Days
) -> Iterator[Delivery]:
    """Yield what is new, changed or gone, as one delivery; nothing where nothing is.

    Raises: SourceError
    """
    before = _Memory.of(known.cursor(table.name))
    now = _since_1970(at)
    after, since = _plan(before, now, days)
    parts = ParquetParts(table)
    for key, rows in _compare(stream, before or _Memory(), after, since, at, days):
        if rows is None:
            blanks = (None,) * (len(table.columns) - 2)
            parts.add((key, now, *blanks))
        for row in rows or ():
            parts.add((key, None, *row))
    if not parts.row_count:
        return
    files = parts.files()
    version = hashlib.sha256(b"".join(file.content for file in files)).hexdigest()
    yield Delivery(
        table=table.name,
        unit=at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        version=version[:32],
        version_at=at,
        files=files,
        cursor=after.text(),
        stated_rows=parts.row_count,
    )


def _plan(before: _Memory | None, now: int, days: Days) -> tuple[_Memory, int]:
    """Return what is to be remembered, and from when on to read."""
    floor = now - days.rescan * _DAY
    last = before.rescanned if before else 0
    scans = now - last >= days.rescan_every * _DAY
    since = reach = now - days.backfill * _DAY if days.backfill else 0
    if before:
        is_deeper = reach < before.reach
        reach = min(reach, before.reach)
        since = max(before.high_water - days.overlap * _DAY, reach)
        since = reach if is_deeper else max(min(since, floor) if scans else since, reach)
    after = _Memory(
        high_water=now - _LAG,
        rescanned=now if scans else last,
        reach=reach,
        digests={} if before is None or scans else dict(before.digests),
    )
    return after, since


def _compare(  # noqa: PLR0913, PLR0917  (one extraction)
    stream: Stream, before: _Memory, after: _Memory, since: int, at: datetime, days: Days
) -> Iterator[tuple[str, Sequence[Row] | None]]:
    """Yield what differs, none for what is gone, and note in `after` what is kept."""
    floor = _since_1970(at) - days.rescan * _DAY
    today = at.astimezone(UTC).date().isoformat()
    seen: set[str] = set()
    for key, record in chain(
        ((record.key, record) for record in stream.changed(since)),
        ((key, stream.by_key(key)) for key in sorted(before.open_keys) if key not in seen),
    ):
        if key in seen:
            continue
        seen.add(key)
        short = digest_of(key)
        if record is None:
            after.digests.pop(short, None)
            yield key, None
            continue
        content = digest_of([*record.rows, today if record.is_open else ""])
        if record.is_open:
            after.open_keys.add(key)
        if record.is_open or record.last_sign >= floor:
            after.digests[short] = content
        else:
            after.digests.pop(short, None)
        if before.digests.get(short) != content:
            yield key, record.rows
