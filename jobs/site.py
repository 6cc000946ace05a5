"""Filing the site of a generation under a date."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from jobs.nightly import SITE_MARKER
from queries.manifest import Manifest
from queries.read import open_generation, run_named
from reports.base import Frame, Meta, Span
from reports.site import site_reads, write_site

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.config import Config
    from queries.engines.duckdb import Connection


def file_site(config: Config, generation: Path, day: date | None) -> Path | None:
    """Write the site of a generation under a day, today by default; return its first page.

    None is written where the generation has no day of cost. The marker comes last: a site without
    one was not finished, and is written again.
    """
    reports = config.state_dir / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    for half in reports.glob(".*"):
        shutil.rmtree(half)
    manifest = Manifest.read(generation.with_suffix(".json"))
    with open_generation(generation) as con:
        span = _span(con)
        if span is None:
            return None
        frames = {
            read.key: Frame(*run_named(con, read.query, read.params)) for read in site_reads(span)
        }
    meta = Meta(
        span=span,
        generation=generation.stem,
        built_at=datetime.fromisoformat(manifest.built_at),
        title=config.report.title,
        is_demo=config.report.is_demo,
    )
    folder = reports / (day or datetime.now(UTC).date()).isoformat()
    page = write_site(folder, frames, meta)
    (folder / SITE_MARKER).write_text(f"{generation.stem}\n", encoding="ascii")
    return page


def _span(con: Connection) -> Span | None:
    """Return the days there is cost for, none where there is no cost."""
    columns, rows = run_named(con, "covered_days", {})
    days = [dict(zip(columns, row, strict=True)) for row in rows]
    if not days or days[0]["first_day"] is None:
        return None
    first, newest = days[0]["first_day"], days[0]["newest_day"]
    return Span(date.fromisoformat(str(first)), date.fromisoformat(str(newest)))
