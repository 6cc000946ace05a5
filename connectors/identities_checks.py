"""What must hold among people, accounts, aliases and memberships, whatever file tells of them.

Each check returns what is wrong, in words that stand after a line's number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches

Span = tuple[date, date]
"""[from, to)."""


@dataclass(slots=True)
class People:
    """Who has been read so far."""

    left: dict[str, date] = field(default_factory=dict)
    """Id of a person -> the first day on which they are gone."""
    accounts: set[str] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    """An id in lower case -> the id."""
    addresses: dict[str, str] = field(default_factory=dict)
    """A mail address in lower case -> the id of who has it now."""

    def add(self, user_id: str, email: str, left: date) -> list[str]:
        """Take a person."""
        wrong = [f"user_id {user_id} is there twice"] if user_id.lower() in self.ids else []
        self.ids[user_id.lower()] = user_id
        self.left[user_id] = left
        if email and left == date.max:
            other = self.addresses.setdefault(email.lower(), user_id)
            if other != user_id:
                wrong.append(f"{email} is {other}'s, who is still there")
        return wrong

    def add_account(self, account: str) -> list[str]:
        """Take an account, which may come again with another team."""
        if self.ids.get(account.lower()) in self.left:
            return [f"{account} is a person's id"]
        self.ids[account.lower()] = account
        self.accounts.add(account)
        return []

    def unknown(self, user_id: str, why: str) -> list[str]:
        """Hold an id against those that are known."""
        if not user_id or user_id in self.left or user_id in self.accounts:
            return []
        near = get_close_matches(user_id, [*self.left, *self.accounts], n=1)
        return [f"{user_id} {why}" + (f"; did you mean {near[0]}?" if near else "")]

    def others_name(self, alias: str, user_id: str) -> list[str]:
        """Hold an alias against the ids and the addresses of others."""
        other = self.ids.get(alias.lower()) or self.addresses.get(alias.lower())
        if other in (None, user_id):
            return []
        return [f"{alias} is the id or the address of {other}"]

    def not_a_member(self, user_id: str, since: date) -> list[str]:
        """Hold the first day of a membership against what is known of its member."""
        if user_id in self.accounts:
            return [f"{user_id} is an account, whose team stands beside it"]
        left = self.left.get(user_id, date.max)
        return [f"{user_id} has left on {left}, before this begins"] if since >= left else []


@dataclass(slots=True)
class Spans:
    """What belonged to whom, and when: one at a time."""

    found: dict[str, list[tuple[Span, str]]] = field(default_factory=dict)

    def add(self, what: str, whose: str, span: Span) -> str | None:
        """Take a span; return whose `what` is at the same time, another's first, or nobody's."""
        start, end = span
        of_what = self.found.setdefault(what, [])
        others = [
            other
            for (other_start, other_end), other in of_what
            if start < other_end and other_start < end
        ]
        of_what.append((span, whose))
        return next((other for other in others if other != whose), others[0] if others else None)
