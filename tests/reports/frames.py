"""The frames of the made-up company, read by the cookbook's own queries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from queries.read import open_generation, run_named
from reports.base import Frame, Meta, Span
from reports.site import site_reads
from tests.queries.acme import FIRST_DAY, NEWEST_DAY

if TYPE_CHECKING:
    from pathlib import Path

SPAN = Span(FIRST_DAY, NEWEST_DAY)
META = Meta(
    span=SPAN,
    generation="000042",
    built_at=datetime(2026, 11, 20, 2, 14, tzinfo=UTC),
)


def company_frames(generation: Path, span: Span = SPAN) -> dict[str, Frame]:
    """Return every frame the site reads."""
    with open_generation(generation) as con:
        return {
            read.key: Frame(*run_named(con, read.query, read.params)) for read in site_reads(span)
        }
