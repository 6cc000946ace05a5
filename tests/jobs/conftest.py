"""What the tests of the jobs share."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.journal import Journal
from jobs.progress import PlainProgress
from jobs.raw_store import RawStore
from queries.read import open_generation
from tests import truth
from tests.jobs.folder_source import sum_lines
from tests.jobs.nights import make_home, run
from tests.jobs.told_company import Company
from tests.servers.cache import made_once

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RawStore]:
    """Return an empty raw store with its journal."""
    state = tmp_path / "state"
    with Journal(state / "journal.sqlite") as journal:
        yield RawStore(state, journal, sum_lines, PlainProgress(io.StringIO()))


@pytest.fixture(scope="session")
def after_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which one night has run."""
    home = make_home(tmp_path_factory.mktemp("one"))
    assert run(home).returncode == 0
    return home


@pytest.fixture
def home(after_one: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return shutil.copytree(after_one, tmp_path / "home")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the company and run its night, as README's command does; for all tests, to be read.

    Tests that run side by side wait for the first of them.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # a folder of all workers of this run
    company = folder / "demo" / "company"
    with made_once(folder / "demo", "") as is_made:
        if not is_made:
            subprocess.run(
                [sys.executable, "-P", "-m", "jobs.cli", "nightly", "--demo", str(company)],
                check=True,
                capture_output=True,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
    return company


@pytest.fixture(scope="session")
def company(demo: Path) -> Iterator[Company]:
    """Return the company after its night, with its truth."""
    (generation,) = (demo / "state" / "generations").glob("*.duckdb")
    with open_generation(generation) as con:
        yield Company(demo, con)


@pytest.fixture(scope="session")
def report(company: Company) -> truth.Report:
    """What is off, by dimension and by cause."""
    return truth.compare(company.folder)
