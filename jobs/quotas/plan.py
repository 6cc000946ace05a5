"""A plan: what a night would change at which target, why, and how it is undone. It acts on nothing.

A plan rests on one generation and says so. Where anything it would rest on is missing, late or
doubtful it stops nobody and says why. What only lets people go on working is planned all the same:
a stop whose window is over needs no evidence.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = "plans"


@dataclass(frozen=True, slots=True)
class Cause:
    """A quota that is used up, with the figures and the query that gives them."""

    quota: str
    dimension: str
    member: str
    measure: str
    window_start: str
    window_end: str
    window_key: str
    limit_amount: str
    used_amount: str
    provisional_amount: str
    billing_currency: str | None
    enforced_share: str
    until: str
    query: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What the journal knows it by."""
        return (self.quota, self.member, self.window_key)


@dataclass(frozen=True, slots=True)
class Step:
    """One change at one target."""

    what: Literal["stop", "renew", "release"]
    """renew: it is stopped already, for causes or until a day that are others now."""
    lever: str
    target: str
    member: str
    change: str
    undo: str
    why: str
    until: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one night would do."""

    made_at: str
    """UTC."""
    night: int
    """The journal's number of the run that made it."""
    generation: str
    as_of: str | None
    settings: str
    """Digest of the quotas, levers and caps that it was made with."""
    refusals: tuple[str, ...]
    """Why nobody is stopped, where somebody might have been."""
    unreached: tuple[str, ...]
    """Members to be stopped whom no lever holds, or whom a person has let go."""
    allowed: int
    """How many targets may be touched within a day."""
    steps: tuple[Step, ...]

    @property
    def stops(self) -> tuple[Step, ...]:
        """The steps that stop somebody who is not stopped yet."""
        return tuple(step for step in self.steps if step.what == "stop")

    def write(self, folder: Path, day: str) -> Path:
        """Write the plan of a day in one step; return the file."""
        folder.mkdir(parents=True, exist_ok=True)
        half, path = folder / f".{day}.half", folder / f"{day}.json"
        half.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        half.replace(path)
        return path


def newest_plan(folder: Path) -> Plan | None:
    """Return the plan of the newest day, none where there is none."""
    paths = sorted(folder.glob("[0-9]*.json"))
    return read_plan(json.loads(paths[-1].read_text(encoding="utf-8"))) if paths else None


def read_plan(table: Mapping[str, Any]) -> Plan:
    """Read what `Plan.write` wrote."""
    steps = [
        Step(**{**step, "causes": tuple(Cause(**cause) for cause in step["causes"])})
        for step in table["steps"]
    ]
    texts = {key: tuple(table[key]) for key in ("refusals", "unreached")}
    return Plan(**{**table, **texts, "steps": tuple(steps)})


def age_hours(plan: Plan, at: datetime) -> float:
    """Return how old a plan is; `at` is UTC without a zone."""
    return (at - datetime.fromisoformat(plan.made_at)).total_seconds() / 3600
