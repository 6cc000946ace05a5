"""May this work start? Answered from the small file of standings and the journal, in milliseconds.

An estimate is GPUs x hours x what the team has paid for a GPU-hour in the last 28 days. What is let
through is reserved until the bill can be expected to show it, so that two askers at once cannot
both take the last room. Being too careful for two days is the price: the bill may show a part of
what is still reserved.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from jobs.journal import Journal, JournalError, now
from jobs.journal.reservations import Reservation, Reservations
from jobs.quotas.standing import ROLLING, days_old, newest_standings
from queries.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from jobs.quotas.standing import Rule, Standings

Verdict = Literal["allow", "deny", "unknown"]
EXIT_CODES: Mapping[Verdict, int] = {"allow": 0, "deny": 3, "unknown": 4}
PATIENCE_SECONDS = 2
_CENT = Decimal("0.01")
_SOMETHING = Decimal("1e-12")
"""What work without a known price costs at least: where nothing is left, that is too much."""


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody wants to start."""

    members: Mapping[str, str]
    """Dimension -> whose it is: team, user, project."""
    gpus: Decimal
    hours: Decimal
    gpu_class: str | None = None

    @property
    def gpu_hours(self) -> Decimal:
        """GPUs x hours."""
        return self.gpus * self.hours


@dataclass(frozen=True, slots=True)
class Room:
    """What one quota says of a request."""

    quota: str
    dimension: str
    member: str
    unit: str
    """A currency, or GPU hours."""
    used: Decimal
    reserved: Decimal
    needed: Decimal
    bound: Decimal
    """Where new work stops."""

    @property
    def is_enough(self) -> bool:
        """Tell whether the request fits."""
        return self.used + self.reserved + self.needed <= self.bound

    @property
    def left(self) -> Decimal:
        """What is left before the request."""
        return self.bound - self.used - self.reserved


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate says, in one sentence, and what it rests on."""

    verdict: Verdict
    reason: str
    rooms: Sequence[Room] = ()
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    """Currency -> estimate."""
    on_unknown: str = "say"

    @property
    def exit_code(self) -> int:
        """0 allow, 3 deny, 4 unknown, unless the config file says what unknown comes to."""
        if self.verdict == "unknown" and self.on_unknown == "allow":
            return EXIT_CODES["allow"]
        if self.verdict == "unknown" and self.on_unknown == "deny":
            return EXIT_CODES["deny"]
        return EXIT_CODES[self.verdict]

    def as_json(self) -> str:
        """Return the answer for machines, every digit kept."""
        return json.dumps(
            {
                "verdict": self.verdict,
                "exit_code": self.exit_code,
                "reason": self.reason,
                "estimate": {key: format(cost, "f") for key, cost in self.costs.items()},
                "quotas": [
                    {
                        "quota": room.quota,
                        room.dimension: room.member,
                        "unit": room.unit,
                        "used": format(room.used, "f"),
                        "reserved": format(room.reserved, "f"),
                        "needed": format(room.needed, "f"),
                        "bound": format(room.bound, "f"),
                    }
                    for room in self.rooms
                ],
            }
        )


def ask_gate(state_dir: Path, request: Request) -> Answer:
    """Answer a request, and reserve what is let through."""
    standings = newest_standings(state_dir)
    if standings is None:
        return Answer("unknown", "no generation is published whose quotas are known")
    request = _with_team(request, standings)
    on_unknown = str(standings.gate["on_unknown"])
    at = now()
    try:
        with Journal(state_dir / "journal.sqlite", patience=PATIENCE_SECONDS) as journal:
            with journal.transaction():
                reservations = Reservations(journal)
                answer = answer_to(request, standings, reservations.open(at), at)
                if answer.verdict == "allow" and answer.rooms:
                    ends = at + timedelta(hours=float(request.hours) + standings.gate["lag_hours"])
                    reservations.enter(_reservation(request, answer), at, ends)
            return answer
    except (sqlite3.Error, JournalError) as error:
        return Answer("unknown", f"the journal cannot be asked: {error}", on_unknown=on_unknown)


def _with_team(request: Request, standings: Standings) -> Request:
    """Return a request of a user alone as one of the user's team, too, where that is known."""
    team = standings.teams.get(request.members.get("user", ""))
    if team is None or "team" in request.members:
        return request
    return replace(request, members={**request.members, "team": team})


