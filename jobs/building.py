"""Deliveries that count -> a published generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import queries.confine  # noqa: F401  (leaves its bytecode for the processes that may not write)
from jobs.contacts import write_contacts
from jobs.duplicates import find_duplicates
from jobs.inputs import build_input, superseding_tables
from jobs.leaving_out import LEFT_OUT, leave_out
from jobs.odd_records import tell_odd_records
from jobs.privacy import collect_sites, personal_from, share_with_groups, views_of
from jobs.progress import size_text
from jobs.proving import prove_changed
from jobs.quotas.writing import write_standings
from queries import ModelError
from queries.build import build
from queries.catalog import code_fingerprint
from queries.engines.duckdb import MachineError
from queries.publish import collect, publish
from queries.stage import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.ledger import Entry, State
    from jobs.night import Night
    from queries.build import BuildInput, Built


def build_and_publish(night: Night) -> bool:
    """Build, check and publish, where anything changed; tell whether it did.

    Raises: ModelError for a check that fails, or a machine that is too small: nothing is
        published then.
    """
    try:
        return _build_and_publish(night)
    except MachineError as error:
        raise ModelError(
            f"the warehouse cannot work on this machine: {str(error).splitlines()[0]}",
            where=str(night.config.state_dir),
            fix="free disk space, or raise [engine] memory_limit; the last good generation stays "
            "in force",
        ) from error


def _build_and_publish(night: Night) -> bool:
    built = build_counted(night)
    if built is None:
        return False
    try:
        prove_changed(night)
        night.progress.say("publish")
        target = publish(built, night.generations, views_of(night.config))
        write_contacts(built.con, night.config.state_dir)
        write_standings(night.config, built.con, target.stem)
        tell_odd_records(night.progress, built.con, target)
    finally:
        built.con.close()
    night.progress.say(f"  generation {target.stem}, {size_text(target.stat().st_size)}")
    keep = night.config.keep
    needed = collect(night.generations, night.lake, keep=keep.generations)
    night.store.collect(
        superseding_tables(),
        needed,
        keep=keep.open_versions,
        personal_from=personal_from(night.config.privacy),
    )
    share_with_groups(night.config, target)
    collect_sites(night.config)
    return True


def build_counted(
    night: Night, change: Callable[[BuildInput], BuildInput] | None = None
) -> Built | None:
    """Build what changed, without the deliveries that turn out not to be readable.

    `change` has the last word on what the build reads.
    """
    while True:
        counted = _judge(night)
        try:
            given = build_input(night.config, night.store, counted)
            return build(change(given) if change else given)
        except DeliveryError as error:
            _refuse(night, error)


def _judge(night: Night) -> list[Entry]:
    """Decide which deliveries count, enter what changed in that, and return them."""
    leave_out(night)
    names = {source.name for source in night.config.sources}
    entries = [entry for entry in night.journal.deliveries() if entry.source in names]
    code = code_fingerprint()
    unreadable = {entry.id for entry in entries if entry.refused_by and entry.refused_by == code}
    readable = [
        entry for entry in entries if entry.id not in unreadable and entry.refused_by != LEFT_OUT
    ]
    duplicates = find_duplicates(readable, night.journal.totals())
    verdicts: list[tuple[int, State, str, str]] = []
    for entry in readable:
        state: State = "quarantined" if entry.id in duplicates else "landed"
        reason = duplicates.get(entry.id, "")
        if (entry.state, entry.reason) != (state, reason):
            verdicts.append((entry.id, state, reason, ""))
    night.journal.judge(verdicts)
    night.complain_of_quarantine()
    return night.store.counted(names, superseding_tables())


def _refuse(night: Night, error: DeliveryError) -> None:
    """Quarantine a delivery that cannot be read, and every version with the same bytes."""
    bad = error.delivery
    digests = tuple(sorted(file.sha256 for file in bad.files))
    verdicts: list[tuple[int, State, str, str]] = [
        (entry.id, "quarantined", str(error), code_fingerprint())
        for entry in night.journal.versions(bad.source, bad.table, bad.unit)
        if entry.content == digests and entry.state == "landed"
    ]
    if not verdicts:
        raise error.error
    night.journal.judge(verdicts)
    night.complain(error.error)
