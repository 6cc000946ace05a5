"""Doing what a plan says, target by target, so that it may be killed anywhere and done again.

Before a target is touched its intent is in the journal, with what stood there; the result follows.
An answer that does not come is looked into at once, and where that fails the target is `unknown`:
the next run looks again before it changes anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.enforcement.base import LeverError, Order, RefusedError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from jobs.enforcement.base import Lever
    from jobs.journal.quotas import Quotas, Result, Stop, Wish
    from jobs.quotas.plan import Plan, Step


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target."""

    wish: Wish
    lever: str
    target: str
    result: Result
    note: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Levers, and the journal that remembers what they did."""

    levers: Mapping[str, Lever]
    quotas: Quotas
    tell: Callable[[str], None]

    def act(self, plan: Plan) -> list[Outcome]:
        """Carry a plan out: first who may go on, then who is to be stopped."""
        outcomes = [self._release_of(step) for step in plan.steps if step.what == "release"]
        outcomes += [self._stop(step) for step in plan.steps if step.what != "release"]
        return [outcome for outcome in outcomes if outcome is not None]

    def undo(self, only: Sequence[str] | None = None, *, is_pardon: bool) -> list[Outcome]:
        """Take back every stop in force, or those of some targets, written lever/target.

        What a person takes back (`is_pardon`) stays so until the day on which it would have ended.
        """
        wanted = [
            stop
            for stop in self.quotas.held()
            if only is None or f"{stop.lever}/{stop.target}" in only
        ]
        return [self._release(stop, is_pardon=is_pardon) for stop in wanted]

    def _release_of(self, step: Step) -> Outcome | None:
        for stop in self.quotas.held():
            if (stop.lever, stop.target) == (step.lever, step.target):
                return self._release(stop, is_pardon=False)
        return None

    def _stop(self, step: Step) -> Outcome | None:
        causes = [cause.key for cause in step.causes]
        stop = self.quotas.intend_stop(
            lever=step.lever,
            target=step.target,
            member=step.member,
            reason=step.why,
            causes=causes,
            until=step.until,
        )
        if (stop.causes, stop.until) != (tuple(causes), step.until):
            self.quotas.renew(stop, causes, step.until)
        if (stop.wish, stop.result) == ("stop", "done"):
            return None
        lever = self.levers.get(step.lever)
        if lever is None:
            return self._conclude(stop, "stop", "not done", "the lever is not configured any more")
        return self._conclude(stop, "stop", *self._try_to_stop(lever, stop))

    def _try_to_stop(self, lever: Lever, stop: Stop) -> tuple[Result, str]:
        """Change the target; tell what came of it, and a remark."""
        order = order_of(stop)
        if stop.wish == "release":  # a release that was not finished: the target may be either way
            stop = self._taken_up_again(stop)
        try:
            before = stop.before
            if before is None:
                before = lever.look(stop.target)
                self.quotas.note_before(stop, before)
            return "done", lever.stop(order, before)
        except RefusedError as error:
            is_sure = stop.result == "intended" and stop.before is None
            return ("not done" if is_sure else self._seen(lever, order)), _told(error)
        except UnknownError as error:
            return self._seen(lever, order), _told(error)

    def _taken_up_again(self, stop: Stop) -> Stop:
        self.quotas.conclude(stop, "stop", "intended", "")
        return next(each for each in self.quotas.held() if each.id == stop.id)

    def _seen(self, lever: Lever, order: Order) -> Result:
        """Look what became of a stop that nobody confirmed."""
        try:
            is_stopped = lever.is_stopped(order, lever.look(order.target))
        except LeverError:
            return "unknown"
        if is_stopped is None:
            return "unknown"
        return "done" if is_stopped else "not done"

    def _release(self, stop: Stop, *, is_pardon: bool) -> Outcome:
        lever = self.levers.get(stop.lever)
        if lever is None:
            note = f"configure lever {stop.lever} again, so that it can be undone"
            return self._conclude(stop, stop.wish, "unknown", note)
        self.quotas.intend_release(stop, is_pardon=is_pardon)
        if stop.before is None and stop.result == "intended":
            return self._conclude(stop, "release", "done", "nothing had been changed yet")
        try:
            note = lever.release(order_of(stop), stop.before or {})
        except RefusedError as error:
            return self._conclude(stop, "release", "not done", _told(error))
        except UnknownError as error:
            return self._conclude(stop, "release", "unknown", _told(error))
        return self._conclude(stop, "release", "done", note)

    def _conclude(self, stop: Stop, wish: Wish, result: Result, note: str) -> Outcome:
        self.quotas.conclude(stop, wish, result, note)
        outcome = Outcome(wish, stop.lever, stop.target, result, note)
        self.tell(line_of(outcome))
        return outcome


def order_of(stop: Stop) -> Order:
    """Return what a lever is told of a stop; the same whenever it is told again."""
    return Order(
        key=stop.key,
        target=stop.target,
        reason=stop.reason,
        until=stop.until,
        member=stop.member,
        quotas=tuple(sorted({cause[0] for cause in stop.causes})),
    )


def line_of(outcome: Outcome) -> str:
    """Say what became of one target."""
    note = f": {outcome.note}" if outcome.note else ""
    return f"  {outcome.wish} {outcome.lever}/{outcome.target}: {outcome.result}{note}"


def is_clean(outcomes: Iterable[Outcome]) -> bool:
    """Tell whether everything that was asked for was done."""
    return all(outcome.result == "done" for outcome in outcomes)


def _told(error: LeverError) -> str:
    return "; ".join([str(error), *error.__notes__])
