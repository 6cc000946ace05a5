"""Making a plan: of where quotas stand, of what is stopped, and of whether that can be trusted.

Nothing here reads a clock, a file or a server: the same evidence makes the same plan.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from jobs.quotas.plan import Cause, Plan, Step
from jobs.quotas.standing import days_old
from queries.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from jobs.enforcement.base import Lever
    from jobs.journal.quotas import Stop
    from jobs.quotas.standing import QuotaRow, Standings
    from jobs.settings.quotas import Enforcement, Quota

CAP_WINDOW = timedelta(hours=24)
"""What was touched within it counts against the cap, so that a second plan is no second helping."""
Target = tuple[str, str]
"""(lever, target)."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a plan is made of."""

    standings: Standings | None
    generation: str | None
    """The generation in force."""
    problems: Sequence[str]
    """What went wrong tonight."""
    sources: Collection[str]
    """Configured sources that are still fetched."""
    quotas: Sequence[Quota]
    levers: Sequence[Lever]
    limits: Enforcement
    held: Sequence[Stop]
    pardoned: Collection[tuple[str, str, str]]
    """Causes that a person has let go: quota, member, window."""
    touched: Collection[Target]
    """Stopped within CAP_WINDOW, or meant to be."""
    now: datetime
    night: int

    @property
    def today(self) -> date:
        """The day it is, UTC."""
        return self.now.date()


def make_plan(given: Evidence) -> Plan:
    """Return what tonight would change, and why nobody is stopped where that is so."""
    refusals = list(_doubts(given))
    steps: list[Step] = []
    unreached: list[str] = []
    if refusals:
        steps = _releases_by_date(given)
    elif given.standings is not None:
        wanted, unreached = _wanted(given, given.standings)
        steps, too_many = _steps(given, wanted)
        if too_many:
            refusals.append(too_many)
            steps = [step for step in steps if step.what != "stop"]
    return Plan(
        made_at=given.now.isoformat(timespec="seconds"),
        night=given.night,
        generation=given.generation or "",
        as_of=_as_of(given),
        settings=digest_of_settings(given.quotas, given.levers, given.limits),
        refusals=tuple(refusals),
        unreached=tuple(unreached),
        allowed=allowed_targets(given.limits, known_targets(given, given.touched)),
        steps=tuple(steps),
    )


def digest_of_settings(
    quotas: Sequence[Quota], levers: Sequence[Lever], limits: Enforcement
) -> str:
    """Return a digest of what the config file says of quotas and enforcement."""
    return hashlib.sha256(f"{quotas!r}{levers!r}{limits!r}".encode()).hexdigest()


def _as_of(given: Evidence) -> str | None:
    as_of = given.standings.as_of if given.standings else None
    return as_of.isoformat() if as_of else None


def _doubts(given: Evidence) -> Iterator[str]:
    """Yield every reason not to act on what is known."""
    standings = given.standings
    if standings is None or given.generation is None:
        yield "no generation is published whose quotas are known"
        return
    if standings.generation != given.generation:
        yield (
            f"quotas are known as of generation {standings.generation}, "
            f"but {given.generation} is in force"
        )
    if standings.open_books:
        yield f"{standings.open_books} lines of the books do not close"
    for problem in given.problems:
        yield f"tonight went wrong: {problem.splitlines()[0] if problem else 'no word why'}"
    yield from _late_sources(given, standings)
    yield from unknown_members(standings, given.quotas, given.levers)


def _late_sources(given: Evidence, standings: Standings) -> Iterator[str]:
    delivered = {table.source for table in standings.tables}
    for source in sorted(set(given.sources) - delivered):
        yield f"source {source} has delivered nothing yet"
    for table in standings.tables:
        if table.is_stale and table.is_dated and table.source in given.sources:
            yield f"source {table.source} is late, table {table.table_name}: {table.note}"
    if standings.as_of is None:
        yield "there is no cost yet"
        return
    days = days_old(standings.as_of, given.today)
    if days > given.limits.max_data_days:
        yield (
            f"the newest cost is of {standings.as_of}, {days} whole days ago; "
            f"max_data_days is {given.limits.max_data_days}"
        )


def unknown_members(
    standings: Standings, quotas: Sequence[Quota], levers: Sequence[Lever]
) -> Iterator[str]:
    """Yield the members of the config file that the generation does not know, with the nearest."""
    named: list[tuple[str, str, str]] = [
        (f"quota {quota.name}", quota.dimension, quota.member)
        for quota in quotas
        if quota.member != "*"
    ]
    for lever in levers:
        named += [(f"lever {lever.name}", lever.dimension, key) for key in lever.targets() or ()]
    for what, dimension, member in named:
        known = standings.members.get(dimension, ())
        if member not in known:
            hint = did_you_mean(member, known)
            yield f'{what} names the {dimension} "{member}", whom nothing knows{hint}'


def _wanted(
    given: Evidence, standings: Standings
) -> tuple[dict[Target, list[tuple[Cause, Lever]]], list[str]]:
    """Return the targets that are to be stopped, each with its causes, and whom no lever holds."""
    wanted: dict[Target, list[tuple[Cause, Lever]]] = {}
    unreached: list[str] = []
    for row in standings.rows:
        cause = _cause(standings, row)
        if cause is None or row.is_over(given.today):
            continue
        if cause.key in given.pardoned:
            unreached.append(
                f"{row.dimension} {row.member} is over {row.quota}: a person has let it go on"
            )
            continue
        reached = False
        for lever in given.levers:
            for target in _targets_of(lever, row):
                wanted.setdefault((lever.name, target), []).append((cause, lever))
                reached = True
        if not reached:
            unreached.append(f"{row.dimension} {row.member} is over {row.quota}: no lever holds it")
    return wanted, unreached


