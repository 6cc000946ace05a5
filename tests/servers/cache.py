"""What the real servers of the tests are made from, unpacked once into a cache folder.

Neither root nor Docker is needed: Debian packages are downloaded and unpacked, never installed, and
each Python server has an environment of its own, made from a hashed lock file. The package lists
that apt needs are kept in the cache folder too, so that the machine's own are not touched.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]


def cache_folder() -> Path:
    """Return where servers are kept: $MLSPEND_TEST_CACHE, else `.cache` of the repository."""
    root = os.environ.get("MLSPEND_TEST_CACHE") or REPOSITORY / ".cache"
    folder = Path(root) / "servers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unpack_debs(name: str, packages: Sequence[str]) -> Path:
    """Unpack Debian packages as `name`, and return the folder that stands for their `/`.

    Dependencies do not come along: name every package that is needed.
    """
    target = cache_folder() / name
    with made_once(target, " ".join(packages)) as is_made:
        if not is_made:
            downloads = target.with_name(f"{name}.debs")
            shutil.rmtree(downloads, ignore_errors=True)
            downloads.mkdir()
            _apt_download(packages, downloads)
            for package in sorted(downloads.glob("*.deb")):
                _run(["dpkg", "-x", str(package), str(target)])
            shutil.rmtree(downloads)
    return target


def venv_from_lock(name: str, lock: Path) -> Path:
    """Make an environment with exactly what `lock` pins, and return its folder."""
    target = cache_folder() / name
    wanted = f"{sys.version} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
    with made_once(target, wanted) as is_made:
        if not is_made:
            _make_venv(target, lock)
    return target


def npm_package(name: str, package: str) -> Path:
    """Install one package of npm, `name@version`, and return the folder of its commands.

    No script of a package is run.
    """
    target = cache_folder() / name
    with made_once(target, package) as is_made:
        if not is_made:
            options = ["--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"]
            _run(["npm", "install", "--silent", *options, "--prefix", str(target), package])
    return target / "node_modules" / ".bin"


def _make_venv(target: Path, lock: Path) -> None:
    """Install what the lock names: it is complete, so that nothing is to be resolved.

    By the pip of this environment, and nothing compiled that no server imports: half of the time.
    """
    exactly = ["install", "--quiet", "--no-deps", "--no-compile", "--require-hashes"]
    _run([sys.executable, "-m", "venv", "--without-pip", str(target)])
    pip = [sys.executable, "-m", "pip", "--python", str(target / "bin" / "python")]
    _run([*pip, *exactly, "-r", str(lock)])


def _apt_download(packages: Sequence[str], folder: Path) -> None:
    """Download packages with the machine's lists, or with lists of our own where those fail."""
    try:
        _run(["apt-get", "download", *packages], folder)
    except RuntimeError:
        state = cache_folder() / "apt"
        (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        options = [
            f"--option=Dir::State::Lists={state / 'lists'}",
            f"--option=Dir::Cache={state}",
            "--option=APT::Sandbox::User=",
        ]
        _run(["apt-get", *options, "update"], folder)
        _run(["apt-get", *options, "download", *packages], folder)


def _run(command: Sequence[str], folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        message = f"`{' '.join(command)}` ended with {done.returncode}:\n{tail}"
        raise RuntimeError(message)


@contextmanager
def made_once(target: Path, wanted: str) -> Iterator[bool]:
    """Tell whether `target` was made as `wanted`; else empty it, and note it once it is made.

    One process at a time: others wait for it.
    """
    note = target.with_name(f"{target.name}.made")
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_made = target.is_dir() and note.exists() and note.read_text() == wanted
        if not is_made:
            note.unlink(missing_ok=True)
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
        yield is_made
        note.write_text(wanted)
