"""A night tells of records that are odd but ordinary, a line for each kind, and goes on."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from queries.generation import newest_generation
from queries.read import open_generation
from tests.connectors.mlflow_nights import HOUR, Store
from tests.jobs.nights import FOCUS, run
from tests.jobs.test_focus_machine_night import HEADER, MACHINE

if TYPE_CHECKING:
    from pathlib import Path

DAYS = ("2026-10-01", "2026-10-02", "2026-10-03")
RUNS = """native_id,status,started_at,ended_at,user_raw
fit,succeeded,2026-10-01T02:00:00Z,2026-10-01T03:00:00Z,ada
old,lost,2026-09-01T02:00:00Z,2026-09-01T03:00:00Z,
dead,lost,2026-10-01T02:00:00Z,2026-10-01T03:00:00Z,stranger
ddd,lost,2026-10-02T02:00:00Z,2026-10-02T03:00:00Z,ada
"""
CONFIG = f"""{FOCUS}
[connectors.runs_file]
root = "runs"
[connectors.opencost]
root = "pods"
[connectors.identities]
root = "identities.toml"
"""
PEOPLE = '[[people]]\nid = "ada"\nname = "Ada"\n'
LOST = (
    'note: runs_file: 2 runs are lost, without a word of the end (such as "ddd"): what shows no '
    "sign of life is over; end it in the tracker\n"
)
UNKNOWN = (
    'note: runs_file: 1 name belongs to nobody known (such as "stranger"): an alias mends each; '
    "`mlspend sql --named unknown_names` lists them\n"
)
NOWHERE = (
    "note: telemetry: 2 pods ran on a node that is on no bill (such as ghost-node of cluster lab): "
    "what they held costs nothing; add the bill of the machine, or a rate card\n"
)


def machine_on(day: str) -> str:
    hour = f"USD,2026-10-01T00:00:00Z,{day}T02:00:00Z,{day}T03:00:00Z,Usage"
    return f"4,4,{hour},COMPUTE,Compute,Oracle,Oracle,{MACHINE},8,OCPU Hours\n"


def held(day: str, node: str, pod: str, provider_id: str = "") -> dict[str, object]:
    window = {"start": f"{day}T02:00:00Z", "end": f"{day}T03:00:00Z"}
    facts = {"cluster": "lab", "node": node, "namespace": "ml", "pod": pod, "container": "main"}
    hours = {"cpuCoreHours": 2.0, "gpuHours": 0.0, "ramByteHours": 1e9}
    return {
        "properties": {**facts, "providerID": provider_id},
        "window": window,
        **window,
        **hours,
    }


def write_pods(home: Path, day: str, *pods: dict[str, object]) -> None:
    data = [{str(number): pod for number, pod in enumerate(pods)}]
    text = json.dumps({"code": 200, "data": data})
    (home / "pods").mkdir(exist_ok=True)
    (home / "pods" / f"{day}.json").write_text(text, encoding="utf-8")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a machine's bill of three days, runs, people and pods."""
    files = {
        "bills/2026-10.csv": HEADER + "".join(machine_on(day) for day in DAYS),
        "runs/runs.csv": RUNS,
        "identities.toml": PEOPLE,
        "mlspend.toml": CONFIG,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    known = [held(DAYS[1], "node-1", "p0", MACHINE), held(DAYS[1], MACHINE.upper(), "p0")]
    write_pods(tmp_path, DAYS[1], *known, *(held(DAYS[1], "ghost-node", p) for p in ("p1", "p2")))
    return tmp_path


def test_each_kind_of_odd_record_is_told_once_and_is_no_problem(home: Path) -> None:
    night = run(home)
    assert night.returncode == 0, night.stderr
    assert [line for line in night.stderr.splitlines(keepends=True) if "note: " in line] == [
        LOST,
        UNKNOWN,
        NOWHERE,
    ]
    assert "note: " not in run(home).stderr


def test_a_node_of_a_day_whose_bill_is_not_whole_yet_is_not_told(home: Path) -> None:
    write_pods(home, DAYS[1], held(DAYS[1], "node-1", "p0", MACHINE))
    write_pods(home, DAYS[2], held(DAYS[2], "ghost-node", "p1"))
    assert "ghost-node" not in run(home).stderr


def test_a_name_that_is_nobodys_to_see_is_not_told(home: Path) -> None:
    (home / "mlspend.toml").write_text(CONFIG + '[privacy]\npeople = "teams"\n', encoding="utf-8")
    night = run(home)
    assert "1 name belongs to nobody known" in night.stderr, night.stderr
    assert "stranger" not in night.stderr


def test_a_run_that_ended_before_it_began_lasts_until_its_last_sign_of_life(home: Path) -> None:
    begun = int(datetime(2026, 10, 2, 4, tzinfo=UTC).timestamp() * 1000)
    with closing((store := Store(home / "mlflow.db")).connection):
        store.run("r1", begun, begun - HOUR, finops__user="ada")
        store.run("r2", begun, begun, finops__user="ada")
        store.run("r3", begun + HOUR, begun, finops__user="ada")
        store.metric("r3", begun + 3 * HOUR)
    (home / "mlspend.toml").write_text(
        CONFIG + '[connectors.mlflow]\nroot = "mlflow.db"\n', encoding="utf-8"
    )
    night = run(home)
    assert night.returncode == 0, night.stderr
    assert (
        'note: mlflow: 2 runs ended before they began (such as "r3"): such a run lasts until its '
        "last sign of life, if that is later; set the clocks of the machines that log\n"
    ) in night.stderr
    with open_generation(newest_generation(home / "state")) as con:
        spans = con.execute(
            "select native_id, duration_hours from marts.runs where source = 'mlflow'"
        ).fetchall()
    assert sorted(spans) == [("r1", 0), ("r2", 0), ("r3", 2)]


def test_nothing_is_told_where_all_is_in_order(home: Path) -> None:
    write_pods(home, DAYS[1], held(DAYS[1], "node-1", "p0", MACHINE))
    lines = [line for line in RUNS.splitlines() if ",lost,2026-10" not in line]
    (home / "runs" / "runs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    night = run(home)
    assert night.returncode == 0, night.stderr
    assert "note: " not in night.stderr
