"""Claims of what nobody owned, and what a change would move before it goes live."""

from __future__ import annotations

import json
import shutil
import sqlite3
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from queries.generation import newest_generation
from queries.read import open_generation
from tests.jobs.nights import FOCUS, HEADER, run

if TYPE_CHECKING:
    from pathlib import Path

LINE = (
    "{cost},{cost},{cost},{cost},USD,111,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,"
    "2026-10-0{day}T00:00:00Z,2026-10-0{next}T00:00:00Z,Usage,Usage-Based,"
    "Some Service,Compute,AWS,{name},{tags}\n"
)
VISION = '"{""team"": ""vision""}"'


@pytest.fixture(scope="module")
def after_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a company after a night: box-1 is vision's, box-2 nobody's."""
    home = tmp_path_factory.mktemp("one")
    rows = [
        LINE.format(cost=cost, day=day, next=day + 1, name=name, tags=tags)
        for day in (1, 2)
        for cost, name, tags in (("1", "box-1", VISION), ("4", "box-2", "{}"))
    ]
    (home / "bills").mkdir()
    (home / "bills" / "2026-10.csv").write_text(HEADER + "".join(rows), encoding="utf-8")
    (home / "mlspend.toml").write_text(FOCUS, encoding="utf-8")
    done(home)
    return home


@pytest.fixture
def home(after_one: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return shutil.copytree(after_one, tmp_path / "home")


def done(home: Path, *args: str) -> str:
    """Run a command that ends well, a night where none is given; return what it prints."""
    ended = run(home, *args)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def teams(home: Path) -> dict[str, Decimal]:
    """Return team -> cost, as the newest generation has it."""
    with open_generation(newest_generation(home / "state")) as con:
        rows = con.execute(
            "select member, sum(effective_cost) from marts.spend_daily "
            "where dimension = 'team' group by member"
        ).fetchall()
    return dict(rows)


def test_a_claim_takes_what_nobody_owned_and_leaves_a_trail(home: Path) -> None:
    assert teams(home) == {"vision": 2, "unattributed": 8}

    said = done(home, "claim", "add", "--team", "nlp", "--resource-id", "box-*", "--why", "ours")
    assert said == "claim 1 counts from the next build on\n"
    assert teams(home) == {"vision": 2, "unattributed": 8}
    done(home)
    assert teams(home) == {"vision": 2, "nlp": 8}
    with open_generation(newest_generation(home / "state")) as con:
        rules = con.execute("select distinct rule_id from marts.coverage where dimension = 'team'")
        assert {row[0] for row in rules.fetchall()} >= {"claim 1"}

    done(home, "claim", "withdraw", "1", "--why", "a mistake")
    done(home)
    assert teams(home) == {"vision": 2, "unattributed": 8}
    (row,) = json.loads(done(home, "claim", "--json"))
    assert (row["why"], row["withdrawn_why"]) == ("ours", "a mistake")
    assert row["made_by"] == row["withdrawn_by"]
    assert "ours" in done(home, "claim")
    again = run(home, "claim", "withdraw", "1", "--why", "again")
    assert (again.returncode, "no claim 1 is in force" in again.stderr) == (1, True)


def test_a_claim_holds_for_its_days(home: Path) -> None:
    given = ["claim", "add", "--team", "nlp", "--resource-id", "box-2", "--why", "lent"]
    done(home, *given, "--from", "2026-10-02")
    done(home)
    assert teams(home) == {"vision": 2, "nlp": 4, "unattributed": 4}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--resource-id", "x"], "give --team, --user or --project"),
        (["--team", "nlp"], "a claim is of something"),
        (["--team", "nlp", "--tag", "x"], "write KEY=GLOB"),
        (
            ["--team", "a", "--tag", "b=c", "--from", "2026-10-02", "--until", "2026-10-02"],
            "is not after",
        ),
    ],
)
def test_a_claim_that_says_nothing_is_refused(home: Path, args: list[str], said: str) -> None:
    ended = run(home, "claim", "add", "--why", "x", *args)
    assert (ended.returncode, said in ended.stderr) == (2, True)
    assert json.loads(done(home, "claim", "--json")) == []


def test_a_claim_of_a_team_that_nobody_knows_names_the_nearest(home: Path) -> None:
    given = ["--resource-id", "box-2", "--why", "ours"]
    ended = run(home, "claim", "add", "--team", "visoin", *given)
    assert ended.returncode == 0
    assert 'the team "visoin" has had no cost so far; did you mean "vision"?' in ended.stderr
    assert run(home, "claim", "add", "--team", "vision", *given).stderr == ""


def test_a_config_file_before_a_subcommand_is_the_subcommands(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mlspend.toml").write_text(FOCUS, encoding="utf-8")
    file = str(home / "mlspend.toml")
    given = ["add", "--team", "vision", "--resource-id", "box-2", "--why", "ours"]
    assert done(elsewhere, "claim", "--config", file, *given).startswith("claim 1 ")
    assert done(elsewhere, "claim", "--config", "nothing", given[0], "--config", file, *given[1:])
    assert len(json.loads(done(home, "claim", "--json"))) == 2
    assert not (elsewhere / "state").exists()


def moved(text: str) -> list[tuple[object, ...]]:
    """Return the moves in an answer: dimension, member, before, after."""
    rows = json.loads(text)
    assert all(Decimal(r["after"]) - Decimal(r["before"]) == Decimal(r["change"]) for r in rows)
    return [
        (r["dimension"], r["member"], Decimal(r["before"]), Decimal(r["after"]))
        for r in rows
        if r["dimension"] == "team"
    ]


def test_what_a_change_would_move_is_shown_and_nothing_is_published(home: Path) -> None:
    newest = newest_generation(home / "state")
    assert done(home, "build", "--compare-to", "newest") == "no figure would move\n"

    (home / "mlspend.toml").write_text(FOCUS + '[attribution]\nteam_tags = ["squad"]\n', "utf-8")
    answer = done(home, "build", "--compare-to", newest.stem.lstrip("0"), "--json")
    assert moved(answer) == [("team", "unattributed", 8, 10), ("team", "vision", 2, 0)]
    assert "vision" in done(home, "build", "--compare-to", "newest")

    rules = home / "draft.toml"
    rules.write_text(
        '[[rules]]\nid = "a"\nwhen = { resource_id = "box-2" }\nteam = "nlp"\n', "utf-8"
    )
    (home / "mlspend.toml").write_text(FOCUS, encoding="utf-8")
    answer = done(home, "build", "--compare-to", "newest", "--rules", "draft.toml", "--json")
    assert moved(answer) == [("team", "nlp", 0, 8), ("team", "unattributed", 8, 0)]

    given = ["claim", "add", "--team", "nlp", "--resource-id", "box-2", "--why", "x", "--dry-run"]
    assert "unattributed" in done(home, *given)
    assert json.loads(done(home, "claim", "--json")) == []
    assert newest_generation(home / "state") == newest
    assert teams(home) == {"vision": 2, "unattributed": 8}
    done(home)
    assert newest_generation(home / "state") == newest


def test_a_comparison_says_what_it_cannot_compare(home: Path) -> None:
    ended = run(home, "build", "--compare-to", "77")
    assert (ended.returncode, "there is no generation 77" in ended.stderr) == (1, True)
    (home / "draft.toml").write_text("rules = 3", encoding="utf-8")
    ended = run(home, "build", "--compare-to", "newest", "--rules", "draft.toml")
    assert (ended.returncode, "draft.toml" in ended.stderr) == (1, True)
    assert run(home, "build", "--json").returncode == 2


def test_a_claim_is_kept_in_the_journal_alone(home: Path) -> None:
    done(home, "claim", "add", "--team", "nlp", "--tag", "squad=n*", "--why", "x")
    with sqlite3.connect(home / "state" / "journal.sqlite") as con:
        row = con.execute("select team, match_tag_key, match_tag_value from claims").fetchone()
    assert row == ("nlp", "squad", "n*")
