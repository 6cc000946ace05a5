"""Runs a command as a process of its own and reads what the system accounts it for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]


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


def run(command: Sequence[str], *, allowed: Sequence[int] = (0,)) -> Cost:
    """Run a command to its end and account for it; what it prints is thrown away.

    Raises: RuntimeError for an exit code that is not `allowed`, with the last words it wrote.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody compiles every library every night
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stderr is not None
        words = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise RuntimeError(f"{command} exited {process.returncode}: {words.decode()[-2000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss // 1024, process.returncode)


def python(code: str) -> list[str]:
    """Return the command that runs `code` in this interpreter."""
    return [sys.executable, "-c", code]


def interleaved(first: Sequence[str], second: Sequence[str], *, rounds: int) -> tuple[Cost, Cost]:
    """Run two commands in turn, and return the medians of each.

    In turn, because the machine's speed drifts: the ratio of the two is what carries over.
    """
    ran = [(run(first), run(second)) for _ in range(rounds)]
    return _middle([one for one, _ in ran]), _middle([two for _, two in ran])


def _middle(costs: Sequence[Cost]) -> Cost:
    return Cost(
        cpu=median(cost.cpu for cost in costs),
        wall=median(cost.wall for cost in costs),
        peak=int(median(cost.peak for cost in costs)),
        exit_code=0,
    )
