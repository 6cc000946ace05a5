"""The demo company's nights under each way of showing people: who is found, what adds up."""

from __future__ import annotations

import csv
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from jobs.config import read_config
from jobs.demo.people import NOBODY
from jobs.privacy import KEY_FILE, read_key, visible_to
from queries import ModelError
from queries.generation import newest_generation
from queries.read import open_generation

ROOT = Path(__file__).parents[2]
SETTINGS = """
[privacy]
people = "{people}"

[[privacy.audiences]]
name = "vision"
teams = ["vision"]
recipients = ["alma.quillfern", "Bram.Ostermoor@lumenfold.example"]

[[privacy.audiences]]
name = "vision-alone"
teams = ["vision"]
others = "nothing"

[[privacy.audiences]]
name = "finance"
people = "teams"
dimensions = ["team", "project"]
"""
TOTALS = (
    "select dimension, billing_currency, charge_date, cost_kind, sum(effective_cost), "
    "sum(billed_cost), sum(gpu_hours) from marts.spend_daily group by all order by all"
)


@dataclass(frozen=True)
class Company:
    """The demo company, after a night."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def rows(self, query: str, audience: str = "") -> list[tuple[object, ...]]:
        """Return what the newest generation answers, or an audience's file of it."""
        with open_generation(newest_generation(self.state, audience)) as con:
            return con.execute(query).fetchall()

    def people(self, team: str | None = None) -> set[str]:
        """Return everything that identifies somebody, or all but the people of a team."""
        own = {row["user_id"] for row in self.file("memberships") if team and row["team"] == team}
        found = set() if team else {NOBODY}
        for file in ("people", "aliases"):
            for row in self.file(file):
                if row["user_id"] not in own:
                    found |= {value.lower() for key, value in row.items() if key in _IDENTIFYING}
        return found - {""}

    def file(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a file about people."""
        with (self.folder / "identities" / f"{name}.csv").open(encoding="utf-8") as lines:
            return list(csv.DictReader(lines))

    def night(self, settings: str, into: Path) -> Company:
        """Run another night under other settings, on a copy of the company."""
        shutil.copytree(self.folder, into)
        config = into / "config.toml"
        config.write_text(config.read_text(encoding="utf-8") + settings, encoding="utf-8")
        Company(into).run("nightly")
        return Company(into)

    def run(self, command: str, *more: str) -> str:
        """Run a command on the company; return what it says."""
        config = str(self.folder / "config.toml")
        return subprocess.run(
            [sys.executable, "-P", "-m", "jobs.cli", command, *more, "--config", config],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ).stdout


_IDENTIFYING = ("user_id", "user_name", "email", "alias")


def texts_in(database: Path) -> str:
    """Return every text of a database, and the bytes of its file."""
    with open_generation(database) as con:
        columns = con.execute(
            "select table_name, column_name from information_schema.columns "
            "where data_type = 'VARCHAR' and table_schema = 'marts'"
        ).fetchall()
        found = [
            str(row[0])
            for table, column in columns
            for row in con.execute(f'select distinct "{column}" from marts.{table}').fetchall()
        ]
        comments = con.execute("select comment from duckdb_columns()").fetchall()
    return "\n".join([*found, *map(str, comments), database.read_bytes().decode("latin-1")])


def found_in(folder: Path, people: set[str]) -> dict[str, set[str]]:
    """Return the files below a folder that hold somebody -> whom."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and "mails" not in path.parts:
            text = texts_in(path) if path.suffix == ".duckdb" else path.read_text("latin-1")
            text = f"{path.name}\n{text}".lower()
            if inside := {one for one in people if one in text}:
                found[path.name] = inside
    return found


@pytest.fixture(scope="module")
def named(demo: Path) -> Company:
    """Return the company after a night with the default settings."""
    return Company(demo)


@pytest.fixture(scope="module")
def pseudonymous(named: Company, tmp_path_factory: pytest.TempPathFactory) -> Company:
    folder = tmp_path_factory.mktemp("pseudonyms") / "company"
    return named.night(SETTINGS.format(people="pseudonyms"), folder)


@pytest.fixture(scope="module")
def teams_only(named: Company, tmp_path_factory: pytest.TempPathFactory) -> Company:
    folder = tmp_path_factory.mktemp("teams") / "company"
    return named.night('\n[privacy]\npeople = "teams"\n', folder)


def test_the_names_are_there_to_be_found_by_default(named: Company) -> None:
    people = named.people()
    assert len(people) > 200
    assert found_in(named.state / "generations", people)
    assert found_in(named.state / "reports", people)


def test_nobody_is_found_where_people_have_pseudonyms(pseudonymous: Company) -> None:
    people, state = pseudonymous.people(), pseudonymous.state
    audiences = {"000002.vision.duckdb", "000002.vision-alone.duckdb"}
    found = found_in(state / "generations", people)
    assert found.keys() == audiences
    for site in state.joinpath("reports").glob("[0-9]*"):
        assert found_in(site, people) == {}


def test_nobody_is_found_where_people_are_their_teams(teams_only: Company) -> None:
    assert found_in(teams_only.state / "generations", teams_only.people()) == {}
    assert found_in(teams_only.state / "reports", teams_only.people()) == {}
    members = {
        str(member)
        for (member,) in teams_only.rows(
            "select distinct member from marts.spend_daily where dimension = 'user'"
        )
    }
    assert "(someone in vision)" in members
    assert all(member.startswith("(") or member == "unattributed" for member in members)


def test_a_digest_names_nobody_but_its_reader(pseudonymous: Company, teams_only: Company) -> None:
    for company in (pseudonymous, teams_only):
        people = company.people()
        digests = list(company.state.glob("reports/*/mails/*.html"))
        assert len(digests) > 40
        by_name = ("alma-quillfern", "bram-ostermoor")  # their audience sees names
        for path in digests:
            if company is pseudonymous and any(name in path.name for name in by_name):
                continue
            before, _, rest = path.read_text(encoding="utf-8").lower().partition(", for ")
            text = before + rest.partition("</p>")[2]
            assert {one for one in people if one in text} == set(), path.name


def test_an_older_generation_that_shows_more_goes_at_once(pseudonymous: Company) -> None:
    assert not (pseudonymous.state / "generations" / "000001.duckdb").exists()


def test_totals_stay_exact_however_people_are_shown(
    named: Company, pseudonymous: Company, teams_only: Company
) -> None:
    totals = named.rows(TOTALS)
    assert len(totals) > 1000
    assert pseudonymous.rows(TOTALS) == totals
    assert teams_only.rows(TOTALS) == totals
    assert pseudonymous.rows(TOTALS, "vision") == totals
    seen = [row for row in totals if row[0] in ("team", "project")]
    assert pseudonymous.rows(TOTALS, "finance") == seen
    for audience in ("", "vision", "finance"):
        assert pseudonymous.rows(
            "select count(*) from marts.books where difference <> 0", audience
        ) == [(0,)]


def test_pseudonyms_share_out_the_cost_as_names_do(named: Company, pseudonymous: Company) -> None:
    by_member = (
        "select billing_currency, sum(effective_cost) as cost, sum(gpu_hours) as hours "
        "from marts.spend_daily where dimension = 'user' group by member, billing_currency "
        "order by all"
    )
    assert pseudonymous.rows(by_member) == named.rows(by_member)


def test_an_audience_has_the_figures_of_all_for_what_it_may_see_and_nothing_else(
    named: Company, pseudonymous: Company
) -> None:
    own = (
        "select * from marts.spend_daily where (dimension = 'team' and member = 'vision') or "
        "(dimension = 'user' and member in (select member from marts.members where "
        "dimension = 'user' and team = 'vision')) order by all"
    )
    for audience in ("vision", "vision-alone"):
        assert pseudonymous.rows(own, audience) == named.rows(own)
        runs = "select * from marts.runs where team = 'vision' order by all"
        assert pseudonymous.rows("select distinct team from marts.runs", audience) == [("vision",)]
        figures = "select run_id, effective_cost, gpu_hours from (" + runs + ") order by all"
        assert pseudonymous.rows(figures, audience) == named.rows(figures)
        database = newest_generation(pseudonymous.state, audience)
        text = texts_in(database).lower()
        assert {one for one in named.people("vision") if one in text} == set()
        site = pseudonymous.state / "reports" / "audiences" / audience
        assert (found := found_in(site, named.people("vision"))) == {}, found
    others = pseudonymous.rows(
        "select distinct dimension, member from marts.spend_daily order by all", "vision-alone"
    )
    assert ("team", "vision") in others
    assert not any(member in ("language", "(idle)", "unattributed") for _, member in others)
    assert pseudonymous.rows("select count(*) from marts.books", "vision-alone") == [(0,)]


def test_every_audience_has_a_site_and_figures_by_day(
    named: Company, pseudonymous: Company
) -> None:
    """What a limited audience may not see must not take the days away that reports ask for."""
    days = "select * from marts.covered_days"
    for audience in ("vision", "vision-alone", "finance"):
        assert pseudonymous.rows(days, audience) == named.rows(days)
        reports = pseudonymous.state / "reports" / "audiences" / audience
        assert list(reports.glob("*/index.html"))
        answer = pseudonymous.run(
            "sql", "--csv", "--audience", audience, "--named", "leaderboard", "-p", "dimension=team"
        )
        (row,) = [
            row
            for row in csv.DictReader(answer.splitlines())
            if (row["member"], row["billing_currency"]) == ("vision", "USD")
        ]
        asked = (
            "select cast(sum(effective_cost) as varchar) from marts.spend_daily "
            "cross join marts.covered_days where dimension = 'team' and member = 'vision' "
            "and charge_date between date_trunc('month', newest_day) and newest_day "
            "and billing_currency = 'USD'"
        )
        assert [(row["effective_cost"],)] == named.rows(asked)


def test_an_audience_without_people_has_none(pseudonymous: Company) -> None:
    database = newest_generation(pseudonymous.state, "finance")
    text = texts_in(database).lower()
    assert {one for one in pseudonymous.people() if one in text} == set()
    assert pseudonymous.rows("select distinct dimension from marts.spend_daily", "finance") in (
        [("team",), ("project",)],
        [("project",), ("team",)],
    )
    assert stat.S_IMODE(database.stat().st_mode) == 0o440


def test_an_audience_is_asked_by_its_name(pseudonymous: Company) -> None:
    question = "select count(distinct dimension) as count from marts.spend_daily"
    assert pseudonymous.run("sql", "--csv", question).split() == ["count", "6"]
    answer = pseudonymous.run("sql", "--csv", "--audience", "finance", question)
    assert answer.split() == ["count", "2"]
    with pytest.raises(ModelError, match='nothing for the audience "finanse"') as caught:
        newest_generation(pseudonymous.state, "finanse")
    assert "finance, vision, vision-alone" in caught.value.__notes__[1]


def test_the_operator_explains_a_pseudonym_or_a_name(
    named: Company, pseudonymous: Company, teams_only: Company
) -> None:
    ada = "alma.quillfern"
    config = read_config(pseudonymous.folder / "config.toml")
    code = visible_to(config, "a.stranger", "vision").person(ada, "vision")
    explained = named.run("explain", f"user={ada}", "--json")
    assert '"difference": "0' in explained
    assert pseudonymous.run("explain", f"user={code}", "--json") == explained
    assert teams_only.run("explain", f"user={ada}", "--json") == explained
    ((run,),) = named.rows("select run_id from marts.runs order by effective_cost desc limit 1")
    explained = named.run("explain", f"run={run}", "--json")
    assert teams_only.run("explain", f"run={run}", "--json") == explained


def test_an_explanation_to_pass_on_names_people_as_the_site_does(
    named: Company, pseudonymous: Company, teams_only: Company, tmp_path: Path
) -> None:
    ada = "alma.quillfern"
    config = read_config(pseudonymous.folder / "config.toml")
    code = visible_to(config, "a.stranger", "vision").person(ada, "vision")
    pages = {}
    for company, asked in ((named, ada), (pseudonymous, code), (teams_only, ada)):
        target = tmp_path / "page.html"
        company.run("explain", f"user={asked}", "--html", str(target))
        pages[company.folder] = target.read_text(encoding="utf-8")
        assert "✓ Every level adds up" in pages[company.folder]
    shown = pages[named.folder]
    assert ada in shown
    assert code in pages[pseudonymous.folder]
    for hidden in (pages[pseudonymous.folder], pages[teams_only.folder]):
        text = hidden.lower()
        assert {one for one in named.people() if one in text} == set()
        amounts = re.compile(r'class="cost">([^<]*)')
        assert amounts.findall(hidden) == amounts.findall(shown)


def test_pseudonyms_stay_the_same_and_differ_between_installations(
    pseudonymous: Company, tmp_path: Path
) -> None:
    query = (
        "select distinct member from marts.spend_daily where dimension = 'user' "
        "and member like 'person-%' order by all"
    )
    first = pseudonymous.rows(query)
    assert len(first) > 40
    later = Company(tmp_path / "later")
    shutil.copytree(pseudonymous.folder, later.folder)
    config = later.folder / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("[privacy]", "[privacy]\npersonal_days = 30000"))
    later.run("nightly")
    assert newest_generation(later.state).stem == "000003"
    assert later.rows(query) == first
    (later.state / KEY_FILE).unlink()
    later.run("nightly")
    assert not set(later.rows(query)) & set(first)


