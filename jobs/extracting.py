"""A night's first step: landing what is new of every source."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.base import SourceError
from connectors.secrets import is_open, names_in, written
from connectors.tally import counting
from jobs.backfill import first_month, is_too_old
from jobs.fetching import RefusedDeliveryError
from jobs.known import known_deliveries
from jobs.leaving_out import leave_out, tell_left_out
from queries import ModelError

if TYPE_CHECKING:
    from jobs.config import Source
    from jobs.ledger import Entry
    from jobs.night import Night


def extract(night: Night) -> None:
    """Land what is new of every source; what is wrong with one stops that one alone."""
    leave_out(night)
    entries = night.journal.deliveries()
    for source in night.config.sources:
        if source.is_retired:
            continue
        night.progress.say(f"extract {source.name}", "extract", source=source.name)
        for name in filter(is_open, names_in(source.connector).values()):
            night.progress.say(f"note: {written(name)} holds a secret, and anybody may read it")
        begun = time.monotonic()
        with counting() as tally:
            try:
                _extract_source(night, source, entries)
            except SourceError as error:
                night.complain(error)
        _tell_requests(night, source, tally.requests, time.monotonic() - begun)
    configured = {source.name for source in night.config.sources}
    for name in sorted({entry.source for entry in entries} - configured):
        night.progress.say(
            f'note: source "{name}" has landed data but is not in the config file: it is left '
            "out (to count it and fetch no more, configure it with retired = true)"
        )
    tell_left_out(night)


def _tell_requests(night: Night, source: Source, requests: int, seconds: float) -> None:
    """Tell how often a server or a database was asked; files are not asked."""
    if requests:
        night.progress.say(
            f"  {source.name}: asked {requests:,} times, {seconds:.1f} s",
            "asked",
            source=source.name,
            requests=requests,
            seconds=round(seconds, 3),
        )


def _extract_source(night: Night, source: Source, entries: list[Entry]) -> None:
    tables = {table.name: table for table in source.connector.tables}
    known = known_deliveries(source.name, entries, night.store.raw)
    first = first_month(night.config.operations.backfill_months, datetime.now(UTC).date())
    own = [entry for entry in entries if entry.source == source.name] if first else []
    for delivery in source.connector.deliveries(known):
        if is_too_old(delivery, first, own):
            night.progress.say(f"  {delivery.unit} is before {first}: backfill_months leaves it")
            continue
        table = tables[delivery.table]
        try:
            night.store.land(source.name, source.kind, table, delivery)
        except (RefusedDeliveryError, ModelError) as error:
            night.complain(error)
            if delivery.cursor is not None:
                return  # a later delivery's cursor would leap over this one for good
