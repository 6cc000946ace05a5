"""`mlspend enforce`: show the newest plan, act on it, or let everybody go."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
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
    from collections.abc import Callable, Iterator, Sequence

    from jobs.config import Config
    from jobs.quotas.acting import Outcome
    from jobs.quotas.plan import Plan, Step

_DONE, _WRONG = 0, 1
_NO_PLAN = "there is no plan yet: `mlspend nightly` makes one each night"


def show_plan(config: Config, out: TextIO, *, as_json: bool = False) -> int:
    """Write the newest plan; return the exit code."""
    plan = newest_plan(config.state_dir / FOLDER)
    if as_json:
        _write_json(out, plan, [_NO_PLAN] if plan is None else plan.refusals, ())
    elif plan is None:
        out.write(f"{_NO_PLAN}\n")
    else:
        out.writelines(f"{line}\n" for line in _lines_of_plan(plan))
    return _WRONG if plan is None else _DONE


def _lines_of_plan(plan: Plan) -> Iterator[str]:
    yield f"Plan of {plan.made_at} UTC, generation {plan.generation}, cost up to {plan.as_of}"
    for step in plan.steps:
        yield from _lines_of(step)
    yield from (f"nobody is stopped: {reason}" for reason in plan.refusals)
    yield from (f"not stopped: {note}" for note in plan.unreached)
    if not plan.steps and not plan.refusals:
        yield "nothing to do"


def _lines_of(step: Step) -> Iterator[str]:
    verbs = {"stop": "stop", "renew": "stop (it is stopped already)", "release": "release"}
    yield f"{verbs[step.what]} {step.lever}/{step.target}, {step.member}, until {step.until}"
    yield f"  does:  {step.change}"
    yield f"  why:   {step.why}"
    for cause in step.causes:
        yield f"  query: {cause.query}"
    yield f"  undo:  {step.undo}"


def act(config: Config, out: TextIO, *, as_json: bool = False) -> int:
    """Do what the newest plan says, unless it may not be trusted any more; return the exit code."""
    tell = _tell_nothing if as_json else partial(_tell, out)
    with _at_work(config, tell) as (journal, actor):
        plan = newest_plan(config.state_dir / FOLDER)
        doubts = list(doubts_about(plan, config, journal))
        reasons = doubts if plan is None or doubts else plan.refusals
        for reason in reasons:
            tell(f"nobody is stopped: {reason}")
        if plan is None or doubts:
            today = now().date().isoformat()
            over = [stop for stop in actor.quotas.held() if stop.until <= today]
            outcomes = actor.undo([f"{stop.lever}/{stop.target}" for stop in over], is_pardon=False)
        else:
            outcomes = actor.act(plan)
            _enter_states(config, actor.quotas)
    if as_json:
        _write_json(out, plan, reasons, outcomes)
    elif not doubts and not outcomes:
        out.write("nothing to do\n")
    return _DONE if is_clean(outcomes) and not reasons else _WRONG


def undo(config: Config, only: Sequence[str] | None, out: TextIO, *, as_json: bool = False) -> int:
    """Let everybody go, or some targets; return the exit code."""
    with _at_work(config, _tell_nothing if as_json else partial(_tell, out)) as (_, actor):
        outcomes = actor.undo(only, is_pardon=True)
        _enter_states(config, actor.quotas)
    if as_json:
        _write_json(out, newest_plan(config.state_dir / FOLDER), (), outcomes)
    elif not outcomes:
        out.write("nobody is stopped\n" if only is None else "none of these is stopped\n")
    if not outcomes:
        return _DONE if only is None else _WRONG
    return _DONE if is_clean(outcomes) else _WRONG


@contextmanager
def _at_work(config: Config, tell: Callable[[str], None]) -> Iterator[tuple[Journal, Actor]]:
    """Hold the lock that nights hold too: what is planned and what is done never overlap."""
    with locked(config.state_dir), Journal(config.state_dir / "journal.sqlite") as journal:
        levers = {lever.name: lever for lever in config.levers}
        yield journal, Actor(levers, Quotas(journal), tell)


def _tell(out: TextIO, line: str) -> None:
    out.write(f"{line}\n")
    out.flush()


def _tell_nothing(_: str) -> None:
    """Leave what was done to the answer that it is a part of."""


def _write_json(
    out: TextIO, plan: Plan | None, reasons: Sequence[str], outcomes: Sequence[Outcome]
) -> None:
    """Write the newest plan, why nobody is stopped by it, and what became of each target."""
    answer = {
        "plan": None if plan is None else asdict(plan),
        "nobody_is_stopped": list(reasons),
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    out.write(json.dumps(answer, indent=1, ensure_ascii=False) + "\n")


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
