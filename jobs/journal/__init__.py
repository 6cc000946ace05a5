"""What happened, in SQLite: nights, deliveries with their totals, restatements, what was done.

The one part of the state that cannot be rebuilt, so it is written with synchronous=FULL and every
change is one transaction. Only this package writes it: what a night did with mails, findings and
quotas has a file of its own here, each with a class over an open `Journal`.

The numbered SQL files are its tables. One that is released is never edited: a change is a file
with the next number, and an older journal is brought up to date when it is opened.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jobs.journal.backup import FOLDER, back_up
from jobs.journal.errors import JournalError, journal_error
from jobs.ledger import Entry, LedgerTotal, NightRun, Restatement, StoredFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jobs.ledger import NewDelivery, Outcome, State

__all__ = ["STEPS", "VERSION", "Journal", "JournalError", "as_text", "as_time", "now"]

STEPS = sorted(Path(__file__).parent.glob("[0-9]*.sql"))
VERSION = len(STEPS)
_ENTRIES = (
    "select source, connector, table_name, unit, version, version_at, cursor, files, row_count, "
    "id, landed_at, state, reason, refused_by, collected_at is not null from deliveries"
)


class Journal:
    """An open journal; a context manager that closes it."""

    def __init__(self, path: Path, patience: float = 30) -> None:
        """Open the journal, and make it where there is none; wait `patience` seconds for others.

        Raises: JournalError for one that a newer mlspend wrote, or that is no journal.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.con = sqlite3.connect(path, isolation_level=None, timeout=patience)
            self.con.execute("pragma journal_mode = wal")
            self.con.execute("pragma synchronous = full")
            self.con.execute("pragma foreign_keys = on")
            self._bring_up_to_date()
        except sqlite3.Error as error:
            raise journal_error(error, path) from error

    def _bring_up_to_date(self) -> None:
        """Take the steps that lack, and leave a copy of a journal as it was before them."""
        version = self._version()
        if version == VERSION:
            return
        if 0 < version < VERSION:
            name = f"before-version-{VERSION}-of-{version}"
            back_up(self.con, self.path.parent / FOLDER, name)
        with self.transaction():
            version = self._version()
            if version > VERSION:
                raise JournalError(
                    f"the journal is of version {version}, this mlspend knows {VERSION}",
                    where=str(self.path),
                    fix="run the newer mlspend that wrote it",
                )
            for step in STEPS[version:]:
                for statement in _statements(step.read_text(encoding="utf-8")):
                    self.con.execute(statement)
            self.con.execute(f"pragma user_version = {VERSION}")

    def _version(self) -> int:
        return int(self.con.execute("pragma user_version").fetchone()[0])

    def __enter__(self) -> Self:
        """Return the journal."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the file; what was entered is on the disk already."""
        self.con.close()

    def durability(self) -> tuple[str, int]:
        """Return the journal mode and the level of `synchronous` in force."""
        (mode,) = self.con.execute("pragma journal_mode").fetchone()
        (level,) = self.con.execute("pragma synchronous").fetchone()
        return str(mode), int(level)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all that is in the block, or nothing."""
        self.con.execute("begin immediate")
        try:
            yield
        except BaseException:
            self.con.execute("rollback")
            raise
        self.con.execute("commit")

    def begin_night(self, command: str) -> int:
        """Enter that a command starts; return the run's number."""
        row = self.con.execute(
            "insert into night_runs (command, started_at) values (?, ?) returning id",
            (command, as_text(now())),
        ).fetchone()
        return int(row[0])

    def end_night(
        self,
        run: int,
        outcome: Outcome,
        generation: str | None,
        problems: Sequence[str] = (),
        inputs: str = "",
    ) -> None:
        """Enter how a command ended, and what the generation in force was built from."""
        self.con.execute(
            "update night_runs set ended_at = ?, outcome = ?, generation = ?, problems = ?, "
            "inputs = ? where id = ?",
            (as_text(now()), outcome, generation, "\n".join(problems), inputs, run),
        )

    def last_inputs(self) -> tuple[str, str | None] | None:
        """Return what the last build to end well was built from, and its generation."""
        row = self.con.execute(
            "select inputs, generation from night_runs where inputs <> '' order by id desc limit 1"
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def nights(self) -> list[NightRun]:
        """Return every run, oldest first."""
        rows = self.con.execute(
            "select id, command, started_at, ended_at, outcome, generation, problems "
            "from night_runs order by id"
        ).fetchall()
        return [
            NightRun(row[0], row[1], as_time(row[2]), row[3] and as_time(row[3]), *row[4:])
            for row in rows
        ]

    def enter(
        self,
        new: NewDelivery,
        totals: Iterable[LedgerTotal],
        restatements: Iterable[Restatement],
    ) -> int:
        """Enter a delivery, its totals and what it restates, all or nothing; return its id."""
        with self.transaction():
            row = self.con.execute(
                "insert into deliveries (source, connector, table_name, unit, version, version_at,"
                " cursor, files, row_count, landed_at, state)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'landed') returning id",
                (
                    new.source,
                    new.connector,
                    new.table,
                    new.unit,
                    new.version,
                    as_text(new.version_at),
                    new.cursor,
                    json.dumps([asdict(file) for file in new.files]),
                    new.row_count,
                    as_text(now()),
                ),
            ).fetchone()
            self._enter_totals(row[0], totals)
            self._enter_restatements(row[0], restatements)
        return int(row[0])

    def _enter_totals(self, delivery: int, totals: Iterable[LedgerTotal]) -> None:
        self.con.executemany(
            "insert into totals values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    delivery,
                    *total.bill,
                    total.charge_month,
                    total.billing_currency,
                    total.measure,
                    total.rows,
                    format(total.amount, "f"),
                    format(total.beyond, "f"),
                    total.blank,
                )
                for total in totals
            ],
        )

    def _enter_restatements(self, delivery: int, restatements: Iterable[Restatement]) -> None:
        self.con.executemany(
            "insert into restatements (delivery_id, source, unit, charge_month, billing_currency,"
            " measure, before, after, at, was_open, why) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    delivery,
                    row.source,
                    row.unit,
                    row.charge_month,
                    row.billing_currency,
                    row.measure,
                    format(row.before, "f"),
                    format(row.after, "f"),
                    as_text(row.at),
                    row.was_open,
                    row.why,
                )
                for row in restatements
            ],
        )

    def deliveries(self) -> list[Entry]:
        """Return every delivery ever entered, in the order of landing."""
        return [_entry(row) for row in self.con.execute(f"{_ENTRIES} order by id")]

    def versions(self, source: str, table: str, unit: str) -> list[Entry]:
        """Return the deliveries of one unit, in the order of landing."""
        rows = self.con.execute(
            f"{_ENTRIES} where source = ? and table_name = ? and unit = ? order by id",
            (source, table, unit),
        )
        return [_entry(row) for row in rows]

    def totals(self) -> dict[int, list[LedgerTotal]]:
        """Return delivery id -> its totals, for the deliveries that have any."""
        found: dict[int, list[LedgerTotal]] = {}
        for row in self.con.execute("select * from totals order by rowid"):
            found.setdefault(row[0], []).append(_total(row))
        return found

    def totals_of(self, delivery: int) -> list[LedgerTotal]:
        """Return the totals of one delivery."""
        rows = self.con.execute(
            "select * from totals where delivery_id = ? order by rowid", (delivery,)
        )
        return [_total(row) for row in rows]

    def restatements(self) -> list[Restatement]:
        """Return the restatement ledger, oldest first."""
        rows = self.con.execute(
            "select source, unit, charge_month, billing_currency, measure, before, after, at, "
            "was_open, why from restatements order by id"
        )
        return [
            Restatement(
                source=row[0],
                unit=row[1],
                charge_month=row[2],
                billing_currency=row[3],
                measure=row[4],
                before=Decimal(row[5]),
                after=Decimal(row[6]),
                at=as_time(row[7]),
                was_open=bool(row[8]),
                why=row[9],
            )
            for row in rows
        ]

    def judge(self, verdicts: Iterable[tuple[int, State, str, str]]) -> None:
        """Enter (delivery id, state, reason, digest of the code that refused it), all at once."""
        with self.transaction():
            self.con.executemany(
                "update deliveries set state = ?, reason = ?, refused_by = ? where id = ?",
                [
                    (state, reason, refused_by, identity)
                    for identity, state, reason, refused_by in verdicts
                ],
            )

    def mark_collected(self, deliveries: Iterable[int]) -> None:
        """Enter that deliveries' files are about to be deleted."""
        at = as_text(now())
        with self.transaction():
            self.con.executemany(
                "update deliveries set collected_at = ? where id = ?",
                [(at, identity) for identity in deliveries],
            )


