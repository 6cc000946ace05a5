"""`mlspend status`: the last night, how fresh each source is, what readers see, what it takes up.

Everything is read, nothing is locked or brought up to date, and neither sources nor the warehouse
are asked: it answers while a night runs, and where the journal is damaged it says so.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TextIO

from jobs.journal.reading import JournalFacts, read_facts
from jobs.operations.dead_man import dead_man_file, hours_since_good_night
from jobs.progress import size_text
from queries import ModelError
from queries.generation import generations_of, newest_generation

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.config import Config
    from jobs.journal.reading import DeliveryFact, NightFact

_PARTS = ("raw", "lake", "generations", "reports", "backups")


@dataclass(frozen=True, slots=True)
class Freshness:
    """How new the newest data of a table is."""

    source: str
    table: str
    newest_unit: str
    version_at: datetime | None
    """UTC, without a zone; none where nothing has landed."""
    age_hours: float | None
    limit_hours: int
    is_stale: bool
    quarantined: int


@dataclass(frozen=True, slots=True)
class Generation:
    """A published database."""

    number: str
    bytes: int
    age_hours: float
    is_current: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All that `mlspend status` tells."""

    wrong: list[str]
    """Why the exit code is 1; nothing where all is well."""
    last_night: NightFact | None
    last_good_night: NightFact | None
    sources: list[Freshness]
    generations: list[Generation]
    counts: dict[str, int]
    disk_bytes: dict[str, int]
    dead_man_file: str
    dead_man_hours: float | None
    notes: list[str] = field(default_factory=list)


def facts_of(config: Config) -> Facts:
    """Gather what is known of a state folder, at any time."""
    journal = read_facts(config.state_dir / "journal.sqlite")
    nights = [night for night in journal.nights if night.command == "nightly"]
    good = [night for night in nights if night.is_good]
    age = hours_since_good_night(config)
    last = nights[-1] if nights else None
    return Facts(
        wrong=_wrong(config, journal, last, age),
        last_night=last,
        last_good_night=good[-1] if good else None,
        sources=_freshness(config, journal.deliveries),
        generations=_generations(config.state_dir),
        counts=journal.counts,
        disk_bytes={part: _size_of(config.state_dir / part) for part in _PARTS},
        dead_man_file=str(dead_man_file(config)),
        dead_man_hours=None if age is None else round(age, 1),
    )


def _wrong(
    config: Config, journal: JournalFacts, last: NightFact | None, age: float | None
) -> list[str]:
    wrong = []
    if journal.fault:
        wrong.append(f"the journal cannot be read: {journal.fault}; see `mlspend doctor`")
    elif last is None:
        wrong.append("no night has run yet: `mlspend nightly`")
    elif last.outcome == "stopped":
        wrong.append("the last night failed")
    elif last.outcome is None and not journal.is_running:
        wrong.append("the last night was killed before its end")
    elif last.problems:
        wrong.append("the last night ended with problems")
    limit = config.operations.late_after_hours
    if age is not None and age > limit:
        wrong.append(f"the last good night is {age:.0f} h ago, more than {limit} h")
    elif age is None and last is not None:
        wrong.append("no night has ended well yet")
    with suppress(ModelError):
        newest_generation(config.state_dir)
        return wrong
    return [*wrong, "no generation is published"]


def _freshness(config: Config, deliveries: list[DeliveryFact]) -> list[Freshness]:
    """Judge every table as `marts.freshness` does: against the newest landing of any source."""
    limit = config.attribution.stale_hours
    newest_landing = max((row.landed_at for row in deliveries), default=None)
    now = datetime.now(UTC).replace(tzinfo=None)
    lines = []
    for source in config.sources:
        for table in source.connector.tables:
            rows = [
                row for row in deliveries if (row.source, row.table) == (source.name, table.name)
            ]
            at = max((row.version_at for row in rows), default=None)
            lines.append(
                Freshness(
                    source=source.name,
                    table=table.name,
                    newest_unit=max((row.unit for row in rows), default=""),
                    version_at=at,
                    age_hours=None if at is None else round((now - at).total_seconds() / 3600, 1),
                    limit_hours=limit,
                    is_stale=at is not None
                    and source.kind != "exchange_rates"
                    and newest_landing is not None
                    and at < newest_landing - timedelta(hours=limit),
                    quarantined=sum(row.is_quarantined for row in rows),
                )
            )
    return lines


