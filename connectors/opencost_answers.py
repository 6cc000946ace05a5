"""Answers of OpenCost's allocation API, checked to be whole, and told as rows.

Only hours are taken of them, never dollars: OpenCost prices by list.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
Row = dict[str, str | None]

HOURS = {
    "cpuCoreHours": "cpu_core_hours",
    "gpuHours": "gpu_hours",
    "ramByteHours": "ram_byte_hours",
}
_OK = 200
_FIX = "save what /allocation answers, whole, for a UTC day, step=1h, not aggregated"


def rows_of(answer: Json, *, day: date, owners: Mapping[str, str], where: str) -> list[Row]:
    """Return a row per container and window of a day's answer; `owners` are column -> label.

    What is nobody's pod (`__idle__`, `__unallocated__`, `__unmounted__`) is left out: idle is what
    the bill's machine has beyond its pods.
    Raises: SourceError where the answer is an error, or not one of pods in that day.
    """
    found = answer.get("data")
    if answer.get("code") != _OK or not isinstance(found, list):
        said = str(answer.get("message") or answer.get("error") or "it has no sets of data")[:300]
        raise SourceError(f"the answer is no allocation: {said}", where=where, fix=_FIX)
    rows: list[Row] = []
    windows: list[tuple[datetime, datetime]] = []
    for number, each in enumerate(found, start=1):
        if each is not None and not isinstance(each, dict):
            raise SourceError(f"set {number} holds no allocations", where=where, fix=_FIX)
        of_set = list(_rows_of_set(each or {}, day, owners, where))
        rows += [row for _, row in of_set]
        windows += sorted({window for window, _ in of_set})
    _check_windows(windows, where)
    _check_once(rows, where)
    return rows


def _rows_of_set(
    found: Json, day: date, owners: Mapping[str, str], where: str
) -> Iterator[tuple[tuple[datetime, datetime], Row]]:
    for name, allocation in found.items():
        if name.startswith("__"):
            continue
        try:
            yield _row(allocation, day, owners)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise SourceError(
                f"the allocation {name!r} cannot be read: {what}", where=where, fix=_FIX
            ) from error


def _row(
    allocation: Json, day: date, owners: Mapping[str, str]
) -> tuple[tuple[datetime, datetime], Row]:
    facts = allocation["properties"]
    if not facts.get("pod"):
        raise ValueError("it is no pod's; do not aggregate")
    window = (_time(allocation["window"]["start"]), _time(allocation["window"]["end"]))
    start, end = _time(allocation["start"]), _time(allocation["end"])
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if not midnight <= window[0] < window[1] <= midnight + timedelta(days=1):
        raise ValueError(f"its window {window[0]} to {window[1]} is not within {day}")
    if not window[0] <= start <= end <= window[1]:
        raise ValueError(f"{start} to {end} is not within its window")
    labels = facts.get("labels") or {}
    row: Row = {
        "window_start": window[0].isoformat(),
        "window_end": window[1].isoformat(),
        "started_at": start.isoformat(),
        "ended_at": end.isoformat(),
        "namespace": _name(facts["namespace"]),
        "pod": _name(facts["pod"]),
    }
    for key in ("cluster", "node", "container"):
        row[key] = _name(facts[key]) if facts.get(key) else None
    row["provider_id"] = _name(facts["providerID"]) if facts.get("providerID") else None
    for key, column in HOURS.items():
        row[column] = _hours(allocation[key], key, is_instant=start == end)
    for column, label in owners.items():
        row[column] = _name(labels[label]) if label and labels.get(label) else None
    return window, row


def _name(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no name")
    return value


def _time(value: object) -> datetime:
    time = datetime.fromisoformat(_name(value))
    if time.tzinfo is None:
        raise ValueError(f"{value!r} is a time without a zone")
    return time.astimezone(UTC)


def _hours(value: object, key: str, *, is_instant: bool) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < 0:  # type: ignore[arg-type,operator]
        raise ValueError(f"{key} is {value!r}, which is no number of hours")
    if is_instant and value:
        raise ValueError(f"{key} is {value!r} in no time at all")
    return repr(value)


def _check_windows(windows: list[tuple[datetime, datetime]], where: str) -> None:
    """Refuse sets that tell of the same time: hours and the day that they add up to."""
    windows = sorted(windows)
    for (_, end), (start, _) in pairwise(windows):
        if start < end:
            raise SourceError(f"two sets tell of {start}", where=where, fix=_FIX)


def _check_once(rows: list[Row], where: str) -> None:
    seen: set[tuple[str | None, ...]] = set()
    for row in rows:
        named = ("window_start", "cluster", "node", "namespace", "pod", "container")
        key = tuple(row[column] for column in named)
        if key in seen:
            raise SourceError(
                f"{row['namespace']}/{row['pod']} is there twice at {row['window_start']}",
                where=where,
                fix=_FIX,
            )
        seen.add(key)
