"""Runs a command as a process of its own and reads what the system accounts it for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
_ACCOUNTANT = """
import json, os, subprocess, sys, time
started = time.perf_counter()
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
wall = time.perf_counter() - started
found = [usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss // 1024]
with open(sys.argv[1], "w") as told:
    json.dump([*found, os.waitstatus_to_exitcode(status)], told)
"""
"""Stands between, because a process begins with the peak of the one that starts it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took."""

    cpu: float
    """User and system seconds, children included."""
    wall: float
    """Seconds."""
    peak: int
    """Resident memory of the largest single process, MB."""
    exit_code: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure beside its goal."""

    name: str
    measured: float
    goal: float
    unit: str
    told: str = ""

    def line(self) -> str:
        """Return the figure as a line of the table."""
        mark = "ok  " if self.measured <= self.goal else "MISS"
        return (
            f"{mark} {self.name:<58} {self.measured:8.3f} {self.unit:<6} "
            f"(goal {self.goal:g})  {self.told}"
        )


def run(command: Sequence[str], *, allowed: Sequence[int] = (0,)) -> Cost:
    """Run a command to its end and account for it; what it prints is thrown away.

    Raises: RuntimeError for an exit code that is not `allowed`, with the last words it wrote.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody compiles every library every night
    with tempfile.NamedTemporaryFile("r") as told:
        counted = [sys.executable, "-I", "-S", "-c", _ACCOUNTANT, told.name, *command]
        ran = subprocess.run(
            counted, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, check=False
        )
        if ran.returncode != 0:
            raise RuntimeError(f"{command} was not started: {ran.stderr.decode()[-2000:]}")
        cost = Cost(*json.load(told))
    if cost.exit_code not in allowed:
        raise RuntimeError(f"{command} exited {cost.exit_code}: {ran.stderr.decode()[-2000:]}")
    return cost


def python(code: str) -> list[str]:
    """Return the command that runs `code` in this interpreter."""
    return [sys.executable, "-c", code]


def interleaved(first: Sequence[str], second: Sequence[str], *, rounds: int) -> tuple[Cost, Cost]:
    """Run two commands in turn, and return the medians of each.

    In turn, because the machine's speed drifts: the ratio of the two is what carries over.
    """
    ran = [(run(first), run(second)) for _ in range(rounds)]
    return middle([one for one, _ in ran]), middle([two for _, two in ran])


def middle(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(
        cpu=median(cost.cpu for cost in costs),
        wall=median(cost.wall for cost in costs),
        peak=int(median(cost.peak for cost in costs)),
        exit_code=0,
    )
