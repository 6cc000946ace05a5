"""From a bill to a stopped namespace and back, by the commands, killed where it hurts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.journal import Journal
from jobs.journal.quotas import Quotas
from queries.generation import newest_generation
from queries.read import open_generation
from tests.jobs.nights import HEADER, configure, run
from tests.servers.kubernetes_api import kubernetes_api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.kubernetes_api import Cluster, Fault

NAMESPACES = ("ml-vision", "ml-vision-dev")
DAYS = 20
STOPPED = {"requests.nvidia.com/gpu": "0"}
QUOTA = """
[[quotas]]
name = "rolling"
dimension = "team"
member = "vision"
measure = "effective_cost"
window = "30 days"
limit = 100
currency = "USD"
thresholds = [{ share = 0.5, do = "warn" }, { share = 1.0, do = "enforce" }]
"""


def newest_day() -> date:
    """Return yesterday, UTC: the bill is fresh whenever the test runs."""
    return datetime.now(UTC).date() - timedelta(days=1)


def write_bills(folder: Path, cost: str, account: str = "111") -> None:
    """Write a line a day of the team vision up to yesterday, a FOCUS file a month."""
    folder.mkdir(parents=True, exist_ok=True)
    months: dict[str, list[str]] = {}
    for number in range(DAYS):
        day = newest_day() - timedelta(days=number)
        first = day.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
        times = [f"{each}T00:00:00Z" for each in (first, after, day, day + timedelta(days=1))]
        line = f"{cost},{cost},{cost},{cost},USD,{account},{','.join(times)},Usage,Usage-Based,"
        line += 'Object Storage,Storage,AWS,bucket-1,"{""team"": ""vision""}"\n'
        months.setdefault(f"{day:%Y-%m}", []).append(line)
    for month, lines in months.items():
        (folder / f"{month}.csv").write_text(HEADER + "".join(lines), encoding="utf-8")


def settings(kubeconfig: str = "none", more: str = "") -> str:
    """Return the config file's text."""
    lever = f'[levers.kubernetes]\nkubeconfig = "{kubeconfig}"\ntimeout_seconds = 2\n'
    lever += f"namespaces = {{ vision = {json.dumps(list(NAMESPACES))} }}\n"
    return (
        '[[connectors.focus]]\nroot = "bills"\n'
        '[[connectors.focus]]\nsource = "lab"\nroot = "lab"\n'
        '[connectors.identities]\nroot = "people"\n'
        f"[enforcement]\nmax_share = 1\n{lever}{QUOTA}{more}"
    )


