"""Is what runs what was tested: Python, packages, the launcher's environment, the sandbox."""

from __future__ import annotations

import filecmp
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.operations.checks import Finding, ok, warning, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.config import Config

_HOME = Path(__file__).parents[3]
_LOCK = _HOME / "requirements.lock"
_PINNED = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.!+]+)( ;.*)?", re.MULTILINE)
_OLDEST_PYTHON = (3, 11)
_OLDEST_DUCKDB = 2
_CONFINE = (
    "from queries.confine import Quota, confine\n"
    "print('\\n'.join(confine(['/usr'], Quota(1024, 10))))"
)


def check_python(_: Config) -> Iterator[Finding]:
    """See that Python is new enough."""
    found = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        yield wrong("python", f"{found} is too old", "install Python 3.11 or later")
    else:
        yield ok("python", found)


def check_packages(_: Config) -> Iterator[Finding]:
    """See that the packages are those of the lock file, and DuckDB one that loses nothing."""
    duckdb = version("duckdb")
    if int(duckdb.partition(".")[0]) < _OLDEST_DUCKDB:
        yield wrong(
            "packages",
            f"DuckDB {duckdb} loses committed rows on a full disk",
            "run mlspend by cron/mlspend, which installs what requirements.lock names",
        )
    if not _LOCK.is_file():
        yield warning("packages", "there is no requirements.lock beside the code", "restore it")
        return
    differing = _differing(_LOCK.read_text(encoding="utf-8"))
    if differing:
        yield warning(
            "packages",
            f"{len(differing)} are not those that were tested: {', '.join(differing[:5])}",
            "run mlspend by cron/mlspend, which installs what requirements.lock names",
        )
    else:
        yield ok("packages", "all as requirements.lock names them")


def _differing(lock: str) -> list[str]:
    differing = []
    for name, wanted, marker in _PINNED.findall(lock):
        try:
            found = version(name)
        except PackageNotFoundError:
            if not marker:
                differing.append(f"{name} is missing")
            continue
        if found != wanted:
            differing.append(f"{name} {found}, not {wanted}")
    return differing


def check_launcher(_: Config) -> Iterator[Finding]:
    """See that cron's environment was made from the lock file that is there."""
    marker = _HOME / ".venv" / "requirements.lock"
    if not marker.is_file():
        yield ok("launcher", "cron/mlspend has made no environment here, or is not used")
    elif _LOCK.is_file() and filecmp.cmp(marker, _LOCK, shallow=False):
        yield ok("launcher", f"{marker.parent} is in step with requirements.lock")
    else:
        yield warning(
            "launcher",
            f"{marker.parent} was made from another requirements.lock",
            "run `cron/mlspend --version` once: it makes the environment anew",
        )


def check_sandbox(_: Config) -> Iterator[Finding]:
    """See which layers of the sandbox for analysts' SQL this kernel gives, in a process apart."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-P", "-c", _CONFINE],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(_HOME)},
    )
    missing = [line for line in done.stdout.splitlines() if line]
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        missing = [f"it does not start: {last}"]
    if missing:
        yield warning(
            "sandbox",
            f"`mlspend sql` lacks a layer here: {'; '.join(missing)}",
            "use a kernel with Landlock (5.13) and seccomp, and a container that allows them, or "
            "let only people query whom you trust with state_dir",
        )
    else:
        yield ok("sandbox", "network, Landlock and system call filter")
