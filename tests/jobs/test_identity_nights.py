"""Nights on which people move or leave, or are robots: what a late edit moves, and leaves."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from queries.generation import newest_generation
from queries.read import open_generation
from tests.connectors.keycloak_server import SECRET, TOKEN, Sso, serving
from tests.jobs.nights import HEADER, run

if TYPE_CHECKING:
    from pathlib import Path

THIS_MONTH = datetime.now(UTC).date().replace(day=1)
MONTH = (THIS_MONTH - timedelta(days=1)).replace(day=1)
"""Of the bill: it is over."""
CONFIG = """
[connectors.focus]
root = "bills"
[connectors.identities]
root = "who"
"""
USERS = {"JDoe": 8, "joe@acme.example": 4, "ci-runner": 2, "mallory": 1}
"""Name in the bill -> what it costs each day."""
PEOPLE = "user_id,user_name,email,valid_to\njane,Jane Roe,jane@acme.example,\njoe,Joe Doe,{}\n"
JOE = "joe@acme.example,"
MEMBERSHIPS = "user_id,team,valid_from,valid_to\njane,nlp,,\njoe,nlp,,\n"

Figures = dict[tuple[str, str, str], Decimal]
"""(day, dimension, member) -> cost."""


def day(number: int) -> str:
    return f"{MONTH:%Y-%m}-{number:02}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Four days on which four names cost something."""
    lines = [
        f"{cost},{cost},{cost},{cost},USD,111,{MONTH}T00:00:00Z,{THIS_MONTH}T00:00:00Z,"
        f"{day(number)}T00:00:00Z,{day(number + 1)}T00:00:00Z,Usage,Usage-Based,"
        f'Object Storage,Storage,AWS,bucket-{user},"{{""user"": ""{user}""}}"\n'
        for number in range(1, 5)
        for user, cost in USERS.items()
    ]
    (tmp_path / "bills").mkdir()
    (tmp_path / "bills" / "bill.csv").write_text(HEADER + "".join(lines), encoding="utf-8")
    (tmp_path / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "who").mkdir()
    say(
        tmp_path,
        people=PEOPLE.format(JOE),
        memberships=MEMBERSHIPS,
        aliases="alias,user_id\njdoe,jane\n",
    )
    return tmp_path


def say(home: Path, **texts: str) -> None:
    for name, text in texts.items():
        (home / "who" / f"{name}.csv").write_text(text, encoding="utf-8")


def night(home: Path, **environment: str) -> int:
    """Run a night; return the days that it attributed."""
    done = run(home, "nightly", **environment)
    assert done.returncode == 0, done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in (SECRET, TOKEN))
    return sum(int(days) for days in re.findall(r"attribute \S+ (\d+) days", done.stderr))


def figures(home: Path) -> Figures:
    """Return every daily figure."""
    with open_generation(newest_generation(home / "state")) as con:
        rows = con.execute(
            "select cast(charge_date as varchar), dimension, member, sum(effective_cost) "
            "from marts.spend_daily group by all"
        ).fetchall()
    return {(row[0], row[1], row[2]): row[3] for row in rows}


def moved(before: Figures, after: Figures) -> Figures:
    """Return by how much each figure is another."""
    return {
        key: after.get(key, Decimal(0)) - before.get(key, Decimal(0))
        for key in before.keys() | after.keys()
        if after.get(key) != before.get(key)
    }


def postings(home: Path) -> set[str]:
    """Return the files that hold attributed days: one that is made anew has another name."""
    return {path.name for path in (home / "state" / "lake").glob("attribution.postings/*/*")}


def test_a_late_change_of_team_moves_the_days_it_touches_alone(home: Path) -> None:
    """No day is attributed anew: people are looked up in what has been attributed."""
    assert night(home) == 4
    before, files = figures(home), postings(home)
    assert files
    assert before[day(1), "team", "nlp"] == 12

    moves = f"jane,nlp,,{day(3)}\njane,vision,{day(3)},\n"
    say(home, memberships=MEMBERSHIPS.replace("jane,nlp,,\n", moves))
    assert night(home) == 0
    assert moved(before, figures(home)) == {
        (day(number), "team", team): cost
        for number in (3, 4)
        for team, cost in {"nlp": Decimal(-8), "vision": Decimal(8)}.items()
    }
    assert postings(home) == files


def test_leavers_keep_their_past_and_service_accounts_are_their_teams(home: Path) -> None:
    night(home)
    before = figures(home)
    accounts = f"nightly-ci,CI,nlp,,{day(2)}\nnightly-ci,CI,vision,{day(2)},\n"
    say(
        home,
        people=PEOPLE.format(f"{JOE}{day(4)}"),
        accounts=f"account,account_name,team,valid_from,valid_to\n{accounts}",
        aliases="alias,user_id\njdoe,jane\nci-runner,nightly-ci\n",
    )
    assert night(home) == 0
    after = figures(home)
    assert {key[0]: cost for key, cost in after.items() if key[2] == "nightly-ci"} == {
        day(number): 2 for number in (1, 2, 3, 4)
    }
    assert {key: by for key, by in moved(before, after).items() if key[1] == "team"} == {
        (day(1), "team", "nlp"): 2,
        (day(1), "team", "unattributed"): -2,
        **{(day(number), "team", "vision"): 2 for number in (2, 3, 4)},
        **{(day(number), "team", "unattributed"): -2 for number in (2, 3)},
        (day(4), "team", "nlp"): -4,
        (day(4), "team", "unattributed"): 4 - 2,
    }
    assert after[day(4), "user", "joe"] == 4
    contacts = json.loads((home / "state" / "contacts.json").read_text(encoding="utf-8"))
    assert [(row["user_id"], row["team"]) for row in contacts] == [("jane", "nlp")]


def test_keycloak_moves_people_without_attributing_a_day_anew(home: Path) -> None:
    """Two listings of one day: the later counts. The files of people go on beside it."""
    sso = Sso()
    sso.add("jane", "/teams/vision")
    sso.add("mallory", "/teams/nlp", attributes={"sudo": ["ci-runner"]})
    config = CONFIG + (
        '[connectors.keycloak]\nrealm = "acme labs"\nclient_secret_env = "SSO_SECRET"\n'
        'alias_attributes = ["sudo"]\n'
    )
    with serving(sso):
        text = f'{config}root = "{sso.address}"\n'
        (home / "mlspend.toml").write_text(text, encoding="utf-8")
        say(home, memberships="user_id,team\njoe,nlp\n")
        assert night(home, SSO_SECRET=SECRET) == 4
        before = figures(home)
        assert [before[day(1), "team", team] for team in ("nlp", "vision")] == [4 + 2 + 1, 8]
        assert before[day(1), "user", "mallory"] == 2 + 1
        sso.members = {"/teams/nlp": ["jane"], "/teams/vision": ["mallory"]}
        assert night(home, SSO_SECRET=SECRET) == 0
        after = figures(home)
        assert [after[day(1), "team", team] for team in ("nlp", "vision")] == [8 + 4, 2 + 1]
    left = [path for path in (home / "state").rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in path.read_bytes() for path in left)