@pytest.fixture(scope="session")
def over(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where a night has found the team vision at 300 of 100 USD."""
    home = tmp_path_factory.mktemp("over")
    write_bills(home / "bills", "10")
    write_bills(home / "lab", "5", account="222")
    people = home / "people"
    people.mkdir()
    (people / "people.csv").write_text("user_id,user_name,email\nada,Ada,ada@acme.example\n")
    (people / "aliases.csv").write_text("alias,user_id,valid_from,valid_to\n")
    (people / "memberships.csv").write_text("user_id,team,valid_from,valid_to\nada,vision,,\n")
    configure(home, settings())
    done = run(home, "nightly")
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def home(over: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return shutil.copytree(over, tmp_path / "home")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Return a cluster with the team's namespaces."""
    with kubernetes_api(*NAMESPACES) as cluster:
        yield cluster


@pytest.fixture
def planned(home: Path, cluster: Cluster) -> Path:
    """Return the folder with a plan that reaches the cluster."""
    configure(home, settings(cluster.kubeconfig(home)))
    done = run(home, "nightly")
    assert done.returncode == 0, done.stderr
    assert "plan: 2 to stop" in done.stderr
    return home


def states(home: Path) -> set[str]:
    """Return what the journal says of the quota."""
    with Journal(home / "state" / "journal.sqlite") as journal:
        return set(Quotas(journal).states().values())


def test_the_night_says_where_quotas_stand_and_stops_nobody(home: Path) -> None:
    with open_generation(newest_generation(home / "state")) as con:
        rows = con.execute("select member, used_amount, state from marts.quotas").fetchall()
    assert rows == [("vision", Decimal(15 * DAYS), "over")]
    shown = run(home, "enforce").stdout
    assert "stop kubernetes/ml-vision, vision, until" in shown
    assert "query: select sum(effective_cost) from marts.spend_daily" in shown
    query = next(line for line in shown.splitlines() if "query:" in line).partition("query: ")[2]
    assert run(home, "sql", "--csv", query).stdout.split()[-1] == "300.000000000000"
    with Journal(home / "state" / "journal.sqlite") as journal:
        quotas = Quotas(journal)
        assert quotas.all_stops() == []
        told = [(event.threshold, event.action) for event in quotas.events()]
    assert told == [("0.5", "warn"), ("1.0", "enforce")]
    answer = json.loads(run(home, "enforce", "--json").stdout)
    assert [(step["what"], step["member"]) for step in answer["plan"]["steps"]] == [
        ("stop", "vision"),
        ("stop", "vision"),
    ]
    assert answer["plan"]["steps"][0]["causes"][0]["query"] == query
    assert (answer["nobody_is_stopped"], answer["outcomes"]) == ([], [])


def test_a_plan_is_acted_on_once_and_undone(planned: Path, cluster: Cluster) -> None:
    done = run(planned, "enforce", "--act")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": done") == 2
    assert all(cluster.hard(name) == STOPPED for name in NAMESPACES)
    assert states(planned) == {"enforced"}
    assert run(planned, "enforce", "--act").stdout == "nothing to do\n"
    assert run(planned, "nightly").returncode == 0
    assert states(planned) == {"enforced"}
    assert len(cluster.changes) == 2
    one = run(planned, "enforce", "--undo", "--only", "kubernetes/ml-vision", "--json")
    assert one.returncode == 0
    (outcome,) = json.loads(one.stdout)["outcomes"]
    assert (outcome["wish"], outcome["result"]) == ("release", "done")
    assert run(planned, "enforce", "--undo").returncode == 0
    assert cluster.objects == {}
    assert states(planned) == {"released"}
    assert run(planned, "enforce", "--undo").stdout == "nobody is stopped\n"
    assert "a person has let it go on" in run(planned, "nightly").stderr
    assert run(planned, "enforce", "--act").stdout == "nothing to do\n"
    assert cluster.objects == {}


def test_a_bill_restated_below_the_limit_lets_the_team_go(planned: Path, cluster: Cluster) -> None:
    run(planned, "enforce", "--act")
    write_bills(planned / "bills", "1")
    write_bills(planned / "lab", "1", account="222")
    assert "plan: 2 to release" in run(planned, "nightly").stderr
    assert all(cluster.hard(name) == STOPPED for name in NAMESPACES)  # until somebody acts
    assert run(planned, "enforce", "--act").returncode == 0
    assert cluster.objects == {}
    assert states(planned) == {"released"}


def test_dropping_any_input_stops_nobody(planned: Path, cluster: Cluster) -> None:
    for source in ("bills", "lab", "people"):
        (planned / source).rename(planned / "gone")
        assert run(planned, "nightly").returncode == 1
        shown = run(planned, "enforce")
        assert "nobody is stopped: tonight went wrong" in shown.stdout, source
        assert "\nstop" not in shown.stdout
        acted = run(planned, "enforce", "--act", "--json")
        assert acted.returncode == 1
        assert "went wrong" in " ".join(json.loads(acted.stdout)["nobody_is_stopped"])
        (planned / "gone").rename(planned / source)
    assert cluster.calls == []


def test_a_bill_that_cannot_be_read_stops_nobody(planned: Path, cluster: Cluster) -> None:
    (bill, *_) = sorted((planned / "bills").glob("*.csv"))
    bill.write_text(bill.read_text().replace("10,10,10,10", "ten,ten,ten,ten"))
    assert run(planned, "nightly").returncode == 1
    assert run(planned, "enforce", "--act").returncode == 1
    assert cluster.calls == []


def test_a_plan_of_yesterday_of_other_settings_or_of_a_bad_night_is_not_acted_on(
    planned: Path, cluster: Cluster
) -> None:
    (path,) = (planned / "state" / "plans").glob("*.json")
    good = path.read_text()
    table = json.loads(good)
    old = (datetime.fromisoformat(table["made_at"]) - timedelta(hours=25)).isoformat()
    for change in ({"made_at": old}, {"generation": "000099"}, {"allowed": 1}):
        path.write_text(json.dumps({**table, **change}))
        done = run(planned, "enforce", "--act")
        assert (done.returncode, cluster.calls) == (1, []), change
        assert "nobody is stopped: " in done.stdout
    path.write_text(good)
    config = (planned / "mlspend.toml").read_text()
    configure(planned, config.replace("limit = 100", "limit = 101"))
    done = run(planned, "enforce", "--act")
    assert "quotas or levers were changed since" in done.stdout
    configure(planned, config)
    with Journal(planned / "state" / "journal.sqlite") as journal:
        journal.begin_night("nightly")
    assert "it did not end" in run(planned, "enforce", "--act").stdout
    assert cluster.calls == []


