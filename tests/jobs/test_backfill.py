"""How far back a source is fetched at first, and that a larger number later fetches the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from jobs.backfill import first_month
from jobs.journal import Journal
from tests.jobs.nights import FOCUS, run, write_month

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    ("months", "first"),
    [(0, ""), (1, "2026-02"), (2, "2026-01"), (3, "2025-12"), (15, "2024-12"), (1200, "1926-03")],
)
def test_the_first_month_is_counted_from_this_one(months: int, first: str) -> None:
    assert first_month(months, date(2026, 3, 31)) == first


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with bills of four months, the newest of this month."""
    for back, cost in enumerate(("1", "10", "100", "1000")):
        write_month(tmp_path / "bills", month_of(back), {1: cost})
    return tmp_path


def month_of(back: int) -> str:
    """Return the month so many before this one."""
    return first_month(back, datetime.now(UTC).date()) or f"{datetime.now(UTC):%Y-%m}"


@pytest.fixture
def extract(home: Path) -> Callable[[int], list[str]]:
    """Return what extracts at a depth, and returns the units that have landed, in order."""

    def at(depth: int) -> list[str]:
        text = f"{FOCUS}[operations]\nbackfill_months = {depth}\n"
        (home / "mlspend.toml").write_text(text, encoding="utf-8")
        done = run(home, "extract")
        assert done.returncode == 0, done.stderr
        with Journal(home / "state" / "journal.sqlite") as journal:
            return [entry.unit for entry in journal.deliveries()]

    return at


def test_older_months_stay_away_until_the_depth_is_raised(
    home: Path, extract: Callable[[int], list[str]]
) -> None:
    assert extract(1) == [month_of(1), month_of(0)]
    assert extract(1) == [month_of(1), month_of(0)]
    assert extract(2) == [month_of(1), month_of(0), month_of(2)]
    write_month(home / "bills", month_of(2), {1: "99"})
    assert extract(1)[-1] == month_of(2)  # what has landed once is restated, however old
    assert extract(0)[-1] == month_of(3)
