"""`mlspend enforce`: show the newest plan, act on it, or let everybody go."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from jobs.journal import Journal, now
from jobs.journal.quotas import Quotas
from jobs.journal.restores import Restores
from jobs.lock import locked
from jobs.quotas.acting import Actor, is_clean
from jobs.quotas.plan import FOLDER, age_hours, newest_plan
from jobs.quotas.planning import CAP_WINDOW, digest_of_settings
from jobs.quotas.standing import newest_standings
from jobs.quotas.tonight import standings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.config import Config
    from jobs.quotas.plan import Plan, Step

_DONE, _WRONG = 0, 1
_NO_PLAN = "there is no plan yet: `mlspend nightly` makes one each night"


def show_plan(config: Config, out: TextIO) -> int:
    """Write the newest plan; return the exit code."""
    plan = newest_plan(config.state_dir / FOLDER)
    if plan is None:
        out.write(f"{_NO_PLAN}\n")
        return _WRONG
    out.write(
        f"Plan of {plan.made_at} UTC, generation {plan.generation}, cost up to {plan.as_of}\n"
    )
    for step in plan.steps:
        out.writelines(f"{line}\n" for line in _lines_of(step))
    out.writelines(f"nobody is stopped: {reason}\n" for reason in plan.refusals)
    out.writelines(f"not stopped: {note}\n" for note in plan.unreached)
    if not plan.steps and not plan.refusals:
        out.write("nothing to do\n")
    return _DONE


def _lines_of(step: Step) -> Iterator[str]:
    verbs = {"stop": "stop", "renew": "stop (it is stopped already)", "release": "release"}
    yield f"{verbs[step.what]} {step.lever}/{step.target}, {step.member}, until {step.until}"
    yield f"  does:  {step.change}"
    yield f"  why:   {step.why}"
    for cause in step.causes:
        yield f"  query: {cause.query}"
    yield f"  undo:  {step.undo}"


def act(config: Config, out: TextIO) -> int:
    """Do what the newest plan says, unless it may not be trusted any more; return the exit code."""
    with _at_work(config, out) as (journal, actor):
        plan = newest_plan(config.state_dir / FOLDER)
        doubts = list(doubts_about(plan, config, journal))
        out.writelines(f"nobody is stopped: {doubt}\n" for doubt in doubts)
        if plan is None or doubts:
            today = now().date().isoformat()
            over = [stop for stop in actor.quotas.held() if stop.until <= today]
            actor.undo([f"{stop.lever}/{stop.target}" for stop in over], is_pardon=False)
            return _WRONG
        out.writelines(f"nobody is stopped: {reason}\n" for reason in plan.refusals)
        outcomes = actor.act(plan)
        _enter_states(config, actor.quotas)
    if not outcomes:
        out.write("nothing to do\n")
    return _DONE if is_clean(outcomes) and not plan.refusals else _WRONG


def undo(config: Config, only: Sequence[str] | None, out: TextIO) -> int:
    """Let everybody go, or some targets; return the exit code."""
    with _at_work(config, out) as (_, actor):
        outcomes = actor.undo(only, is_pardon=True)
        _enter_states(config, actor.quotas)
    if not outcomes:
        out.write("nobody is stopped\n" if only is None else "none of these is stopped\n")
        return _DONE if only is None else _WRONG
    return _DONE if is_clean(outcomes) else _WRONG


@contextmanager
def _at_work(config: Config, out: TextIO) -> Iterator[tuple[Journal, Actor]]:
    """Hold the lock that nights hold too: what is planned and what is done never overlap."""
    with locked(config.state_dir), Journal(config.state_dir / "journal.sqlite") as journal:
        levers = {lever.name: lever for lever in config.levers}
        yield journal, Actor(levers, Quotas(journal), lambda line: _tell(out, line))


def _tell(out: TextIO, line: str) -> None:
    out.write(f"{line}\n")
    out.flush()


def _enter_states(config: Config, quotas: Quotas) -> None:
    standings = newest_standings(config.state_dir)
    if standings is not None:
        quotas.enter(standings_of(standings), standings.generation)


def doubts_about(plan: Plan | None, config: Config, journal: Journal) -> Iterator[str]:
    """Yield why a plan may not be acted on now, whatever it said when it was made."""
    if plan is None:
        yield _NO_PLAN
        return
    limits = config.enforcement
    if not 0 <= age_hours(plan, now()) <= limits.max_plan_hours:
        yield f"the plan is of {plan.made_at}; max_plan_hours is {limits.max_plan_hours}"
    pointer = config.state_dir / "generations" / "current"
    generation = pointer.read_text(encoding="ascii").strip() if pointer.exists() else "none"
    if plan.generation != generation:
        yield f"the plan rests on generation {plan.generation}, but {generation} is in force"
    if plan.settings != digest_of_settings(config.quotas, config.levers, limits):
        yield "quotas or levers were changed since: the next night plans with them"
    for night in journal.nights():
        if night.id >= plan.night and (night.problems or night.outcome in (None, "stopped")):
            told = night.problems.splitlines()[0] if night.problems else "it did not end"
            yield f"the {night.command} of {night.started_at:%Y-%m-%d %H:%M} UTC went wrong: {told}"
    if Restores(journal).is_unknown(now().date()):
        yield "the journal was put back today: what was stopped since that copy is not known"
    touched = Quotas(journal).intended_since(now() - CAP_WINDOW)
    touched |= {(step.lever, step.target) for step in plan.stops}
    if plan.stops and len(touched) > plan.allowed:
        yield f"{len(touched)} targets would be touched within a day; {plan.allowed} may be"
