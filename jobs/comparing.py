"""What a changed rule, claim or setting would move, before it goes live."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from connectors.local import digest_of
from connectors.ownership import Ownership
from connectors.ownership_file import frames_of
from jobs.building import build_counted
from jobs.privacy import views_of
from queries import ModelError
from queries.answers import TableAnswer
from queries.comparison import compare, open_beside
from queries.generation import generations_of, newest_generation
from queries.landed import Landed, LandedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from jobs.night import Night
    from queries.build import BuildInput
    from queries.claims import Claim
    from queries.comparison import Moved

NEWEST = "newest"
_DIMENSIONS = ("team", "user", "project", "model", "dataset")
_HEADS = ("dimension", "member", "before", "after", "change", "currency")


def print_comparison(
    night: Night,
    number: str,
    out: TextIO,
    *,
    change: Callable[[BuildInput], BuildInput] | None = None,
    as_json: bool = False,
) -> None:
    """Build with the settings and deliveries of now, publish nothing, and print who has moved.

    Costs of all days are compared with those of a generation, by its number or `newest`.

    Raises: ModelError where that generation is not kept, or a check of the build fails.
    """
    moved = _moved(night, _generation(night, number), change)
    if as_json:
        rows = [asdict(each) | {"change": each.change} for each in moved]
        out.write(json.dumps(rows, indent=1, default=str, ensure_ascii=False) + "\n")
        return
    if not moved:
        out.write("no figure would move\n")
        return
    TableAnswer(out).write(
        _HEADS,
        [
            (each.dimension, each.member, each.before, each.after, each.change, currency)
            for each in moved
            for currency in [each.billing_currency]
        ],
    )


def with_rules(path: Path, folder: Path) -> Callable[[BuildInput], BuildInput]:
    """Return the change that reads owners from a draft, laid into `folder`, not from what landed.

    Raises: SourceError that lists every mistake of the draft.
    """
    tables = {table.name: table.columns for table in Ownership.tables}
    files = {}
    for table, frame in frames_of(path, tables).items():
        laid = folder / f"{table}.parquet"
        frame.write_parquet(laid)
        files[table] = LandedFile(laid, path.name, "parquet", digest_of(laid))

    def change(given: BuildInput) -> BuildInput:
        others = [row for row in given.landed if row.connector != Ownership.name]
        sources = [row.source for row in given.landed if row.connector == Ownership.name]
        now = datetime.now(UTC).replace(tzinfo=None)
        drafts = [
            Landed(
                source=min(sources, default=Ownership.name),
                connector=Ownership.name,
                table=table,
                unit="all",
                version="draft",
                version_at=now,
                files=(file,),
                landed_at=now,
            )
            for table, file in files.items()
        ]
        return replace(given, landed=[*others, *drafts])

    return change


def with_claim(claim: Claim) -> Callable[[BuildInput], BuildInput]:
    """Return the change that counts one more claim."""
    return lambda given: replace(given, claims=[*given.claims, claim])


def _generation(night: Night, number: str) -> Path:
    newest = newest_generation(night.config.state_dir)
    if number == NEWEST:
        return newest
    kept = {int(path.stem): path for path in generations_of(night.config.state_dir)}
    if not number.isdecimal() or int(number) not in kept:
        raise ModelError(
            f"there is no generation {number}",
            where=str(newest.parent),
            fix=f"give {NEWEST}, or one of {', '.join(map(str, sorted(kept)))}",
        )
    return kept[int(number)]


def _moved(
    night: Night, earlier: Path, change: Callable[[BuildInput], BuildInput] | None
) -> Sequence[Moved]:
    is_open = views_of(night.config)[0].is_open
    dimensions = [name for name in _DIMENSIONS if is_open or name != "user"]
    if not is_open:
        night.progress.say("users are left out: [privacy] does not show everybody by name")
    built = build_counted(night, change)
    newest = newest_generation(night.config.state_dir)
    if built is None and newest == earlier:
        return []
    con = open_beside(newest) if built is None else built.con
    try:
        return compare(con, earlier, dimensions)
    finally:
        con.close()
