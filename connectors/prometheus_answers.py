"""Answers of Prometheus' `query_range` as frames: one row per series and hour.

Values stay the texts that Prometheus writes: they are exact, and NaN is told apart from nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

import polars as pl

from connectors.base import SourceError
from connectors.promql import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Json = dict[str, Any]
Series = list[Json]

_NOT_FINITE = ("NaN", "+Inf", "-Inf")


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


def frame_of(
    found: Series, *, query: str, where: str, day_seconds: int, owners: Mapping[str, str]
) -> pl.DataFrame:
    """Return series as rows: query, sampled_at, value, and a column for each label they have.

    `owners` are the configured labels by the column they fill; `day_seconds` is the day's start.

    Raises: SourceError for what is no series, and for a time that is not an hour's end of the day.
    """
    fix = "ask with step=3600, from 01:00 to 24:00 UTC of the day, and save the whole answer"
    try:
        samples = pl.DataFrame(
            {
                "number": _repeat([len(one["values"]) for one in found]),
                "at": [at for one in found for at, _ in one["values"]],
                "value": [str(text) for one in found for _, text in one["values"]],
            },
            schema={"number": pl.UInt32(), "at": pl.Float64(), "value": pl.String()},
        )
        labels = {label for one in found for label in one["metric"].keys()}  # noqa: SIM118 - a mapping
        names = [*COLUMNS.items(), *((label, column) for column, label in owners.items())]
        columns = {
            column: [one["metric"].get(label) or None for one in found]
            for label, column in names
            if label in labels
        }
        of_series = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String()))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(
            f"the answer to {query} holds what is no series: {error}", where=where, fix=fix
        ) from error
    if not _are_hours(samples, day_seconds):
        raise SourceError(
            f"the answer to {query} is not one of the hours of the day", where=where, fix=fix
        )
    _check_values(samples["value"], query=query, where=where)
    return samples.select(
        pl.lit(query).alias("query"),
        pl.from_epoch(pl.col("at").cast(pl.Int64()), time_unit="s")
        .cast(pl.Datetime("us"))
        .alias("sampled_at"),
        "value",
        *(of_series[column].gather(samples["number"]) for column in columns),
    )


def _repeat(counts: list[int]) -> pl.Series:
    """Return 0, 1, ... each as often as its count."""
    numbers = pl.DataFrame({"count": counts}, schema={"count": pl.UInt32()}).with_row_index()
    return numbers.select(pl.col("index").repeat_by("count").explode()).to_series().drop_nulls()


def _are_hours(samples: pl.DataFrame, day_seconds: int) -> bool:
    """Tell whether all times are ends of the day's hours, each at most once in a series."""
    hours = [float(day_seconds + 3600 * hour) for hour in range(1, 25)]
    are_ends = bool(samples["at"].is_in(hours).all())
    return are_ends and samples.select("number", "at").n_unique() == samples.height


def _check_values(values: pl.Series, *, query: str, where: str) -> None:
    """Refuse what is no number; NaN and infinities are, and staging takes them for unknown."""
    odd = values.filter(values.cast(pl.Float64, strict=False).is_null()).unique().to_list()
    for text in odd:
        if text not in _NOT_FINITE:
            raise SourceError(
                f"the answer to {query} holds {text!r}, which is no number",
                where=where,
                fix="save the answer as it comes",
            )


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
