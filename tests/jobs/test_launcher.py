"""The launcher makes its environment once, again when the lock changes, and from anywhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from jobs.commands import mlspend
from jobs.errors import EXIT_CODES

ROOT = Path(__file__).parents[2]
LOCKS = (ROOT / "requirements.lock", ROOT / "tests" / "requirements.lock")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """Return a copy of what the launcher needs, with a lock of one small package."""
    root = tmp_path / "a house"
    (root / "jobs").mkdir(parents=True)
    (root / "jobs" / "__init__.py").touch()
    (root / "jobs" / "cli.py").write_text(
        "import sys, click\nprint(click.__name__, *sys.argv[1:])\n", encoding="utf-8"
    )
    shutil.copytree(ROOT / "cron", root / "cron")
    text = LOCKS[0].read_text(encoding="utf-8")
    package = re.search(r"^click==.*?(?=^\w)", text, re.MULTILINE | re.DOTALL)
    assert package is not None
    (root / "requirements.lock").write_text(package[0], encoding="utf-8")
    return root


def launch(launcher: Path, *args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the launcher from a folder."""
    return subprocess.run(
        [str(launcher), *args], capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.mark.servers
def test_the_first_run_sets_up_and_later_ones_are_quiet(house: Path, tmp_path: Path) -> None:
    first = launch(house / "cron" / "mlspend", "a b", "c", folder=tmp_path)
    assert (first.returncode, first.stdout) == (0, "click a b c\n")
    assert "setting up" in first.stderr
    link = tmp_path / "link"
    link.symlink_to(Path("a house") / "cron" / "mlspend")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mlspend").symlink_to(link)
    second = launch(tmp_path / "bin" / "mlspend", folder=Path("/"))
    assert (second.returncode, second.stdout, second.stderr) == (0, "click\n", "")


@pytest.mark.servers
def test_another_lock_or_a_half_made_environment_is_made_anew(house: Path) -> None:
    launcher, marker = house / "cron" / "mlspend", house / ".venv" / "requirements.lock"
    assert launch(launcher, folder=house).returncode == 0
    with (house / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("# another\n")
    assert "setting up" in launch(launcher, folder=house).stderr
    assert marker.read_text(encoding="utf-8").endswith("# another\n")
    marker.unlink()
    assert "setting up" in launch(launcher, folder=house).stderr
    assert launch(launcher, folder=house).stderr == ""


@pytest.mark.servers
def test_of_two_first_runs_one_sets_up_and_both_work(house: Path) -> None:
    starters = [
        subprocess.Popen(
            [house / "cron" / "mlspend"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [process.communicate() for process in starters]
    assert [out for out, _ in answers] == ["click\n"] * 3
    assert sum("setting up" in told for _, told in answers) == 1


@pytest.mark.servers
def test_a_package_with_another_digest_is_not_installed(house: Path) -> None:
    lock = house / "requirements.lock"
    text = re.sub(r"sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", lock.read_text(encoding="utf-8"))
    lock.write_text(text, encoding="utf-8")
    done = launch(house / "cron" / "mlspend", folder=house)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "cannot be installed" in done.stderr
    assert not (house / ".venv" / "requirements.lock").exists()


def test_without_a_python_the_launcher_says_what_to_install(house: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "cmp", "readlink"):
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).symlink_to(found)
    done = subprocess.run(
        [house / "cron" / "mlspend"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": str(tools)},
    )
    assert done.returncode == 2
    assert "there is no Python 3.11 or later" in done.stderr
    assert "fix: install one" in done.stderr


def test_the_locks_name_exact_versions_with_digests_and_no_place_to_get_them() -> None:
    for lock in LOCKS:
        lines = lock.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("# uv pip compile --universal")
        for line in lines[1:]:
            assert re.fullmatch(
                r"[\w.-]+(\[[\w,-]+\])?==[\w.!+]+( ; [\w '<>=!.()]+)? \\|"
                r" {4}--hash=sha256:[0-9a-f]{64}( \\)?",
                line,
            ), line
        assert not re.search(r"://|file:| @ ", "\n".join(lines))


def test_the_locks_hold_every_declared_dependency_in_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run_time, development = (_versions(lock) for lock in LOCKS)
    for wanted in project["project"]["dependencies"]:
        assert _name(wanted) in run_time
    for wanted in project["dependency-groups"]["dev"]:
        assert _name(wanted) in development
    assert run_time.items() <= development.items()


def _versions(lock: Path) -> dict[str, str]:
    pinned = re.findall(
        r"^([\w.-]+)(?:\[.*?\])?==(\S+)", lock.read_text(encoding="utf-8"), re.MULTILINE
    )
    return dict(pinned)


def _name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match is not None
    return match[0].lower()


def test_what_kubernetes_retries_is_what_mlspend_did_not_end_itself() -> None:
    job, claim = yaml.safe_load_all((ROOT / "cron" / "cronjob.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"], claim["kind"]) == (
        "batch/v1",
        "CronJob",
        "PersistentVolumeClaim",
    )
    spec = job["spec"]["jobTemplate"]["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    told = {code for code in EXIT_CODES if 0 < code < 128}
    assert set(rule["onExitCodes"]["values"]) == told
    assert rule["onExitCodes"]["containerName"] == container["name"]
    assert pod["restartPolicy"] == "Never"  # as podFailurePolicy demands
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    mlspend.make_context("mlspend", list(container["args"]), resilient_parsing=True)
    command = mlspend.commands[container["args"][0]]
    assert command.make_context("nightly", list(container["args"][1:])).params["config_path"]


def test_systemd_runs_what_there_is_and_tells_failures() -> None:
    units = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "cron").glob("*.*er*")}
    service = units["mlspend.service"]
    failed = re.search(r"^OnFailure=(.*)$", service, re.MULTILINE)
    assert failed is not None
    assert failed[1] in units
    for text in units.values():
        for command in re.findall(
            r"^ExecStart=-?/opt/mlspend/cron/mlspend (\w+)", text, re.MULTILINE
        ):
            assert command in mlspend.commands
    assert "SuccessExitStatus=75" in service


def test_every_schedule_runs_one_night() -> None:
    for name in ("crontab", "mlspend.service", "cronjob.yaml"):
        assert "nightly" in (ROOT / "cron" / name).read_text(encoding="utf-8")
    for script in ("cron/mlspend", "cron/environment", "tests/run", ".ci/run"):
        assert os.access(ROOT / script, os.X_OK), script
        shell = "bash" if script == ".ci/run" else "sh"
        done = subprocess.run([shell, "-n", ROOT / script], check=False)
        assert done.returncode == 0, script
