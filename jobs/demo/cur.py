"""The cloud bill as AWS Data Exports delivers a Cost and Usage Report 2.0: Parquet with a manifest.

The export creates new files at each refresh: the first period has an earlier execution beside the
newest, with fewer lines; who reads both counts those twice. Money is double, as
AWS writes it; each amount is a whole number of ten-billionths before, so no digit is lost.

Source: https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html
Source: https://docs.aws.amazon.com/cur/latest/userguide/dataexports-export-delivery.html
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from jobs.demo.cur_columns import (
    CONSTANTS,
    FLAT_COLUMNS,
    MAPS,
    NUMBERS,
    TEXTS,
    TIMES,
    UNUSED_NUMBERS,
    UNUSED_TEXTS,
)
from jobs.demo.fleet import PAYER
from jobs.demo.world import COMPANY, DAY, HOUR, stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jobs.demo.charges import Charge
    from jobs.demo.world import Period, World

EXPORT: Final = f"{COMPANY}-cur2"
BUCKET: Final = f"{COMPANY}-billing"
_PARTS: Final = 2


def write_cur(folder: Path, world: World, charges: Sequence[Charge]) -> None:
    """Write each period's files, then its manifest, as the export's own folder."""
    rng = stream(world.seed, "cur")
    for number, period in enumerate(world.calendar.periods):
        lines = [charge for charge in charges if charge.period is period]
        if not lines:
            continue
        written = min(period.end + 6 * DAY, world.calendar.until + 6 * HOUR)
        if number == 0:
            early = [line for line in lines if line.end <= period.start + 20 * DAY]
            _write_execution(folder, period, early, period.start + 20 * DAY, rng.getrandbits(128))
        _write_execution(folder, period, lines, written, rng.getrandbits(128))


def _write_execution(
    folder: Path, period: Period, lines: Sequence[Charge], written: int, number: int
) -> None:
    """Write the files of one refresh, then its manifest."""
    digits = f"{number:032x}"
    execution = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    at = datetime.fromtimestamp(written, UTC)
    place = f"BILLING_PERIOD={period.name}/{at:%Y%m%dT%H%M%S.000Z}-{execution}"
    key = f"data/{place}"
    (folder / key).mkdir(parents=True, exist_ok=True)
    names = []
    size = -(-len(lines) // _PARTS)
    for part in range(_PARTS):
        name = f"{key}/{EXPORT}-{part + 1:05d}.snappy.parquet"
        frame = cur_frame(lines[part * size : (part + 1) * size], part * size)
        frame.write_parquet(folder / name, compression="snappy", row_group_size=100_000)
        names.append(f"s3://{BUCKET}/cur/{EXPORT}/{name}")
    manifest = {
        "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{PAYER}:export/{EXPORT}-5d1c",
        "exportName": EXPORT,
        "executionId": execution,
        "createdAt": f"{at:%Y-%m-%dT%H:%M:%S.000Z}",
        "billingPeriod": period.name,
        "compression": "PARQUET",
        "format": "PARQUET",
        "columns": [{"name": column, "type": kind} for column, kind in _schema()],
        "dataFiles": names,
    }
    path = folder / "metadata" / place / f"{EXPORT}-Manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def cur_frame(charges: Sequence[Charge], first: int) -> pl.DataFrame:
    """Return lines with the columns of the report; `first` numbers them within the period."""
    columns: dict[str, pl.Series] = {}
    for name, text in TEXTS.items():
        columns[name] = pl.Series(name, [text(c) or None for c in charges], dtype=pl.String)
    for name, number in NUMBERS.items():
        columns[name] = pl.Series(name, [number(c) for c in charges], dtype=pl.Float64)
    for name, time in TIMES.items():
        seconds = pl.Series(name, [time(c) * 1000 for c in charges], dtype=pl.Int64)
        columns[name] = seconds.cast(pl.Datetime("ms"))
    for name, pairs in MAPS.items():
        columns[name] = _maps(name, [pairs(c) for c in charges])
    columns["identity_line_item_id"] = pl.Series(
        [_line_id(charge, first + number) for number, charge in enumerate(charges)], dtype=pl.String
    )
    frame = pl.DataFrame(columns)
    nothing = [pl.lit(text).alias(name) for name, text in CONSTANTS.items()]
    nothing += [pl.lit(None, dtype=pl.String).alias(name) for name in UNUSED_TEXTS]
    nothing += [pl.lit(None, dtype=pl.Float64).alias(name) for name in UNUSED_NUMBERS]
    return frame.with_columns(nothing).select(name for name, _ in _schema())


def _maps(name: str, rows: Sequence[Mapping[str, str]]) -> pl.Series:
    """Return a column of maps; each distinct one is made once, because that is slow."""
    positions: dict[tuple[tuple[str, str], ...], int] = {}
    chosen = [positions.setdefault(tuple(row.items()), len(positions)) for row in rows]
    distinct = pl.Series(
        name, [dict(items) for items in positions], dtype=pl.Map(pl.String(), pl.String())
    )
    return distinct.gather(chosen)


def _line_id(charge: Charge, number: int) -> str:
    seed = f"{charge.period.name}/{number}/{charge.resource}".encode()
    return hashlib.blake2b(seed, digest_size=26).hexdigest()


def _schema() -> Iterator[tuple[str, str]]:
    for name in FLAT_COLUMNS:
        if name in MAPS:
            yield name, "map<string,string>"
        elif name in NUMBERS or name in UNUSED_NUMBERS:
            yield name, "double"
        else:
            yield name, "timestamp" if name in TIMES else "string"