def _statements(text: str) -> list[str]:
    return [statement for statement in text.split(";\n") if statement.strip()]


def _entry(row: Sequence[Any]) -> Entry:
    return Entry(
        source=row[0],
        connector=row[1],
        table=row[2],
        unit=row[3],
        version=row[4],
        version_at=as_time(row[5]),
        cursor=row[6],
        files=tuple(StoredFile(**file) for file in json.loads(row[7])),
        row_count=row[8],
        id=row[9],
        landed_at=as_time(row[10]),
        state=row[11],
        reason=row[12],
        refused_by=row[13],
        is_collected=bool(row[14]),
    )


def _total(row: Sequence[Any]) -> LedgerTotal:
    return LedgerTotal(
        provider=row[1],
        billing_account_id=row[2],
        billing_period=row[3],
        charge_month=row[4],
        billing_currency=row[5],
        measure=row[6],
        rows=row[7],
        amount=Decimal(row[8]),
        beyond=Decimal(row[9]),
        blank=row[10],
    )


def now() -> datetime:
    """Return the time, UTC without a zone, as the journal keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def as_text(at: datetime) -> str:
    """Write a time as the journal does."""
    return at.isoformat(timespec="microseconds")


def as_time(text: str) -> datetime:
    """Read a time of the journal."""
    return datetime.fromisoformat(text)
