"""Filing the site of a generation under a date."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from jobs.privacy import give_to_group, site_rules
from jobs.state import SITE_MARKER, reports_of
from queries.manifest import Manifest
from queries.read import open_generation, run_named
from reports.base import Frame, Meta, Span
from reports.site import site_reads, write_site

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.config import Config
    from jobs.settings.privacy import Audience
    from queries.engines.duckdb import Connection


def file_site(
    config: Config, generation: Path, day: date | None, audience: Audience | None = None
) -> Path | None:
    """Write the site of a generation under a day, today by default; return its first page.

    `generation` is the database of the audience, where there is one.

    None is written where the generation has no day of cost. The marker comes last: a site without
    one was not finished, and is written again.
    """
    name = "" if audience is None else audience.name
    reports = reports_of(config.state_dir, name)
    reports.mkdir(parents=True, exist_ok=True)
    for half in reports.glob(".*"):
        shutil.rmtree(half)
    manifest = Manifest.read(generation.with_suffix(".json"))
    with open_generation(generation) as con:
        span = span_of(con)
        if span is None:
            return None
        frames = {
            read.key: Frame(*run_named(con, read.query, read.params)) for read in site_reads(span)
        }
    meta = Meta(
        span=span,
        generation=generation.stem.partition(".")[0],
        built_at=datetime.fromisoformat(manifest.built_at),
        title=config.report.title,
        is_demo=config.report.is_demo,
        audience=name,
    )
    folder = reports / (day or datetime.now(UTC).date()).isoformat()
    page = write_site(folder, frames, meta)
    if audience is not None and audience.group:
        give_to_group(folder, audience)
    marker = f"{meta.generation}\n{site_rules(config, name)}\n"
    (folder / SITE_MARKER).write_text(marker, encoding="ascii")
    return page


def span_of(con: Connection) -> Span | None:
    """Return the days there is cost for, none where there is no cost."""
    columns, rows = run_named(con, "covered_days", {})
    days = [dict(zip(columns, row, strict=True)) for row in rows]
    if not days or days[0]["first_day"] is None:
        return None
    first, newest = days[0]["first_day"], days[0]["newest_day"]
    currency = str(days[0]["reporting_currency"] or "")
    return Span(date.fromisoformat(str(first)), date.fromisoformat(str(newest)), currency)
