"""The gate: fast, one sentence, and two askers at once never both take the last room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.journal import Journal
from jobs.journal.reservations import Reservation, Reservations
from jobs.quotas.gate import Answer, Request, answer_to, ask_gate, price_of
from tests.jobs.nights import loading
from tests.jobs.standings import GATE, NOW, days_ago, row, rule, standings

ROOT = Path(__file__).parents[2]


def request(gpus: int | str = 8, hours: int | str = 2, **members: str) -> Request:
    """Return a request, of vision where nobody is named."""
    return Request(members or {"team": "vision"}, Decimal(gpus), Decimal(hours))


def ask(found: Any, asked: Request, reserved: list[Reservation] | None = None) -> Answer:
    """Ask the gate without a journal."""
    return answer_to(asked, found, reserved or [], NOW)


def reserved(cost: str, **members: str) -> Reservation:
    """Return something that was let through."""
    return Reservation(
        members or {"team": "vision"}, Decimal(1), Decimal(1), Decimal(1), {"USD": Decimal(cost)}
    )


def test_what_fits_is_allowed_at_the_teams_own_price() -> None:
    answer = ask(standings({"vision": 50}), request())
    assert (answer.verdict, answer.exit_code, answer.costs) == ("allow", 0, {"USD": Decimal(40)})
    assert answer.reason == (
        "allowed: 50.00 used + 40.00 for this is within the 100.00 USD of team vision (quota month)"
    )


def test_the_last_unit_fits_and_the_next_does_not() -> None:
    assert ask(standings({"vision": "60"}), request()).verdict == "allow"
    answer = ask(standings({"vision": "60.000000000001"}), request())
    assert (answer.verdict, answer.exit_code) == ("deny", 3)
    assert "is more than the 100.00 USD" in answer.reason


def test_what_was_let_through_counts_for_its_own_team_only() -> None:
    found = standings({"vision": 50})
    assert ask(found, request(), [reserved("11")]).verdict == "deny"
    assert ask(found, request(), [reserved("11", team="speech")]).verdict == "allow"


def test_a_team_that_held_no_gpu_pays_what_the_others_do() -> None:
    found = standings({"vision": 0}, members={"team": ("new", "vision")})
    everybodys = Decimal(850) / Decimal(500)
    assert price_of(found, request(team="new"), "USD") == everybodys
    assert ask(found, request(team="new")).costs == {"USD": 16 * everybodys}


def test_a_gpu_class_has_its_own_price() -> None:
    asked = replace(request(team="speech"), gpu_class="t4")
    assert price_of(standings({}), asked, "USD") == Decimal("0.5")
    answer = ask(standings({"speech": 0}), replace(asked, gpu_class="H100"))
    assert (answer.verdict, answer.exit_code) == ("unknown", 4)
    assert "known are A100, T4" in answer.reason


def test_where_nothing_is_left_no_price_is_needed() -> None:
    found = standings({"vision": 100}, prices=())
    assert ask(found, request()).verdict == "deny"
    assert ask(standings({"vision": 99}, prices=()), request()).verdict == "unknown"


@pytest.mark.parametrize(("on_unknown", "code"), [("say", 4), ("allow", 0), ("deny", 3)])
def test_what_nobody_can_know_is_as_configured(on_unknown: str, code: int) -> None:
    found = standings({"vision": 1}, as_of=days_ago(9), gate={**GATE, "on_unknown": on_unknown})
    answer = ask(found, request())
    assert (answer.verdict, answer.exit_code) == ("unknown", code)
    assert "9 whole days ago" in answer.reason


def test_a_misspelt_team_is_unknown_not_free() -> None:
    answer = ask(standings({"vision": 1}), request(team="visoin"))
    assert answer.verdict == "unknown"
    assert 'did you mean "vision"?' in answer.reason


def test_only_quotas_that_stop_work_deny_it() -> None:
    found = standings({"vision": 99}, rules=(rule(thresholds=((Decimal(1), "mail"),)),))
    answer = ask(found, request())
    assert (answer.verdict, answer.rooms) == ("allow", ())


def test_gpu_hours_need_no_price() -> None:
    hours = rule(measure="gpu_hours", billing_currency=None, limit_amount=Decimal(20))
    found = standings(
        {}, rules=(hours,), rows=(row("vision", 5, billing_currency=None),), prices=()
    )
    assert ask(found, request(8, "1.875")).verdict == "allow"
    assert ask(found, request(8, 2)).verdict == "deny"


def test_a_month_that_has_just_begun_is_empty() -> None:
    found = standings({"vision": 100}, gate={**GATE, "max_data_days": 30})
    later = NOW.replace(month=12, day=1)
    assert answer_to(request(), found, [], later).verdict == "allow"


def test_every_quota_that_concerns_it_is_asked() -> None:
    own = rule("ada", dimension="user", member="ada", limit_amount=Decimal(10))
    found = standings({"vision": 0}, rules=(rule(), own))
    found = replace(found, members={**found.members, "user": ("ada",)})
    assert ask(found, request()).verdict == "allow"
    answer = ask(found, request(team="vision", user="ada"))
    assert answer.verdict == "deny"
    assert "user ada" in answer.reason
    assert len(json.loads(answer.as_json())["quotas"]) == 2


@settings(max_examples=200, deadline=None)
@given(
    used=st.integers(0, 150),
    taken=st.lists(st.integers(1, 60), max_size=4),
    gpus=st.integers(1, 64),
    hours=st.integers(1, 48),
)
def test_whatever_is_let_through_fits_with_all_that_was(
    used: int, taken: list[int], gpus: int, hours: int
) -> None:
    """An allowed request never takes used and reserved past the limit; a denied one would."""
    others = [reserved(str(cost)) for cost in taken]
    answer = ask(standings({"vision": used}), request(gpus, hours), others)
    needed = Decimal(gpus * hours) * Decimal("2.5")
    assert (answer.verdict == "allow") == (used + sum(taken) + needed <= 100)


# --- With a state folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state folder whose newest generation has vision at 50 of 100 USD, by yesterday."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    folder = tmp_path / "state"
    for name in ("generations", "quotas"):
        (folder / name).mkdir(parents=True)
    (folder / "generations" / "current").write_text("000007", encoding="ascii")
    table = {
        "generation": "000007",
        "as_of": yesterday.isoformat(),
        "open_books": 0,
        "rows": [_row(yesterday)],
        "prices": [["vision", "A100", "USD", "100", "250"]],
        "tables": [],
        "members": {"team": ["vision"]},
        "rules": [
            {
                "name": "month",
                "dimension": "team",
                "member": "*",
                "measure": "effective_cost",
                "window": "30 days",
                "limit_amount": "100",
                "billing_currency": "USD",
                "thresholds": [["1", "enforce"]],
            }
        ],
        "gate": GATE,
        "teams": {"ana": "vision"},
    }
    (folder / "quotas" / "000007.json").write_text(json.dumps(table), encoding="utf-8")
    (tmp_path / "mlspend.toml").write_text('state_dir = "state"\n', encoding="utf-8")
    return folder


def _row(day: date) -> list[object]:
    start, end = day - timedelta(days=29), day + timedelta(days=1)
    about = [
        "month",
        "team",
        "vision",
        "effective_cost",
        "days",
        start.isoformat(),
        end.isoformat(),
    ]
    return [*about, "100", "50", None, "USD", "0", "ok"]


def test_what_is_let_through_is_reserved_until_the_bill_shows_it(state: Path) -> None:
    assert ask_gate(state, request()).verdict == "allow"
    second = ask_gate(state, request())
    assert second.verdict == "deny"
    assert "50.00 used + 40.00 reserved + 40.00 for this is more" in second.reason
    with Journal(state / "journal.sqlite") as journal:
        at = datetime.now(UTC).replace(tzinfo=None)
        reservations = Reservations(journal)
        assert len(reservations.open(at + timedelta(hours=49.9))) == 1
        assert reservations.open(at + timedelta(hours=50.1)) == []


def test_who_names_no_team_asks_for_the_one_they_are_in(state: Path) -> None:
    first = ask_gate(state, request(user="ana"))
    assert (first.verdict, [room.member for room in first.rooms]) == ("allow", ["vision"])
    assert ask_gate(state, request(user="ana")).verdict == "deny"
    assert ask_gate(state, request()).verdict == "deny"  # the team's own room is taken
    other = ask_gate(state, request(user="ana", team="speech"))
    assert "vision" not in other.reason
    assert ask_gate(state, request(user="nobody")).rooms == ()


def test_of_many_at_once_only_those_that_fit_are_let_through(state: Path) -> None:
    def one(_: int) -> str:
        return ask_gate(state, request(1, 2)).verdict  # 5 USD each, room for ten

    with ThreadPoolExecutor(16) as pool:
        verdicts = list(pool.map(one, range(40)))
    assert verdicts.count("allow") == 10
    assert verdicts.count("deny") == 30


def run(state: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the gate in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "gate", *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=state.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_two_processes_at_once_cannot_both_take_the_last_room(state: Path) -> None:
    args = ("--team", "vision", "--gpus", "8", "--hours", "2")
    with ThreadPoolExecutor(6) as pool:
        codes = list(pool.map(lambda _: run(state, *args).returncode, range(6)))
    assert sorted(codes) == [0, 3, 3, 3, 3, 3]


def test_the_command_answers_in_words_and_in_json(state: Path) -> None:
    done = run(state, "--team", "vision", "--gpus", "8", "--hours", "2", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"], told["estimate"]) == (
        0,
        "allow",
        {"USD": "40.000000000000"},
    )
    assert run(state, "--team", "vision", "--gpus", "8", "--hours", "2").stdout.startswith("denied")


@pytest.mark.parametrize(
    "args",
    [
        ("--gpus", "8", "--hours", "2"),
        ("--team", "vision", "--gpus", "0", "--hours", "2"),
        ("--team", "vision", "--gpus", "nan", "--hours", "2"),
        ("--team", "vision", "--gpus", "8", "--hours", "1e99"),
        ("--team", "vision", "--gpus", "eight", "--hours", "2"),
        ("--team", "vision", "--gpus", "8"),
    ],
)
def test_a_question_that_makes_no_sense_is_misuse(state: Path, args: tuple[str, ...]) -> None:
    assert run(state, *args).returncode == 2
    assert not (state / "journal.sqlite").exists()


def test_before_the_first_night_nobody_knows(tmp_path: Path) -> None:
    answer = ask_gate(tmp_path, request())
    assert (answer.verdict, answer.exit_code) == ("unknown", 4)


def test_a_journal_that_is_busy_or_broken_is_unknown(state: Path) -> None:
    (state / "journal.sqlite").write_bytes(b"no journal at all" * 100)
    answer = ask_gate(state, request())
    assert (answer.verdict, answer.exit_code) == ("unknown", 4)
    assert "journal" in answer.reason


def test_the_gate_loads_neither_the_warehouse_nor_the_config_reader(state: Path) -> None:
    heavy = {"pydantic", "polars", "duckdb", "sqlglot", "kubernetes", "httpx2", "jinja2"}
    done = loading(state.parent, heavy, "gate", "--team", "vision", "--gpus", "8", "--hours", "2")
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_answer_takes_little_of_a_processor(state: Path) -> None:
    def cpu(*args: str) -> float:
        before = os.times()
        subprocess.run(
            [sys.executable, "-P", *args],
            check=False,
            cwd=state.parent,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        after = os.times()
        return after[2] + after[3] - before[2] - before[3]

    gate = ("-m", "jobs.cli", "gate", "--team", "vision", "--gpus", "1", "--hours", "1")
    assert (
        median(cpu(*gate) for _ in range(7)) <= 0.3
    )  # on a busy machine; alone it is a third of it
