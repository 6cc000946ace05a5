"""What an audience sees of the marts. Knows nothing of DuckDB."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from queries.privacy.pseudonyms import pseudonym, someone

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

People = Literal["names", "pseudonyms", "teams"]
Others = Literal["totals", "nothing"]
DIMENSIONS = ("user", "team", "project", "model", "dataset", "service")
OPENNESS = ("teams", "pseudonyms", "names")
"""How people may be shown, the most open last."""
NOBODYS = (
    *("(idle)", "(shared)", "(tax)", "(credit)", "(unused commitment)", "(unregistered)"),
    *("(orphaned artefacts)", "(unattributed egress)", "unattributed"),
    *("not a model's", "not a dataset's"),
)
"""Members that stand for no person or thing."""
NOT_SHOWN = "(not shown)"
"""The member that holds what an audience may see as a total only."""


@dataclass(frozen=True, slots=True)
class View:
    """What an audience sees; by default everything."""

    audience: str = ""
    """Empty: everybody, the view that has no name."""
    people: People = "names"
    """How the people of its teams are shown."""
    teams: frozenset[str] | None = None
    """The teams whose people, runs and findings it sees; none: all."""
    dimensions: tuple[str, ...] = DIMENSIONS
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Dimension -> the only members of it that are shown, whoever owns them."""
    others: Others = "totals"
    """What is seen of everything else: totals without names, or nothing."""
    personal_from: date | None = None
    """The first day whose rows may name a person; none: all may."""
    key: bytes = field(default=b"", repr=False)
    """The secret that pseudonyms are made with."""

    @property
    def is_limited(self) -> bool:
        """Tell whether there is anything that this audience does not see in full."""
        return self.teams is not None or bool(self.members)

    @property
    def is_open(self) -> bool:
        """Tell whether the marts may be published as they are."""
        is_whole = self.dimensions == DIMENSIONS and self.others == "totals"
        return (
            is_whole
            and not self.is_limited
            and (self.people == "names" and self.personal_from is None)
        )

    @property
    def rules(self) -> str:
        """Return a digest of what is shown, apart from days and the secret."""
        members = {one: sorted(names) for one, names in sorted(self.members.items())}
        teams = None if self.teams is None else sorted(self.teams)
        return _digest(self.people, self.others, teams, self.dimensions, members)

    def fingerprint(self) -> str:
        """Return a digest of everything that can change what is published."""
        key = pseudonym(self.key, "") if self.key else ""
        return _digest(self.audience, self.rules, str(self.personal_from), key)

    def sees_team(self, team: str | None) -> bool:
        """Tell whether people of a team are shown, rather than counted."""
        return self.teams is None or team in self.teams

    def person(self, user_id: str, team: str | None) -> str:
        """Return the member that stands for a person of a team, in the newest days."""
        if self.people == "teams" or not self.sees_team(team):
            return someone(team)
        return user_id if self.people == "names" else pseudonym(self.key, user_id)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
