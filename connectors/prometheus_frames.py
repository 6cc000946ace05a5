"""Series of Prometheus as frames: one row per series and hour.

Values stay the texts that Prometheus writes: they are exact, and NaN is told apart from nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from connectors.base import SourceError
from connectors.promql import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.prometheus_answers import Series

_NOT_FINITE = ("NaN", "+Inf", "-Inf")
_KINDS = ("pod", "volume", "node", "gpu", "served")


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


def by_kind(
    frames: Sequence[pl.DataFrame], *, scrape_seconds: int, cluster: str
) -> Mapping[str, pl.DataFrame]:
    """Return the rows of pods, volumes, nodes, GPUs and served models apart: their labels differ.

    No frame is empty.
    """
    rows: dict[str, pl.DataFrame] = {}
    for kind in _KINDS:
        alike = [frame for frame in frames if frame["query"][0].startswith(kind)]
        if alike:
            rows[kind] = pl.concat(alike, how="diagonal").with_columns(
                pl.lit(scrape_seconds, dtype=pl.Int64).alias("scrape_seconds"),
                pl.lit(cluster).alias("cluster"),
            )
    return rows
