"""The tables that people write runs in, and what must hold in each of their rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.base import Table
from connectors.contract_csv import Mistakes, check_header, check_texts, read_stream
from connectors.damaged import read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import ColumnType, SourceFile

_MOST = 2**63 - 1
_MOST_ATTEMPTS = 2**31 - 1
_MOST_GPUS = 1_000_000
_MOST_PLACES = 6
_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled", "preempted", "lost")
_GOING_ON = ("queued", "running")
_WORDS = {
    "status": _STATUSES,
    "kind": ("training", "job", "pipeline", "notebook", "serving"),
    "relation": ("same", "parent"),
}
"""Column -> the only words that it may hold."""
_TYPES: Mapping[str, ColumnType] = {
    "attempt": "integer",
    "bytes_read": "integer",
    "gpu_count": "number",
    "cpu_count": "number",
    "memory_gib": "number",
    "code_is_dirty": "flag",
    "started_at": "time",
    "ended_at": "time",
    "last_seen_at": "time",
}
"""Columns that are not text."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a table's rows must have."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    """At least one of them is not empty."""
    key: tuple[str, ...] | None = None
    """What tells its rows apart, beside the run; none: all columns."""


CONTRACTS: Mapping[str, Contract] = {
    "runs": Contract(
        ("native_id", "status"),
        (
            *("attempt", "system", "parent_native_id", "kind", "run_name", "experiment"),
            *("user_raw", "team_raw", "project_raw", "status_raw"),
            *("started_at", "ended_at", "last_seen_at"),
            *("code_sha", "code_is_dirty", "gpu_count", "cloud_job_arn"),
        ),
        key=(),
    ),
    "run_places": Contract(
        ("native_id",),
        (
            *("attempt", "cluster", "namespace", "pod", "pod_uid", "node", "instance_id"),
            *("gpu_count", "cpu_count", "memory_gib", "started_at", "ended_at"),
        ),
        one_of=("pod", "pod_uid", "node", "instance_id"),
        key=("cluster", "namespace", "pod", "pod_uid", "node", "instance_id", "started_at"),
    ),
    "run_inputs": Contract(
        ("native_id",),
        ("attempt", "dataset_uri", "dataset_name", "dataset_digest", "context", "bytes_read"),
        one_of=("dataset_uri", "dataset_name"),
        key=("dataset_uri", "dataset_name", "dataset_digest", "context"),
    ),
    "run_outputs": Contract(
        ("native_id", "dataset_uri"),
        ("attempt", "dataset_digest"),
        key=("dataset_uri", "dataset_digest"),
    ),
    "run_models": Contract(
        ("native_id", "model_name", "model_version"),
        ("attempt",),
        key=("model_name", "model_version"),
    ),
    "run_references": Contract(("native_id", "resource_id"), ("attempt",), key=("resource_id",)),
    "run_mentions": Contract(
        ("native_id", "mentioned_id", "relation"),
        ("attempt", "mentioned_system", "evidence"),
        key=("mentioned_system", "mentioned_id", "relation"),
    ),
}

TABLES = tuple(
    Table(name, {one: _TYPES.get(one, "text") for one in (*each.required, *each.optional)})
    for name, each in CONTRACTS.items()
)


def check(table: Table, file: SourceFile, content: bytes, root: str) -> None:
    """Refuse a file that does not keep to its contract.

    Raises: SourceError that lists every mistake.
    """
    contract = CONTRACTS[table.name]
    path = Path(root) / file.name
    is_csv = file.format == "csv"
    mistakes = Mistakes(path, "line" if is_csv else "row")
    if is_csv:
        rows = read_stream(
            io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""),
            path,
            required=contract.required,
            optional=contract.optional,
            mistakes=mistakes,
        )
    else:
        rows = _parquet_rows(content, path, contract, mistakes)
    seen: dict[tuple[str, ...], int] = {}
    for line, row in rows:
        _check_row(line, row, contract, mistakes)
        attempt = row.get("attempt") or "1"
        key = (row["native_id"], attempt, *(row.get(name, "") for name in contract.key or ()))
        if key in seen:
            mistakes.add(line, f"tells the same as {mistakes.unit} {seen[key]}")
        seen[key] = line
    mistakes.refuse("times are written 2026-10-03T01:00:00Z, numbers without separators")


def _parquet_rows(
    content: bytes, path: Path, contract: Contract, mistakes: Mistakes
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield (number, row) of a Parquet file, its values as CSV would write them."""
    frame = read_parquet(content, path.name, where=str(path), fix="write it again, whole")
    check_header(path, frame.columns, contract.required, contract.optional)
    for number, values in enumerate(frame.iter_rows(), start=1):
        row = {name: _text(value) for name, value in zip(frame.columns, values, strict=True)}
        check_texts(row, contract.required, number, mistakes)
        yield number, row


def _text(value: object) -> str:
    if isinstance(value, datetime):  # without an offset it is UTC, as all times in raw files
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return "" if value is None else str(value)


def _check_row(line: int, row: Mapping[str, str], contract: Contract, mistakes: Mistakes) -> None:
    if contract.one_of and not any(row.get(name) for name in contract.one_of):
        mistakes.add(line, f"one of {', '.join(contract.one_of)} must be there")
    for column, text in row.items():
        wrong = _wrong_in(column, text) if text.strip() else ""
        if wrong:
            mistakes.add(line, f"{column} {text!r} is {wrong}")
    start, end = (moment(row.get(name, "")) for name in ("started_at", "ended_at"))
    if start and end and end < start:
        mistakes.add(line, "ended_at is before started_at")
    if row.get("status") in _STATUSES:
        _check_times(line, row, mistakes)


def _check_times(line: int, row: Mapping[str, str], mistakes: Mistakes) -> None:
    """Note times that a run's status asks for, or rules out."""
    status = row["status"]
    if status != "queued" and not row.get("started_at"):
        mistakes.add(line, f"started_at is empty, though the run is {status}")
    if status in _GOING_ON and row.get("ended_at"):
        mistakes.add(line, f"ended_at is there, though the run is {status}")
    if status not in _GOING_ON and not row.get("ended_at"):
        mistakes.add(line, f"ended_at is empty, though the run is {status}")


def _wrong_in(column: str, text: str) -> str:
    """Return what a value is that it must not be; nothing for a good one."""
    words: Sequence[str] = _WORDS.get(column, ())
    if words and text not in words:
        return f"none of {', '.join(words)}"
    kind = _TYPES.get(column, "text")
    if kind == "time" and moment(text) is None:
        return "not a time with an offset, like 2026-10-03T01:00:00Z"
    if kind == "flag" and text.lower() not in ("true", "false"):
        return "neither true nor false"
    if kind == "number" and not _is_count(text):
        return f"not a number from 0 to {_MOST_GPUS:,} with at most 6 decimals"
    if kind == "integer":
        return _wrong_integer(text, *((1, _MOST_ATTEMPTS) if column == "attempt" else (0, _MOST)))
    return ""


def _wrong_integer(text: str, least: int, most: int) -> str:
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        return f"not a whole number of {least} or more"
    return "a number with zeros before it" if text != str(int(text)) else ""


def _is_count(text: str) -> bool:
    try:
        count = Decimal(text)
    except InvalidOperation:
        return False
    # an exponent above 0 is one of E notation, which other readers may not take
    places = count.as_tuple().exponent
    return isinstance(places, int) and -_MOST_PLACES <= places <= 0 and 0 <= count <= _MOST_GPUS


def moment(text: str) -> datetime | None:
    """Read a time that says its offset; none where it is not one."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo and text[4:5] == "-" else None
