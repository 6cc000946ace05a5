"""Whom a digest may go to: people with a mail address, kept apart from what analysts read.

Who has left by the newest day of the bill gets none, nor does a service account.

The file lies in the state folder and only its owner may read it; it is made anew whenever a
generation is published.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from queries.engines.duckdb import Connection

FILE = "contacts.json"
_PEOPLE = """
with newest_teams as (
    select
        user_id,
        arg_max(team, (charge_date, team)) as team
    from attribution.user_days
    cross join marts.covered_days
    where charge_date not between newest_day + 1 and last_day
    group by user_id
)

select
    people.user_id,
    people.user_name,
    people.email,
    newest_teams.team
from attribution.people
left join newest_teams using (user_id)
where
    people.email <> ''
    and not people.is_service
    and (
        people.left_on > (
            select max(charge_date)
            from attribution.user_days
            cross join marts.covered_days
            where charge_date not between newest_day + 1 and last_day
        )
    ) is not false
order by people.user_id
"""


@dataclass(frozen=True, slots=True)
class Contact:
    """A person who can be mailed."""

    user_id: str
    name: str
    email: str
    team: str | None


def write_contacts(con: Connection, state_dir: Path) -> None:
    """Write the people of a build that is about to be published."""
    rows = con.execute(_PEOPLE).fetchall()
    people = [asdict(Contact(row[0], row[1] or row[0], row[2], row[3])) for row in rows]
    half = state_dir / f".{FILE}.half"
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(people, file)
        file.flush()
        os.fsync(file.fileno())
    half.replace(state_dir / FILE)


def read_contacts(state_dir: Path) -> list[Contact]:
    """Return the people of the newest generation; none before the first."""
    path = state_dir / FILE
    if not path.exists():
        return []
    return [Contact(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
