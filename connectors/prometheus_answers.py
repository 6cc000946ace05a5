"""Answers of Prometheus' `query_range`, as asked for or as saved: series, checked to be whole."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
Series = list[Json]


def series_of(answer: Json, *, query: str, where: str) -> Series:
    """Return the series of an answer.

    Raises: SourceError where it is an error, no matrix, or only a part of what there is.
    """
    data = answer.get("data")
    found = data.get("result") if isinstance(data, dict) else None
    fix = "save what /api/v1/query_range answers, whole; or mend what the server complains about"
    if (
        answer.get("status") != "success"
        or not isinstance(data, dict)
        or data.get("resultType") != "matrix"
        or not isinstance(found, list)
    ):
        said = str(answer.get("error") or "it has no series of values")[:300]
        raise SourceError(f"the answer to {query} is not a matrix: {said}", where=where, fix=fix)
    complaints = [
        str(one) for one in answer.get("warnings") or () if not str(one).startswith("PromQL")
    ]
    if complaints or answer.get("isPartial"):
        said = "; ".join(complaints)[:300] or "the server says that it is partial"
        raise SourceError(f"the answer to {query} lacks a part: {said}", where=where, fix=fix)
    return found


def digest_of_series(found: Series) -> str:
    """Return a digest of series, whatever order they came in."""
    lines = sorted(f"{sorted(one['metric'].items())} {one['values']}" for one in found)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def unpack(path: Path, content: bytes) -> Json:
    """Return a saved answer.

    Raises: SourceError for bytes that are not whole.
    """
    try:
        answer = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise SourceError(
            f"{path.name} is not a whole answer: {error or type(error).__name__}",
            where=str(path),
            fix="save it again; the day's last good answers stay in force",
        ) from error
    return answer if isinstance(answer, dict) else {}
