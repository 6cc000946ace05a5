"""A night on a disk that is full or cannot be written: nothing good is lost, and it says why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.jobs.nights import billed, run, write_month

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """Put a folder on a small file system in memory, or skip where that is not allowed."""
    content = folder.rename(folder.with_name("content"))
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount")
    try:
        shutil.copytree(content, folder, dirs_exist_ok=True)
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def remount(folder: Path, *options: str) -> None:
    """Change a mounted file system."""
    command = ["mount", "-o", ",".join(("remount", *options)), str(folder)]
    subprocess.run(command, check=True)


def fill(folder: Path, leave: int) -> Path:
    """Fill a file system up, but for some bytes."""
    ballast = folder / "ballast"
    ballast.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free - leave
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free)
    return ballast


def test_a_night_that_does_not_fit_says_how_much_it_needs(home: Path) -> None:
    with mounted(home / "state", "120m"):
        write_month(home / "bills", "2026-10", {1: "5"})
        ballast = fill(home / "state", 50_000_000)
        done = run(home)
        assert done.returncode == 1
        assert re.search(
            r"a night needs 1\d\d\.\d MB of free disk, there are 5\d\.\d MB", done.stderr
        )
        assert "fix: make room there; the last good generation stays in force" in done.stderr
        assert f"in:  {home / 'state'}" in done.stderr
        assert billed(home) == 3.75
        ballast.unlink()
        remount(home / "state", "size=300m")
        assert run(home).returncode == 0
        assert billed(home) == 5


UNCHECKED = "import jobs.night\njobs.night._SPARE = jobs.night._GENERATIONS_OF_SPACE = 0"
"""A night that does not look beforehand whether it fits: the disk fills up in the midst of it."""


@pytest.mark.parametrize("kilobytes", [0, 16, 64, 200, 500, 1000, 2000, 4000])
def test_a_disk_that_fills_up_during_the_night_loses_nothing(home: Path, kilobytes: int) -> None:
    with mounted(home / "state", "300m"):
        write_month(home / "bills", "2026-10", {1: "5", 2: "6.5"})
        ballast = fill(home / "state", kilobytes * 1000)
        done = run(home, before=UNCHECKED)
        assert done.returncode in (0, 1)
        assert "Traceback" not in done.stderr, done.stderr
        assert billed(home) == Decimal("11.5" if "generation 000002" in done.stderr else "3.75")
        assert done.returncode == 0 or "fix: " in done.stderr
        ballast.unlink()
        again = run(home)
        assert again.returncode == 0, again.stderr
        assert billed(home) == Decimal("11.5")
        assert run(home, "check").returncode == 0


def test_a_state_that_cannot_be_written_is_told_and_still_read(home: Path) -> None:
    with mounted(home / "state", "300m"):
        remount(home / "state", "ro")
        done = run(home)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr, done.stderr
        assert "fix: mount it so that it can be written" in done.stderr
        assert run(home, "status").returncode == 0
        asked = run(home, "sql", "--csv", "select sum(billed) from marts.books")
        assert asked.returncode == 0, asked.stderr
        remount(home / "state", "rw")
        assert run(home).returncode == 0
