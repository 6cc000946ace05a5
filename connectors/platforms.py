"""What the connectors of ML platforms share: their address, their credentials, their times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.base import SourceError
from connectors.run_changes import Days, micros

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connectors.http import Answer, JsonService

Json = dict[str, Any]
ABSENT = 404


def opened(
    what: str,
    root: str,
    headers: Callable[[], Mapping[str, str]],
    *,
    kind: str,
    timeout_seconds: int,
) -> JsonService:
    """Connect to a platform.

    Raises: SourceError for what is no address, and for one that holds credentials.
    """
    from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

    check_address(root, kind)
    where = root.partition("?")[0].rstrip("/")
    return JsonService.at(what, where, headers=headers, timeout_seconds=timeout_seconds)


def check_address(root: str, kind: str) -> None:
    """Refuse what is no address, and one that holds credentials.

    Raises: SourceError
    """
    parts = urlsplit(root)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise SourceError(
            "root is not an address without credentials",
            where=f"[connectors.{kind}]",
            fix="begin it with https:// or http://, and name the variables or files that hold "
            "credentials in keys that end in _env or _file",
        )


def days_of(overlap: int, rescan: int, rescan_every: int, backfill: int, *, kind: str) -> Days:
    """Return how far back is read.

    Raises: SourceError for days that cannot be.
    """
    if min(overlap, rescan) < 1 or min(rescan_every, backfill) < 0:
        raise SourceError(
            "overlap_days and rescan_days are 1 or more, the other days 0 or more",
            where=f"[connectors.{kind}]",
            fix="mend the numbers",
        )
    return Days(overlap, rescan, rescan_every, backfill)


def time_of(text: object, where: str) -> int | None:
    """Read a time as microseconds since 1970; the time that stands for none reads as none.

    Go writes `0001-01-01T00:00:00Z` or 1970 for what has not happened.
    Raises: SourceError
    """
    at = micros(text or None, where)
    return at if at and at > 0 else None


def moment(since: int) -> str:
    """Write microseconds since 1970 as RFC 3339 has it, in whole seconds."""
    return datetime.fromtimestamp(since // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tags_of(tags: Mapping[str, object] | None) -> list[dict[str, str]]:
    """Return tags as a column of them is written."""
    return [
        {"key": str(key), "value": str(value)}
        for key, value in sorted((tags or {}).items())
        if value is not None
    ]


def objects(answer: Answer, key: str) -> Sequence[Json] | None:
    """Return the objects of a list within an answer; none for an answer that is none."""
    found = answer.json.get(key)
    if not answer.is_success or not isinstance(found, list | None):
        return None
    listed = found or []
    return listed if all(isinstance(one, dict) for one in listed) else None