def test_a_misspelt_member_is_told_with_the_nearest_and_stops_nobody(
    planned: Path, cluster: Cluster
) -> None:
    configure(planned, (planned / "mlspend.toml").read_text().replace('"vision"', '"visoin"'))
    done = run(planned, "nightly")
    assert done.returncode == 1
    assert 'quota rolling names the team "visoin", whom nothing knows; did you mean' in done.stderr
    assert run(planned, "enforce", "--act").returncode == 1
    assert cluster.calls == []


@pytest.mark.parametrize("fault", ["kill before", "kill after"])
def test_an_act_killed_at_any_call_is_finished_by_the_next_and_nothing_is_done_twice(
    planned: Path, cluster: Cluster, fault: Fault
) -> None:
    saved = planned.parent / "saved"
    shutil.copytree(planned / "state", saved)
    killed = 0
    for call in range(6):  # two targets: a look, a look and a change of each
        cluster.calls.clear()
        cluster.changes.clear()
        cluster.objects.clear()
        shutil.rmtree(planned / "state")
        shutil.copytree(saved, planned / "state")
        cluster.faults = {call: fault}
        killed += _act_to_death(planned, cluster) == -9
        cluster.faults = {}
        done = run(planned, "enforce", "--act")
        assert done.returncode == 0, done.stdout + done.stderr
        assert all(cluster.hard(name) == STOPPED for name in NAMESPACES)
        assert sorted(cluster.changes) == [("POST", name) for name in NAMESPACES], call
        assert run(planned, "enforce", "--undo").returncode == 0
        assert cluster.objects == {}
    assert killed == 6


def _act_to_death(home: Path, cluster: Cluster) -> int:
    """Act in a process that the cluster may kill; return how it ended."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "jobs.cli", "enforce", "--act"],
        cwd=home,
        stdout=subprocess.DEVNULL,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )
    cluster.caller = process.pid
    return process.wait()


def test_standings_that_a_killed_night_left_unwritten_are_written_by_the_next(home: Path) -> None:
    (path,) = (home / "state" / "quotas").glob("*.json")
    whole = json.loads(path.read_text())
    path.unlink()
    assert run(home, "gate", "--team", "vision", "--gpus", "1", "--hours", "1").returncode == 4
    done = run(home, "nightly")
    assert (done.returncode, "nothing changed" in done.stderr) == (0, True)
    assert json.loads(path.read_text())["rows"] == whole["rows"]


def test_a_lever_of_another_dimension_knows_its_members_without_a_build(home: Path) -> None:
    hook = '[levers.webhook]\nurl = "https://x"\nsecret_env = "S"\ndimension = "user"\n'
    configure(home, (home / "mlspend.toml").read_text() + hook)
    assert run(home, "nightly").returncode == 0
    (path,) = (home / "state" / "quotas").glob("*.json")
    assert "unattributed" in json.loads(path.read_text())["members"]["user"]


def test_the_gate_answers_from_what_the_night_left(home: Path) -> None:
    done = run(home, "gate", "--team", "vision", "--gpus", "8", "--hours", "12")
    assert done.returncode == 3
    assert done.stdout.startswith("denied: 300.00 used")
    of_its_member = run(home, "gate", "--user", "ada", "--gpus", "8", "--hours", "12")
    assert (of_its_member.returncode, of_its_member.stdout) == (3, done.stdout)
    assert run(home, "gate", "--team", "visoin", "--gpus", "8", "--hours", "12").returncode == 4


def test_another_limit_is_known_after_the_next_night_without_attributing_a_day(home: Path) -> None:
    config = (home / "mlspend.toml").read_text()
    configure(home, config.replace("limit = 100", "limit = 1000"))
    done = run(home, "nightly")
    assert done.returncode == 0
    assert "attribute" not in done.stderr
    assert "plan: nothing to do" in done.stderr
    with open_generation(newest_generation(home / "state")) as con:
        assert con.execute("select state from marts.quotas").fetchall() == [("ok",)]