def _generations(state_dir: Path) -> list[Generation]:
    current = ""
    with suppress(OSError):
        current = (state_dir / "generations" / "current").read_text(encoding="utf-8").strip()
    now = datetime.now(UTC).timestamp()
    found = []
    for path in generations_of(state_dir):
        with suppress(FileNotFoundError):
            status = path.stat()
            age = round((now - status.st_mtime) / 3600, 1)
            found.append(Generation(path.stem, status.st_size, age, path.stem == current))
    return found


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                total += path.stat().st_size
    return total


def print_status(config: Config, out: TextIO, *, as_json: bool) -> bool:
    """Write what is known; tell whether all is well."""
    facts = facts_of(config)
    if as_json:
        json.dump(asdict(facts), out, indent=1, default=str)
        out.write("\n")
    else:
        out.writelines(f"{line}\n" for line in _lines(facts))
    return not facts.wrong


def _lines(facts: Facts) -> list[str]:
    lines = [f"wrong: {what}" for what in facts.wrong] or ["all is well"]
    lines += ["", *lines_in_force(facts), "", "Sources:"]
    heads = ("source", "table", "newest", "version at", "age h", "limit h", "state")
    rows = [heads, *(_cells(row) for row in facts.sources)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(heads))]
    lines += [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines += ["", "Generations:"]
    lines += [
        f"  {one.number}  {size_text(one.bytes)}, {one.age_hours:.0f} h old"
        + (", current" if one.is_current else "")
        for one in facts.generations
    ]
    lines += ["", "Disk: " + ", ".join(f"{k} {size_text(v)}" for k, v in facts.disk_bytes.items())]
    if facts.counts:
        lines.append("Journal: " + ", ".join(f"{v} {k}" for k, v in facts.counts.items()))
    return lines


def _cells(row: Freshness) -> tuple[str, ...]:
    state = "nothing landed yet" if row.version_at is None else "stale" if row.is_stale else "fresh"
    if row.quarantined:
        state += f", {row.quarantined} units left out"
    return (
        row.source,
        row.table,
        row.newest_unit,
        f"{row.version_at:%Y-%m-%d %H:%M}" if row.version_at else "",
        f"{row.age_hours:.0f}" if row.age_hours is not None else "",
        str(row.limit_hours),
        state,
    )


def lines_in_force(facts: Facts) -> list[str]:
    """Return the nights, the generation that readers see, and what of it is stale."""
    current = next((one for one in facts.generations if one.is_current), None)
    seen = (
        f"Readers see generation {current.number}, {current.age_hours:.0f} h old."
        if current
        else "Readers see nothing: no generation is published."
    )
    lines = []
    if facts.last_night is not None:
        lines.append(f"Last night: {facts.last_night.told()}")
        lines += [f"  {problem}" for problem in facts.last_night.problems]
    if facts.last_good_night is not None and facts.last_good_night != facts.last_night:
        lines.append(f"Last good night: {facts.last_good_night.told()}")
    age = "never touched" if facts.dead_man_hours is None else f"{facts.dead_man_hours} h old"
    lines += [f"Dead-man file: {facts.dead_man_file}, {age}", seen]
    stale = [
        f"{row.source} {row.table} (newest {row.newest_unit})"
        for row in facts.sources
        if row.is_stale
    ]
    left_out = [f"{row.source} {row.table}" for row in facts.sources if row.quarantined]
    lines += [f"Stale: {', '.join(stale)}"] if stale else []
    lines += [f"Units left out of: {', '.join(left_out)}"] if left_out else []
    return lines
