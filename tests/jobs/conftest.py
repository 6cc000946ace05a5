"""What the tests of the jobs share."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from jobs.journal import Journal
from jobs.progress import PlainProgress
from jobs.raw_store import RawStore
from tests.jobs.folder_source import sum_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RawStore]:
    """Return an empty raw store with its journal."""
    state = tmp_path / "state"
    with Journal(state / "journal.sqlite") as journal:
        yield RawStore(state, journal, sum_lines, PlainProgress(io.StringIO()))
