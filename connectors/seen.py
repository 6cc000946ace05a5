"""What a source that cannot say what changed has delivered: the text of a cursor.

A night reads again what may have changed, and delivers what differs from what is remembered here.
Twelve bytes a record: six of its key's digest, six of its content's. Two keys with one digest (one
in a million for 20,000 records) only mean that both are delivered each night.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from connectors.base import Delivery
from connectors.records import ParquetParts, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Self

    from connectors.base import Table

_FORMAT = 1
_LAG = timedelta(minutes=5)
"""Clocks differ, and a change may be written late."""

Row = tuple[object, ...]


def text_of(digests: Mapping[bytes, bytes]) -> str:
    """Write digests of six bytes by digests of six bytes, as cursors hold them."""
    packed = b"".join(key + content for key, content in sorted(digests.items()))
    return base64.b64encode(packed).decode()


def digests_of(text: str) -> dict[bytes, bytes]:
    """Read what `text_of` wrote."""
    packed = base64.b64decode(text)
    pairs = (packed[start : start + 12] for start in range(0, len(packed), 12))
    return {pair[:6]: pair[6:] for pair in pairs}


@dataclass(slots=True)
class Seen:
    """What was delivered of one table, as far back as it may still change."""

    high_water: datetime | None = None
    """All before it was read; none on the first night."""
    rescanned: datetime | None = None
    """When the last look far back was."""
    open_ids: set[str] = field(default_factory=set)
    """Records that were not over."""
    digests: dict[bytes, bytes] = field(default_factory=dict)
    """Digest of a key -> digest of the content delivered."""

    @classmethod
    def of(cls, cursor: str | None) -> Self:
        """Read a cursor; empty on the first night, and where another format is begun anew."""
        held = json.loads(cursor) if cursor else {}
        if held.get("format") != _FORMAT:
            return cls()
        return cls(
            high_water=datetime.fromisoformat(held["high_water"]),
            rescanned=datetime.fromisoformat(held["rescanned"]),
            open_ids=set(held["open"]),
            digests=digests_of(held["digests"]),
        )

    def text(self) -> str:
        """Write the cursor; both times must be known."""
        return json.dumps(
            {
                "format": _FORMAT,
                "high_water": self.high_water and self.high_water.isoformat(),
                "rescanned": self.rescanned and self.rescanned.isoformat(),
                "open": sorted(self.open_ids),
                "digests": text_of(self.digests),
            }
        )


@dataclass(slots=True)
class Night:
    """One extraction of one table: takes records, keeps those that are new or differ."""

    table: Table
    before: Seen
    at: datetime
    since: datetime
    """From when on the source is read."""
    floor: datetime
    """What was over before is not looked at again, and need not be remembered."""
    rescans: bool
    after: Seen = field(init=False)
    parts: ParquetParts = field(init=False)
    read: set[str] = field(default_factory=set)
    """Keys read in this extraction: a record may come twice."""

    def __post_init__(self) -> None:
        """Begin with what is known, or with nothing where all of it is read again."""
        self.parts = ParquetParts(self.table)
        self.after = Seen(
            high_water=self.at - _LAG,
            rescanned=self.at if self.rescans else self.before.rescanned,
            digests={} if self.rescans else dict(self.before.digests),
        )

    @classmethod
    def begin(cls, table: Table, cursor: str | None, at: datetime, days: Days) -> Self:
        """Decide from when on to read: a day or so back, far back once a week, all at first."""
        before, floor = Seen.of(cursor), at - timedelta(days=days.rescan)
        if before.high_water is None:
            return cls(table, before, at, at - timedelta(days=days.backfill), floor, rescans=True)
        since = before.high_water - timedelta(days=days.overlap)
        last = before.rescanned or before.high_water
        rescans = at - last >= timedelta(days=days.rescan_every)
        return cls(table, before, at, min(since, floor) if rescans else since, floor, rescans)

    def take(
        self,
        key: str,
        row: Row,
        *,
        open_id: str = "",
        is_past: bool = False,
        content: Row | None = None,
    ) -> None:
        """Take a record; `open_id` where it is not over, and is to be asked for by that id.

        What `is_past` was over before the floor. `content` is what tells whether it changed, where
        that is not the whole row.
        """
        if key in self.read:
            return
        self.read.add(key)
        if open_id:
            self.after.open_ids.add(open_id)
        told = row if content is None else content
        if self.differs(key, told):
            self.parts.add(row)
        if is_past:
            self.after.digests.pop(digest_of(key), None)
        else:
            self.after.digests[digest_of(key)] = digest_of(told)

    def differs(self, key: str, content: Row) -> bool:
        """Tell whether a record is new, or not as it was delivered."""
        return self.before.digests.get(digest_of(key)) != digest_of(content)

    def hold(self) -> None:
        """Have the next night read from the same time on: a part could not be read."""
        self.after.high_water = self.before.high_water or self.since
        self.after.rescanned = self.before.rescanned or self.since

    def delivery(self) -> Iterator[Delivery]:
        """Yield what changed; nothing where nothing did."""
        files = self.parts.files()
        if not files:
            return
        version = hashlib.sha256(b"".join(file.content for file in files)).hexdigest()
        yield Delivery(
            table=self.table.name,
            unit=self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=version[:32],
            version_at=self.at,
            files=files,
            cursor=self.after.text(),
            stated_rows=self.parts.row_count,
        )


@dataclass(frozen=True, slots=True)
class Days:
    """How far back a source is read."""

    backfill: int
    """On the first night."""
    overlap: int
    """Before the last extraction."""
    rescan: int
    """How far back late edits are looked for."""
    rescan_every: int
    """How often that is done."""
