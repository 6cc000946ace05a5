"""Of many starters one works; the lock of a killed one is free at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jobs.errors import BUSY, describe, exit_code_of
from jobs.lock import BusyError, locked

if TYPE_CHECKING:
    from pathlib import Path

_HOLDER = """
import sys
from pathlib import Path
from jobs.lock import BusyError, locked

try:
    with locked(Path(sys.argv[1])):
        print("holds", flush=True)
        sys.stdin.read()
except BusyError:
    print("busy", flush=True)
"""


def start(state: Path) -> subprocess.Popen[str]:
    """Start a process that takes the lock and holds it until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said_by(process: subprocess.Popen[str]) -> str:
    """Return the next word of a process."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    """Let a process end."""
    process.communicate("")


def test_of_many_starters_exactly_one_works(tmp_path: Path) -> None:
    for _ in range(3):
        starters = [start(tmp_path) for _ in range(10)]
        words = [said_by(process) for process in starters]
        for process in starters:
            end(process)
        assert sorted(words) == ["busy"] * 9 + ["holds"]


def test_the_second_starter_is_told_who_works(tmp_path: Path) -> None:
    holder = start(tmp_path)
    assert said_by(holder) == "holds"
    with pytest.raises(BusyError) as caught, locked(tmp_path):
        pass
    assert f"process {holder.pid}" in describe(caught.value)
    assert exit_code_of(caught.value) == BUSY == 75
    end(holder)


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    holder = start(tmp_path)
    assert said_by(holder) == "holds"
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    with locked(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
