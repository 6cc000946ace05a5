"""The command line: help that starts fast and cannot drift, errors that explain themselves."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from click.testing import CliRunner

import jobs.cli
from jobs.commands import HELP_WIDTH, mlspend

ROOT = Path(jobs.cli.__file__).parents[1]
HELP = ROOT / "jobs" / "help.txt"


def run(*args: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_the_help_that_starts_fast_is_the_commands_own() -> None:
    answer = CliRunner().invoke(mlspend, ["--help"], prog_name="mlspend", terminal_width=HELP_WIDTH)
    assert HELP.read_text(encoding="utf-8") == answer.output
    assert run("--help").stdout == run("-h").stdout == answer.output


def test_help_takes_at_most_three_times_as_long_as_python_alone() -> None:
    costs: dict[str, list[float]] = {"help": [], "nothing": []}
    for _ in range(20):
        costs["help"].append(_cpu_of("-m", "jobs.cli", "--help"))
        costs["nothing"].append(_cpu_of("-c", "pass"))
    assert median(costs["help"]) <= 3 * median(costs["nothing"])


def _cpu_of(*args: str) -> float:
    """Return the CPU seconds of a Python process: unlike its time, they bear a busy machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-P", *args],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize("command", sorted(mlspend.commands))
def test_every_command_says_what_it_does(command: str) -> None:
    answer = CliRunner().invoke(mlspend, [command, "--help"], prog_name="mlspend")
    assert answer.exit_code == 0
    assert answer.output.splitlines()[2].strip().endswith((".", ":"))


def test_a_misspelt_command_is_misuse(tmp_path: Path) -> None:
    done = run("nigthly", folder=tmp_path)
    assert done.returncode == 2
    assert "No such command 'nigthly'" in done.stderr


def test_every_mistake_of_the_config_is_told_without_a_traceback(tmp_path: Path) -> None:
    config = tmp_path / "mlspend.toml"
    config.write_text("[connectors.nothing_like_it]\n[engine]\nthreads = 0\n", encoding="utf-8")
    done = run("nightly", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("error: ") == 2
    assert f"  in:  {config}:1\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    done = run("--debug", "nightly", folder=tmp_path)
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_a_question_before_the_first_night_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mlspend.toml").write_text('state_dir = "here"\n', encoding="utf-8")
    done = run("sql", "select 1", folder=tmp_path)
    assert done.returncode == 1
    assert "run `mlspend nightly` once" in done.stderr
    assert str(tmp_path / "here") in done.stderr


def test_a_question_after_the_demo_is_told_of_the_demos_config(tmp_path: Path) -> None:
    assert "demo company" not in run("sql", "select 1", folder=tmp_path).stderr
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "config.toml").write_text("", encoding="utf-8")
    done = run("sql", "select 1", folder=tmp_path)
    assert done.returncode == 2
    assert "--config demo/config.toml of the demo company" in done.stderr


def test_a_config_file_that_is_named_and_not_there_is_no_reason_to_look_at_all_sources(
    tmp_path: Path,
) -> None:
    done = run("lineage", "runs.effective_cost", "--config", "mine.toml", folder=tmp_path)
    assert done.returncode == 2
    assert "there is no config file" in done.stderr
    assert run("lineage", "runs", "--depth", "-1", folder=tmp_path).returncode == 2


def test_a_question_and_a_named_one_together_are_misuse(tmp_path: Path) -> None:
    assert run("sql", "select 1", "--named", "books", folder=tmp_path).returncode == 2
    assert run("sql", folder=tmp_path).returncode == 2


def test_the_cookbook_lists_every_query_with_its_parameters() -> None:
    listed = run("sql", "--list").stdout
    for path in (ROOT / "queries" / "cookbook").glob("*.sql"):
        assert f"{path.stem}\n" in listed
    assert "--param dimension=user" in listed