def _targets_of(lever: Lever, row: QuotaRow) -> Sequence[str]:
    if lever.dimension != row.dimension:
        return ()
    targets = lever.targets()
    return (row.member,) if targets is None else tuple(targets.get(row.member, ()))


def _cause(standings: Standings, row: QuotaRow) -> Cause | None:
    """Return why a member is to be stopped, none where it is not."""
    rule = standings.rule_of(row)
    shares = [share for share, action in rule.reached(row.used_amount) if action == "enforce"]
    if not shares:
        return None
    return Cause(
        quota=row.quota,
        dimension=row.dimension,
        member=row.member,
        measure=row.measure,
        window_start=row.window_start.isoformat(),
        window_end=row.window_end.isoformat(),
        window_key=row.window_key,
        limit_amount=format(row.limit_amount, "f"),
        used_amount=format(row.used_amount, "f"),
        provisional_amount=format(row.provisional_amount, "f"),
        billing_currency=row.billing_currency,
        enforced_share=format(shares[0], "f"),
        until=row.until.isoformat(),
        query=_query(row),
    )


def _query(row: QuotaRow) -> str:
    """Return the query that gives the figure used, on the plan's generation."""
    literals = [text.replace("'", "''") for text in (row.dimension, row.member)]
    currency = f" and billing_currency = '{row.billing_currency}'" if row.billing_currency else ""
    return (
        f"select sum({row.measure}) from marts.spend_daily where dimension = '{literals[0]}' "
        f"and member = '{literals[1]}' and charge_date >= date '{row.window_start}' "
        f"and charge_date < date '{row.window_end}'{currency}"
    )


def _steps(
    given: Evidence, wanted: Mapping[Target, list[tuple[Cause, Lever]]]
) -> tuple[list[Step], str]:
    """Return what is to change, and why the stops among it are too many, where they are."""
    held = {(stop.lever, stop.target): stop for stop in given.held}
    steps: list[Step] = []
    for target, found in sorted(wanted.items(), key=lambda item: item[0]):
        stop = held.get(target)
        step = _stop_step("stop" if stop is None else "renew", target, found)
        is_same = stop is not None and (
            {cause.key for cause in step.causes} == set(stop.causes)
            and (step.until, stop.wish, stop.result) == (stop.until, "stop", "done")
        )
        if not is_same:
            steps.append(step)
    for target, stop in sorted(held.items()):
        if target not in wanted:
            why = "it is no longer over any quota that stops it"
            steps.append(_release_step(given, stop, why))
    fresh = {(step.lever, step.target) for step in steps if step.what == "stop"}
    return steps, _too_many(given, fresh)


def _too_many(given: Evidence, fresh: Collection[Target]) -> str:
    touched = set(given.touched) | set(fresh)
    allowed = allowed_targets(given.limits, known_targets(given, given.touched))
    if not fresh or len(touched) <= allowed:
        return ""
    before = len(touched) - len(fresh)
    return (
        f"{len(fresh)} targets would be stopped"
        + (f", after {before} within the last day" if before else "")
        + f"; max_targets and max_share allow {allowed}: nobody is stopped until a person looks"
    )


def allowed_targets(limits: Enforcement, known: int) -> int:
    """Return how many targets may be touched within a day, of so many there are; one at least."""
    return min(limits.max_targets, max(1, math.floor(limits.max_share * known)))


def known_targets(given: Evidence, touched: Collection[Target]) -> int:
    """Count all targets that the levers hold; of a lever that names none, the members."""
    known = set(touched)
    for lever in given.levers:
        targets = lever.targets()
        members = given.standings.members.get(lever.dimension, ()) if given.standings else ()
        names = members if targets is None else [name for each in targets.values() for name in each]
        known |= {(lever.name, name) for name in names}
    return len(known)


def _stop_step(what: str, target: Target, found: Sequence[tuple[Cause, Lever]]) -> Step:
    causes = tuple(sorted({cause for cause, _ in found}, key=lambda cause: cause.key))
    lever = found[0][1]
    return Step(
        what="stop" if what == "stop" else "renew",
        lever=target[0],
        target=target[1],
        member=causes[0].member,
        change=lever.change(target[1]),
        undo=lever.undo(target[1]),
        why="; ".join(sentence(cause) for cause in causes),
        until=max(cause.until for cause in causes),
        causes=causes,
    )


def sentence(cause: Cause) -> str:
    """Say with figures why somebody is stopped."""
    unit = cause.billing_currency or "GPU hours"
    return (
        f"{cause.dimension} {cause.member} has used {_plain(cause.used_amount)} of "
        f"{_plain(cause.limit_amount)} {unit} between {cause.window_start} and {cause.window_end} "
        f"(quota {cause.quota}, new work stops at {_plain(cause.enforced_share)} of it; "
        f"{_plain(cause.provisional_amount)} may still change)"
    )


def _plain(amount: str) -> str:
    return amount.rstrip("0").rstrip(".") if "." in amount else amount


def _releases_by_date(given: Evidence) -> list[Step]:
    """Return the releases that need no evidence: their day has come."""
    today = given.today.isoformat()
    return [
        _release_step(given, stop, f"its window ended on {stop.until}")
        for stop in given.held
        if stop.until <= today
    ]


def _release_step(given: Evidence, stop: Stop, why: str) -> Step:
    lever = next((lever for lever in given.levers if lever.name == stop.lever), None)
    undo = lever.undo(stop.target) if lever else f"lever {stop.lever} is not configured any more"
    return Step(
        what="release",
        lever=stop.lever,
        target=stop.target,
        member=stop.member,
        change=undo,
        undo="it is stopped again where a plan says so",
        why=why,
        until=stop.until,
        causes=(),
    )