def test_the_key_is_made_once_for_its_owner_alone(pseudonymous: Company) -> None:
    config = read_config(pseudonymous.folder / "config.toml")
    path = pseudonymous.state / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(config) == read_key(config) == path.read_bytes()
    path.chmod(0o640)
    with pytest.raises(ModelError, match="others can read the key"):
        read_key(config)
    path.chmod(0o600)


def test_a_key_of_the_environment_is_long(
    pseudonymous: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (pseudonymous.folder / "config.toml").read_text(encoding="utf-8")
    path = tmp_path / "config.toml"
    path.write_text(text.replace("[privacy]", '[privacy]\nkey_env = "A_KEY"'), encoding="utf-8")
    config = read_config(path)
    monkeypatch.setenv("A_KEY", "short")
    with pytest.raises(ModelError, match=r"\$A_KEY is not set, or shorter") as caught:
        read_key(config)
    assert "short" not in str(caught.value.__notes__)
    monkeypatch.setenv("A_KEY", "k" * 32)
    assert read_key(config) == b"k" * 32


def test_mail_shows_a_recipient_an_audience_or_the_own_team(pseudonymous: Company) -> None:
    config = read_config(pseudonymous.folder / "config.toml")
    assert visible_to(config, "Alma.Quillfern", "vision").audience == "vision"
    assert visible_to(config, "bram.ostermoor@lumenfold.example", None).audience == "vision"
    own = visible_to(config, "koen.blythemere", "search")
    assert own.audience == ""
    assert own.person("koen.blythemere", "search").startswith("person-")
    assert (own.person("koen.blythemere", "search"),) in pseudonymous.rows(
        "select distinct member from marts.spend_daily where dimension = 'user'"
    )
    assert own.person("alma.quillfern", "vision") == "(someone in vision)"
    assert visible_to(config, "a.stranger", None).teams == frozenset()
