"""Run events of OpenLineage as rows, and what has been read of them."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError, Table
from connectors.contract_csv import Mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

EVENTS = Table(
    "events",
    {
        "run_id": "text",
        "event_type": "text",
        "event_time": "integer",  # microseconds since 1970
        "job_namespace": "text",
        "job_name": "text",
        "producer": "text",
        "run_facets": "text",  # JSON, as this and the next three came
        "job_facets": "text",
        "inputs": "text",
        "outputs": "text",
    },
)
_TYPES = ("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER")
_SECRET = "environmentVariables"  # noqa: S105 - the name of a facet that is left out
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMAT = 1
_FIX = "have the events written whole, one a line, as OpenLineage's own clients write them"

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class FileMark:
    """How far a file was read."""

    stamp: str
    """As the store had it; empty where a line was not ended yet."""
    upto: int
    """Bytes."""
    digest: str
    """Of those bytes."""

    @classmethod
    def of(cls, stamp: str, content: bytes) -> Self:
        """Mark that this much was read."""
        return cls(stamp, len(content), hashlib.sha256(content).hexdigest()[:32])

    def begins(self, content: bytes) -> bool:
        """Tell whether a file still begins with what was read of it."""
        return hashlib.sha256(content[: self.upto]).hexdigest()[:32] == self.digest


@dataclass(slots=True)
class Cursor:
    """What was read: of files, or of a service."""

    files: dict[str, FileMark] = field(default_factory=dict)
    high_water: datetime | None = None
    digests: set[bytes] = field(default_factory=set)
    """Of the events that the last extraction was given."""

    @classmethod
    def of(cls, text: str | None) -> Self:
        """Read a cursor; empty on the first night."""
        held = json.loads(text) if text else {}
        if held.get("format") != _FORMAT:
            return cls()
        packed, high = base64.b64decode(held["digests"]), held["high_water"]
        return cls(
            {name: FileMark(*mark) for name, mark in held["files"].items()},
            datetime.fromisoformat(high) if high else None,
            {packed[start : start + 8] for start in range(0, len(packed), 8)},
        )

    def text(self) -> str:
        """Write the cursor."""
        files = {name: [mark.stamp, mark.upto, mark.digest] for name, mark in self.files.items()}
        return json.dumps(
            {
                "format": _FORMAT,
                "files": files,
                "high_water": self.high_water and self.high_water.isoformat(),
                "digests": base64.b64encode(b"".join(sorted(self.digests))).decode(),
            }
        )


def read_lines(
    content: bytes, start: int, name: str, root: str, *, is_still: bool
) -> tuple[list[Row], int]:
    """Return the rows of a file from a byte on, and up to which byte it was read.

    A last line that breaks off is being written, unless the file `is_still`.

    Raises: SourceError that lists every line that is no event.
    """
    mistakes, rows, at = Mistakes(Path(root) / name), [], start
    number = content[:start].count(b"\n")
    for line in content[start:].splitlines(keepends=True):
        number += 1
        try:
            row = parsed(json.loads(line)) if line.strip() else None
        except json.JSONDecodeError as error:
            if not line.endswith(b"\n") and not is_still:
                break
            mistakes.add(number, f"is not JSON: {error.msg}, at sign {error.pos + 1}")
        except UnicodeDecodeError:
            mistakes.add(number, "is not UTF-8")
        except ValueError as error:
            mistakes.add(number, str(error))
        else:
            rows += [row] if row is not None else []
        at += len(line)
    mistakes.refuse(_FIX)
    return rows, at


def row_of(event: object, what: str, where: str) -> Row | None:
    """Return an event's row; none for one without a run.

    Raises: SourceError
    """
    try:
        return parsed(event)
    except ValueError as error:
        raise SourceError(f"{what}: {error}", where=where, fix=_FIX) from error


def parsed(event: object) -> Row | None:
    """Return an event's row; none for one of a job or a dataset, without a run.

    Raises: ValueError that says what is wrong.
    """
    if not isinstance(event, dict):
        raise ValueError("is not an object")  # noqa: TRY004 - one kind of error for the caller
    if "run" not in event and ("job" in event or "dataset" in event):
        return None
    run, job = _part(event, "run"), _part(event, "job")
    kind = event.get("eventType") or "OTHER"
    if kind not in _TYPES:
        raise ValueError(f"eventType {kind!r} is none of {', '.join(_TYPES)}")
    facets = {key: value for key, value in _facets(run).items() if key != _SECRET}
    return (
        _text(run, "runId", "run"),
        kind,
        _micros(event.get("eventTime")),
        _text(job, "namespace", "job"),
        _text(job, "name", "job"),
        str(event.get("producer") or ""),
        json.dumps(facets),
        json.dumps(_facets(job)),
        *(json.dumps(_datasets(event, name)) for name in ("inputs", "outputs")),
    )


def _part(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = event.get(name)
    if not isinstance(part, dict):
        raise ValueError(f"{name} is missing")  # noqa: TRY004 - as above
    return part


def _facets(part: Mapping[str, Any]) -> dict[str, Any]:
    facets = part.get("facets") or {}
    if not isinstance(facets, dict):
        raise ValueError("facets are not an object")  # noqa: TRY004 - as above
    return facets


def _datasets(event: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = event.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{name} is not a list of objects")
    for one in found:
        _text(one, "namespace", name)
        _text(one, "name", name)
    return found


def _text(part: Mapping[str, Any], key: str, what: str) -> str:
    text = part.get(key)
    if not isinstance(text, str) or not text:
        raise ValueError(f"{what} has no {key}")
    return text


def _micros(text: object) -> int:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = datetime.min  # noqa: DTZ901 - refused below, as it has no offset
    if at.tzinfo is None:
        raise ValueError(f"eventTime {text!r} is not a time with an offset")
    return (at - _EPOCH) // timedelta(microseconds=1)
