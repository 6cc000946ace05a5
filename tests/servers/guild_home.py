"""Real runs of Guild AI: its command in an environment of its own, a project, and a home."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.cache import venv_from_lock

if TYPE_CHECKING:
    from collections.abc import Mapping

_HERE = Path(__file__).parent
_TRAIN = """
import os, sys, time
lr = 0.1
mlflow_run_id = ""
api_key = ""
if lr > 5:
    sys.exit(3)
while os.path.exists(os.environ.get("HOLD", "")):
    time.sleep(0.05)
"""
_OPERATIONS = """
- model: net
  operations:
    train:
      main: train
      flags-import: all
      requires:
        - file: images.csv
"""


@dataclass(frozen=True, slots=True)
class GuildHome:
    """A home with a project `search` beside it, which Guild copies its code from."""

    root: Path
    project: Path
    environment: Mapping[str, str]

    def command(self, *args: str, **variables: str) -> subprocess.Popen[str]:
        """Begin a command of Guild: `run`, `runs`."""
        return subprocess.Popen(
            [f"{self.environment['VIRTUAL_ENV']}/bin/guild", *args],
            cwd=self.project,
            env={**self.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *args: str, code: int = 0, **variables: str) -> None:
        """Run an operation to its end, which is of a certain code."""
        done = self.command("run", *args, "--yes", **variables)
        said, _ = done.communicate(timeout=100)
        assert done.returncode == code, said

    def manage(self, *args: str) -> None:
        """Do something to runs: `delete`, `purge`, `stop`."""
        done = self.command("runs", *args, "--yes")
        said, _ = done.communicate(timeout=100)
        assert done.returncode == 0, said

    def wait(self, pattern: str) -> Path:
        """Wait for a file below the runs; return the folder of its run."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = sorted((self.root / "runs").glob(f"*/.guild/{pattern}"))
            if found:
                return next(one for one in found[0].parents if one.parent.name == "runs")
            time.sleep(0.05)
        message = f"no run has {pattern} after a minute"
        raise AssertionError(message)


@pytest.fixture
def guild_home(tmp_path: Path) -> GuildHome:
    """Make a project under git and an empty home, apart: Guild copies the one into the other."""
    venv = venv_from_lock("guild", _HERE / "guild.lock")
    project, root = tmp_path / "search", tmp_path / "home"
    project.mkdir()
    root.mkdir()
    (project / "train.py").write_text(_TRAIN)
    (project / "guild.yml").write_text(_OPERATIONS)
    (project / "images.csv").write_text("a,b\n")
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@acme.example"]
    for args in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "-m", "Begin"]):
        subprocess.run(["git", *args], cwd=project, check=True, capture_output=True)
    return GuildHome(
        root,
        project,
        {
            "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
            "VIRTUAL_ENV": str(venv),
            "GUILD_HOME": str(root),
            "HOME": str(tmp_path),
            "USER": "ann",
        },
    )