def answer_to(
    request: Request, standings: Standings, reserved: Sequence[Reservation], at: datetime
) -> Answer:
    """Answer a request from where quotas stand and what is reserved; nothing is entered."""
    on_unknown = str(standings.gate["on_unknown"])
    stopping = [
        rule
        for rule in standings.rules
        if rule.enforced_at is not None and rule.dimension in request.members
    ]
    doubt = _doubt(request, standings, stopping, at) if stopping else None
    if doubt:
        return Answer("unknown", f"unknown: {doubt}", on_unknown=on_unknown)
    rules = [rule for rule in stopping if rule.member in ("*", request.members[rule.dimension])]
    if not rules:
        return Answer("allow", "allowed: no quota that stops work concerns it")
    costs: dict[str, Decimal] = {}
    unpriced = ""
    for currency in sorted({rule.billing_currency for rule in rules if rule.billing_currency}):
        price = price_of(standings, request, currency)
        if price is None:
            unpriced = _no_price(standings, request, currency)
        else:
            costs[currency] = (request.gpu_hours * price).quantize(Decimal("1e-12"))
    rooms = [_room(rule, request, standings, reserved, costs, at) for rule in rules]
    short = [room for room in rooms if not room.is_enough]
    if unpriced and not short:
        return Answer("unknown", f"unknown: {unpriced}", on_unknown=on_unknown)
    verdict: Verdict = "deny" if short else "allow"
    tightest = min(short or rooms, key=lambda room: (room.left - room.needed) / room.bound)
    return Answer(verdict, _reason(verdict, tightest), rooms, costs, on_unknown)


def price_of(standings: Standings, request: Request, currency: str) -> Decimal | None:
    """Return what a GPU-hour costs the team, or everybody where the team has held none lately."""
    wanted = (request.gpu_class or "").lower()
    prices = [
        price
        for price in standings.prices
        if price.billing_currency == currency and wanted in price.gpu_model.lower()
    ]
    own = [price for price in prices if price.team == request.members.get("team")]
    for among in (own, prices):
        hours = sum((price.gpu_hours for price in among), Decimal(0))
        if hours > 0:
            return sum((price.effective_cost for price in among), Decimal(0)) / hours
    return None


def _no_price(standings: Standings, request: Request, currency: str) -> str:
    models = sorted({price.gpu_model for price in standings.prices})
    if request.gpu_class and models:
        return (
            f"nobody has held a GPU of class {request.gpu_class} lately, so its price in "
            f"{currency} is not known; known are {', '.join(models)}"
        )
    return f"nobody has held a GPU lately, so its price in {currency} is not known"


def _doubt(
    request: Request, standings: Standings, rules: Sequence[Rule], at: datetime
) -> str | None:
    """Return why the standings cannot answer, none where they can."""
    if standings.as_of is None:
        return "there is no cost yet"
    days = days_old(standings.as_of, at.date())
    if days > standings.gate["max_data_days"]:
        return f"the newest cost is of {standings.as_of}, {days} whole days ago"
    for dimension in sorted({rule.dimension for rule in rules}):
        known = standings.members.get(dimension, ())
        member = request.members[dimension]
        hint = did_you_mean(member, known)
        is_for_all = any(rule.member == "*" for rule in rules if rule.dimension == dimension)
        if member not in known and (hint or is_for_all):
            return f'nothing knows the {dimension} "{member}"{hint}'
    return None


def _room(  # noqa: PLR0913, PLR0917  (a room is made of that many things)
    rule: Rule,
    request: Request,
    standings: Standings,
    reserved: Sequence[Reservation],
    costs: Mapping[str, Decimal],
    at: datetime,
) -> Room:
    member = request.members[rule.dimension]
    currency = rule.billing_currency
    others = [each for each in reserved if each.members.get(rule.dimension) == member]
    if currency is None:
        taken = sum((each.gpu_hours for each in others), Decimal(0))
    else:
        taken = sum((each.costs.get(currency, Decimal(0)) for each in others), Decimal(0))
    return Room(
        quota=rule.name,
        dimension=rule.dimension,
        member=member,
        unit=currency or "GPU hours",
        used=_used(rule, member, standings, at),
        reserved=taken,
        needed=request.gpu_hours if currency is None else costs.get(currency, _SOMETHING),
        bound=rule.enforced_at or Decimal(0),
    )


def _used(rule: Rule, member: str, standings: Standings, at: datetime) -> Decimal:
    """Return what the window that holds today shows; 0 in one that has just begun."""
    for row in standings.rows:
        if (row.quota, row.member) == (rule.name, member):
            is_new = row.window_kind != ROLLING and at.date() >= row.window_end
            return Decimal(0) if is_new else row.used_amount
    return Decimal(0)


def _reason(verdict: Verdict, room: Room) -> str:
    word = "allowed" if verdict == "allow" else "denied"
    reserved = f" + {_shown(room.reserved)} reserved" if room.reserved else ""
    sign = "within" if verdict == "allow" else "more than"
    return (
        f"{word}: {_shown(room.used)} used{reserved} + {_shown(room.needed)} for this is {sign} "
        f"the {_shown(room.bound)} {room.unit} of {room.dimension} {room.member} "
        f"(quota {room.quota})"
    )


def _shown(amount: Decimal) -> str:
    return f"{amount.quantize(_CENT):,f}"


def _reservation(request: Request, answer: Answer) -> Reservation:
    return Reservation(
        members=request.members,
        gpus=request.gpus,
        hours=request.hours,
        gpu_hours=request.gpu_hours,
        costs=answer.costs,
    )
