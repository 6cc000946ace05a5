"""Has the machine what a night needs: room, memory, locks that lock, a clock that goes right."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.night import space_needed
from jobs.operations.checks import Finding, ok, warning, wrong
from jobs.progress import size_text
from queries import ModelError
from queries.generation import newest_generation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.config import Config

_PARTS = ("raw", "lake", "generations", "reports", "tmp", "backups")
_FEWEST_INODES = 10_000
_SKEW = 300.0
_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "glusterfs", "ceph")


def check_config_file(config: Config) -> Iterator[Finding]:
    """See that nobody else may change what a night does."""
    mode = config.path.stat().st_mode & 0o777
    if mode & 0o022:
        yield wrong(
            "config file",
            f"others may write {config.path} (mode {mode:o})",
            f"chmod 600 {config.path}: who writes it chooses what is read and who is mailed",
        )
    else:
        yield ok("config file", f"{config.path}, mode {mode:o}")


def check_state_folder(config: Config) -> Iterator[Finding]:
    """See that state_dir can be written, renamed in, and locked."""
    state = config.state_dir
    try:
        state.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=state) as folder:
            yield ok("state_dir", f"{state} can be written")
            yield _lock_finding(Path(folder) / "lock", state)
    except OSError as error:
        yield wrong(
            "state_dir",
            f"{state} cannot be written: {error.strerror}",
            "let the user that runs mlspend write there, or mend `state_dir`",
        )
        return
    device = state.stat().st_dev
    apart = [name for name in _PARTS if (state / name).exists() and _device(state / name) != device]
    if apart:
        yield wrong(
            "renames",
            f"{', '.join(apart)} lie on another file system than state_dir",
            "put all of state_dir on one: files get their names by renaming, whole or not at all",
        )
    else:
        yield ok("renames", "all of state_dir is one file system")


def _device(path: Path) -> int:
    return path.stat().st_dev


def _lock_finding(path: Path, state: Path) -> Finding:
    """Try whether a lock that is held turns a second one away."""
    kind = _kind_of_file_system(state)
    fix = "put state_dir on a local disk: of two nights at once one must be turned away"
    with path.open("wb") as first, path.open("rb") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if kind in _NETWORK:
                return warning("locks", f"state_dir is on {kind}; DuckDB advises against it", fix)
            return ok("locks", f"flock works on {kind or 'this file system'}")
        except OSError as error:
            return wrong("locks", f"flock does not work on {kind}: {error.strerror}", fix)
    return wrong("locks", f"flock lets two in on {kind}", fix)


def _kind_of_file_system(path: Path) -> str:
    best, kind = "", ""
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
            _, place, found, *_ = line.split()
            place = place.replace("\\040", " ")
            if path.is_relative_to(place) and len(place) >= len(best):
                best, kind = place, found
    return kind


def check_room(config: Config) -> Iterator[Finding]:
    """See that the next night fits on the disk."""
    folder = next(each for each in (config.state_dir, *config.state_dir.parents) if each.exists())
    database = None
    with suppress(ModelError):
        database = newest_generation(config.state_dir)
    disk, needed = os.statvfs(folder), space_needed(database)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        told = f"{size_text(free)} free, a night needs {size_text(needed)}"
        yield wrong("disk", told, f"make room on the file system of {folder}")
    else:
        yield ok("disk", f"{size_text(free)} free, a night needs {size_text(needed)}")
    if disk.f_files and disk.f_favail < _FEWEST_INODES:
        told = f"{disk.f_favail} inodes free, a night may need {_FEWEST_INODES}"
        yield wrong("inodes", told, f"delete small files on the file system of {folder}")
    elif disk.f_files:
        yield ok("inodes", f"{disk.f_favail} free")


def check_memory(config: Config) -> Iterator[Finding]:
    """See that the memory limit is one that the machine, or the container, has."""
    match = re.fullmatch(r"(\d+)(\w+)", config.engine.memory_limit)
    limit = int(match[1]) * _UNITS[match[2]] if match else 0
    needed = limit * 115 // 100
    there = _memory()
    if there is None:
        yield ok("memory", f"{config.engine.memory_limit}; this system does not tell what it has")
    elif there < needed:
        yield warning(
            "memory",
            f"{size_text(there)} are available, a night may take {size_text(needed)}",
            "lower [engine] memory_limit, or give the machine or container more",
        )
    else:
        yield ok("memory", f"{size_text(there)} available, a night takes {size_text(needed)}")


def _memory() -> int | None:
    """Return the bytes available to this process, none where nothing tells."""
    found = []
    with suppress(OSError, ValueError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        match = re.search(r"^MemAvailable: +(\d+) kB", text, re.MULTILINE)
        if match:
            found.append(int(match[1]) * 1024)
    with suppress(OSError, ValueError):
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min(found, default=None)


def check_clock(config: Config) -> Iterator[Finding]:
    """See that the clock is not behind what the state was written with; zones do not matter."""
    zone = "/".join(time.tzname)
    newest = 0.0
    for path in (config.state_dir / "journal.sqlite", *config.state_dir.glob("generations/*")):
        with suppress(OSError):
            newest = max(newest, path.stat().st_mtime)
    ahead = newest - datetime.now(UTC).timestamp()
    if ahead > _SKEW:
        yield wrong(
            "clock",
            f"it is {ahead / 60:.0f} minutes behind the newest file of state_dir",
            "set it, and keep it set (chrony, systemd-timesyncd)",
        )
    else:
        yield ok("clock", f"not behind state_dir; all is in UTC, this machine's {zone} is not used")
