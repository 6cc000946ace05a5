"""The journal of quotas: states, thresholds reached, stops and what became of them.

A stop is entered before anything is changed and its result after, so that a process killed between
the two leaves an intent to be looked into, never a change that nobody remembers.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from jobs.journal import as_text, now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from jobs.journal import Journal

Wish = Literal["stop", "release"]
Result = Literal["intended", "done", "not done", "unknown"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a quota of a member stands, as it is entered."""

    quota: str
    dimension: str
    member: str
    measure: str
    window_start: str
    """ISO date; empty for a rolling window."""
    window_end: str
    state: str
    threshold: str
    limit_amount: Decimal
    used_amount: Decimal
    billing_currency: str | None
    reached: tuple[tuple[str, str], ...]
    """(share of the limit, action) of every threshold reached."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return (self.quota, self.member, self.window_start)


@dataclass(frozen=True, slots=True)
class Event:
    """A threshold that was reached, once per window."""

    id: int
    quota: str
    dimension: str
    member: str
    window_start: str
    window_end: str
    threshold: str
    action: str
    limit_amount: Decimal
    used_amount: Decimal
    billing_currency: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Stop:
    """A target that is stopped, or was to be, and is not let go yet."""

    id: int
    key: str
    lever: str
    target: str
    member: str
    reason: str
    causes: tuple[tuple[str, str, str], ...]
    """(quota, member, first day of its window) of each."""
    until: str
    wish: Wish
    result: Result
    before: dict[str, object] | None
    note: str
    intended_at: str


_STOPS = (
    "select id, key, lever, target, member, reason, causes, until, wish, result, before, note, "
    "intended_at from stops"
)


class Quotas:
    """What the journal knows of quotas."""

    def __init__(self, journal: Journal) -> None:
        """Read and write an open journal."""
        self.journal = journal
        self.con = journal.con

    def enter(self, standings: Iterable[Standing], generation: str) -> list[Event]:
        """Enter where quotas stand; return the thresholds reached for the first time.

        The same standing may be entered any number of times. A member that is stopped is
        `enforced`; one that was, in the same window, is `released`, until it is over again without
        a person's leave.
        """
        at = as_text(now())
        with self.journal.transaction():
            last = self.con.execute("select coalesce(max(id), 0) from quota_events").fetchone()[0]
            touched = [stop for stop in self.held() if stop.before is not None]
            held = {cause for stop in touched for cause in stop.causes}
            let_go = {cause for stop in self.released() for cause in stop.causes} - held
            pardoned = self.pardoned(now().date())
            for row in standings:
                state = row.state
                if row.key in held:
                    state = "enforced"
                elif row.key in let_go and (row.key in pardoned or state != "over"):
                    state = "released"
                self._enter_state(row, state, generation, at)
                self._enter_events(row, generation, at)
        return self.events(after=last)

    def _enter_state(self, row: Standing, state: str, generation: str, at: str) -> None:
        self.con.execute(
            "insert into quota_states values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict (quota, member, window_start) do update set"
            " window_end = excluded.window_end, dimension = excluded.dimension,"
            " measure = excluded.measure, threshold = excluded.threshold,"
            " limit_amount = excluded.limit_amount, used_amount = excluded.used_amount,"
            " billing_currency = excluded.billing_currency, generation = excluded.generation,"
            " changed_at ="
            " case when state = excluded.state then changed_at else excluded.changed_at end,"
            " state = excluded.state",
            (
                *row.key,
                row.window_end,
                row.dimension,
                row.measure,
                state,
                row.threshold,
                format(row.limit_amount, "f"),
                format(row.used_amount, "f"),
                row.billing_currency,
                generation,
                at,
            ),
        )

    def _enter_events(self, row: Standing, generation: str, at: str) -> None:
        self.con.executemany(
            "insert into quota_events (quota, member, window_start, threshold, action, dimension,"
            " window_end, limit_amount, used_amount, billing_currency, generation, at)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict (quota, member, window_start, threshold) do nothing",
            [
                (
                    *row.key,
                    share,
                    action,
                    row.dimension,
                    row.window_end,
                    format(row.limit_amount, "f"),
                    format(row.used_amount, "f"),
                    row.billing_currency,
                    generation,
                    at,
                )
                for share, action in row.reached
            ],
        )

    def events(self, *, after: int = 0) -> list[Event]:
        """Return the thresholds reached, oldest first; only those with an id above `after`."""
        rows = self.con.execute(
            "select id, quota, dimension, member, window_start, window_end, threshold, action, "
            "limit_amount, used_amount, billing_currency, at from quota_events where id > ? "
            "order by id",
            (after,),
        )
        return [_event(row) for row in rows]

    def states(self) -> dict[tuple[str, str, str], str]:
        """Return (quota, member, first day of its window) -> state, of every window there was."""
        rows = self.con.execute("select quota, member, window_start, state from quota_states")
        return {row[:3]: row[3] for row in rows}

    def held(self) -> list[Stop]:
        """Return the stops that are in force or may be, oldest first."""
        return _stops(self.con.execute(f"{_STOPS} where closed_at is null order by id"))

    def released(self) -> list[Stop]:
        """Return the stops that were taken back."""
        query = f"{_STOPS} where closed_at is not null and wish = 'release' order by id"
        return _stops(self.con.execute(query))

    def pardoned(self, today: date) -> set[tuple[str, str, str]]:
        """Return the causes that a person has let go until a day that has not come yet."""
        query = f"{_STOPS} where is_pardon = 1 and until > ?"
        stops = _stops(self.con.execute(query, (today.isoformat(),)))
        return {cause for stop in stops for cause in stop.causes}

    def all_stops(self) -> list[Stop]:
        """Return every stop there was, or was to be, oldest first."""
        return _stops(self.con.execute(f"{_STOPS} order by id"))

    def intended_since(self, at: datetime) -> set[tuple[str, str]]:
        """Return the (lever, target) pairs that were to be stopped since, whatever became of it."""
        rows = self.con.execute(
            "select distinct lever, target from stops where intended_at >= ?", (as_text(at),)
        )
        return {(row[0], row[1]) for row in rows}

    def intend_stop(  # noqa: PLR0913  (a stop has that many facts)
        self,
        *,
        lever: str,
        target: str,
        member: str,
        reason: str,
        causes: Sequence[tuple[str, str, str]],
        until: str,
    ) -> Stop:
        """Enter that a target is about to be stopped, or return the stop that is under way."""
        at = as_text(now())
        salt = json.dumps([lever, target, member, causes, at])
        key = hashlib.sha256(salt.encode()).hexdigest()[:32]
        with self.journal.transaction():
            self.con.execute(
                "insert into stops (key, lever, target, member, reason, causes, until, wish,"
                " result, intended_at, changed_at)"
                " values (?, ?, ?, ?, ?, ?, ?, 'stop', 'intended', ?, ?)"
                " on conflict do nothing",
                (key, lever, target, member, reason, json.dumps(causes), until, at, at),
            )
        return self._open_stop(lever, target)

    def renew(self, stop: Stop, causes: Sequence[tuple[str, str, str]], until: str) -> None:
        """Enter that a stop in force has other causes now, or ends on another day."""
        self.con.execute(
            "update stops set causes = ?, until = ? where id = ?",
            (json.dumps(causes), until, stop.id),
        )

    def intend_release(self, stop: Stop, *, is_pardon: bool) -> None:
        """Enter that a stop is about to be taken back, by a person or by a plan."""
        self.con.execute(
            "update stops set wish = 'release', result = 'intended', is_pardon = ?, changed_at = ?"
            " where id = ?",
            (is_pardon, as_text(now()), stop.id),
        )

    def note_before(self, stop: Stop, before: dict[str, object]) -> None:
        """Enter what stood at the target, before it is changed."""
        self.con.execute("update stops set before = ? where id = ?", (json.dumps(before), stop.id))

    def conclude(self, stop: Stop, wish: Wish, result: Result, note: str) -> None:
        """Enter what became of a stop or a release; nothing stays in force of one that is over."""
        is_over = (wish, result) in (("release", "done"), ("stop", "not done"))
        at = as_text(now())
        self.con.execute(
            "update stops set wish = ?, result = ?, note = ?, changed_at = ?, closed_at = ? "
            "where id = ?",
            (wish, result, note, at, at if is_over else None, stop.id),
        )

    def _open_stop(self, lever: str, target: str) -> Stop:
        query = f"{_STOPS} where closed_at is null and lever = ? and target = ?"
        (stop,) = _stops(self.con.execute(query, (lever, target)))
        return stop


def _event(row: Sequence[Any]) -> Event:
    return Event(
        id=row[0],
        quota=row[1],
        dimension=row[2],
        member=row[3],
        window_start=row[4],
        window_end=row[5],
        threshold=row[6],
        action=row[7],
        limit_amount=Decimal(row[8]),
        used_amount=Decimal(row[9]),
        billing_currency=row[10],
        at=row[11],
    )


def _stops(rows: Iterable[Sequence[Any]]) -> list[Stop]:
    return [
        Stop(
            id=row[0],
            key=row[1],
            lever=row[2],
            target=row[3],
            member=row[4],
            reason=row[5],
            causes=tuple((cause[0], cause[1], cause[2]) for cause in json.loads(row[6])),
            until=row[7],
            wish=row[8],
            result=row[9],
            before=None if row[10] is None else json.loads(row[10]),
            note=row[11],
            intended_at=row[12],
        )
        for row in rows
    ]
