"""A night that knows what data a model was trained on, and what made them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.jobs.nights import HEADER, run
from tests.reports.page import read_page

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[connectors.focus]
root = "bills"
[connectors.runs_file]
root = "runs"
"""
AUDIENCE = """
[privacy]
people = "teams"
[[privacy.audiences]]
name = "vision-leads"
teams = ["vision"]
"""
RUNS = {
    "runs": "native_id,status,kind,user_raw,team_raw,started_at,ended_at\n"
    "ingest,succeeded,job,ada,platform,2026-10-01T00:00:00Z,2026-10-02T00:00:00Z\n"
    "train,succeeded,training,bob,vision,2026-10-02T00:00:00Z,2026-10-03T00:00:00Z\n"
    "ingest-again,succeeded,job,ada,platform,2026-10-04T00:00:00Z,2026-10-05T00:00:00Z\n",
    "run_places": "native_id,instance_id\n"
    "ingest,i-0abc0abc0abc0abc0\ntrain,i-0abc0abc0abc0abc0\ningest-again,i-0abc0abc0abc0abc0\n",
    "run_outputs": "native_id,dataset_uri\n"
    "ingest,s3://acme/images\ningest-again,s3://acme/images\n",
    "run_inputs": "native_id,dataset_uri\ntrain,s3://acme/images/2026\n",
    "run_models": "native_id,model_name,model_version\ntrain,lens,1\n",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four machine-days of 24.000000000001 each, of which three runs have one each."""
    home = tmp_path_factory.mktemp("full-cost")
    cost = "24.000000000001"
    lines = [
        f"{cost},{cost},{cost},{cost},USD,111,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,"
        f"2026-10-{day:02}T00:00:00Z,2026-10-{day + 1:02}T00:00:00Z,Usage,Usage-Based,"
        "Amazon Elastic Compute Cloud,Compute,AWS,i-0abc0abc0abc0abc0,{},BoxUsage:p4d.24xlarge\n"
        for day in range(1, 5)
    ]
    (home / "bills").mkdir()
    header = HEADER.replace("\n", ",SkuMeter\n")
    (home / "bills" / "bill.csv").write_text(header + "".join(lines), encoding="utf-8")
    (home / "runs").mkdir()
    for table, rows in RUNS.items():
        (home / "runs" / f"{table}.csv").write_text(rows, encoding="utf-8")
    (home / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
    done = run(home, "nightly")
    assert done.returncode == 0, done.stderr
    return home


def test_a_night_tells_what_a_model_cost_with_its_data(home: Path) -> None:
    told = run(home, "sql", "--named", "model_full_cost", "--json").stdout
    answer = json.loads(told, parse_float=str)
    assert [
        (row["model"], row["non_additive_cost"], row["training_cost"], row["production_cost"])
        for row in answer
    ] == [("lens", "48.000000000002", "24.000000000001", "24.000000000001")]
    (site,) = (home / "state" / "reports").glob("*/models.html")
    page = site.read_text(encoding="utf-8")
    assert "Not to be added up." in page
    assert "48.00" in page


def test_a_full_cost_is_explained_down_to_the_files(home: Path) -> None:
    told = json.loads(run(home, "explain", "model_full_cost=lens", "--json").stdout)
    (figure,) = told["figures"]
    assert (figure["cost"], figure["difference"]) == ("48.000000000002", "0.000000000000")
    assert [part["label"] for part in figure["children"]] == [
        "production, 1 back: s3://acme/images",
        "training",
    ]
    shown = run(home, "explain", "model_full_cost=lens").stdout
    assert "DIFFERENCE" not in shown
    assert "bill.csv" in shown
    refused = run(home, "explain", "model_full_cost=lens", "--from", "2026-10-02")
    assert refused.returncode == 2
    assert "a full cost is explained as a whole" in refused.stderr


def test_a_version_is_explained_down_to_the_files(home: Path, tmp_path: Path) -> None:
    told = json.loads(run(home, "explain", "model=lens", "--version", "1", "--json").stdout)
    (figure,) = told["figures"]
    assert (figure["cost"], figure["difference"]) == ("24.000000000001", "0.000000000000")
    assert figure["label"].startswith("model lens, version 1, 2026-10-02 to 2026-10-02")
    shown = run(home, "explain", "model=lens", "--version", "1").stdout
    assert "owner by its runs (registered)" in shown
    assert "bill.csv" in shown
    target = tmp_path / "lens.html"
    run(home, "explain", "model=lens", "--version", "1", "--html", str(target))
    assert "What model=lens, version 1 is made of" in read_page(target).text
    unknown = run(home, "explain", "model=lens", "--version", "2")
    assert unknown.returncode == 1
    assert 'no version "2" with cost in these days\n' in unknown.stderr
    assert "fix: it has 1;" in unknown.stderr
    nobodys = run(home, "explain", "model=lens", "--version", "")
    assert 'the model "lens" has no part without a version' in nobodys.stderr
    misuse = run(home, "explain", "team=vision", "--version", "1")
    assert misuse.returncode == 2
    assert "--version goes with model or dataset=NAME" in misuse.stderr


def test_a_figure_is_explained_on_a_page_of_its_own(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "lens.html"
    done = run(home, "explain", "model_full_cost=lens", "--html", str(target))
    assert (done.returncode, done.stdout) == (0, f"{target}\n"), done.stderr
    page = read_page(target)
    assert "48.000000000002" in page.all("summary")[0].text
    assert "✓ Every level adds up" in page.text
    assert "bill.csv" in page.all("table")[-1].text
    run(home, "explain", "run", "train", "--html", str(target))
    told = [table.all("caption")[0].text for table in read_page(target).all("table")]
    assert told == ["Records of the run", "Places of the run", "The files, as delivered"]
    assert [path.name for path in tmp_path.iterdir()] == ["lens.html"]
    both = run(home, "explain", "run", "train", "--json", "--html", str(target))
    assert both.returncode == 2
    nowhere = run(home, "explain", "run", "train", "--html", str(tmp_path / "no" / "x.html"))
    assert nowhere.returncode == 1
    assert "the folder is not there" in nowhere.stderr


def test_an_audience_of_a_team_does_not_see_what_others_spent_on_its_data(home: Path) -> None:
    told = run(home, "explain", "model_full_cost=lens", "--json").stdout
    version = run(home, "explain", "model=lens", "--version", "1", "--json").stdout
    (home / "mlspend.toml").write_text(CONFIG + AUDIENCE, encoding="utf-8")
    done = run(home, "nightly")
    assert done.returncode == 0, done.stderr
    query = ("sql", "select * from marts.model_full_cost", "--json")
    assert len(json.loads(run(home, *query).stdout)) == 2
    assert json.loads(run(home, *query, "--audience", "vision-leads").stdout) == []
    assert run(home, "explain", "model_full_cost=lens", "--json").stdout == told
    assert run(home, "explain", "model=lens", "--version", "1", "--json").stdout == version
    unknown = run(home, "explain", "model=lenz", "--version", "1").stderr
    assert 'the model "lenz" has no cost in these days; did you mean "lens"?' in unknown
