"""A year of history: what one change of it costs, and what happens when memory is short."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.queries.attribution.test_engine import Company, on_day

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from queries.build import Built
    from queries.manifest import Manifest
    from tests.queries.attribution.conftest import Draw

DAYS = 365
POSTINGS = "attribution.postings"


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory, draw: type[Draw]) -> Company:
    """Return a year of a machine and a bucket; every tenth day a run has the machine for two."""
    runs = [
        on_day(draw.run(f"run-{day}", 0, 36, user_raw="ada", team_raw="vision"), day)
        for day in range(0, DAYS - 1, 10)
    ]
    of_a_day = (draw.machine(24, hour=None), draw.line("0.7", tags={"team": "nlp"}))
    lines = [on_day(line, day) for day in range(DAYS) for line in of_a_day]
    for line in lines:
        line["billing_period"] = line["charge_date"].replace(day=1)
    company = Company(
        tmp_path_factory.mktemp("year"),
        {
            "cost_lines": lines,
            "runs": runs,
            "run_places": [{"run_key": run["run_key"], "instance_id": "i-1"} for run in runs],
            "memberships": [{"user_id": "ada", "team": "vision"}],
        },
    )
    first = company.night()
    assert first is not None
    assert first.days == DAYS
    return company


def files_by_day(manifest: Manifest) -> Mapping[tuple[str, str], str | None]:
    """Return the lake file of every attributed table and day."""
    return {
        (name, day): table.file_of(day)
        for name, table in manifest.stored.items()
        for day in table.days()
    }


def changed(company: Company) -> tuple[Built, set[str], int, int]:
    """Run a night; return it, the days of new files, the bytes of them and of all."""
    before = company.previous
    assert before is not None
    known, had = files_by_day(before), before.files()
    built = company.night()
    assert built is not None
    found, has = files_by_day(built.manifest), built.manifest.files()
    days = {day for (name, day), file in found.items() if known.get((name, day)) != file}
    sizes = {file: (company.folder / "lake" / file).stat().st_size for file in has}
    return built, days, sum(sizes[file] for file in has - had), sum(sizes.values())


def spend(built: Built, member: str) -> Mapping[str, Decimal]:
    rows = built.con.execute(
        "select cast(charge_date as varchar), sum(effective_cost) from marts.spend_daily "
        "where dimension = 'team' and member = ? group by all",
        [member],
    ).fetchall()
    return dict(rows)


def test_one_changed_day_of_a_year_is_attributed_and_written_alone(
    year: Company, draw: type[Draw]
) -> None:
    """A twelfth of the bill is read again, because a month is what is delivered."""
    day = draw.day + timedelta(days=200)
    (line,) = [
        line
        for line in year.tables["cost_lines"]
        if line["charge_date"] == day and line["x_line_class"] == "instance"
    ]
    line["effective_cost"] = line["billed_cost"] = Decimal(1000)
    built, days, written, all_bytes = changed(year)

    assert built.days == 1
    assert days == {day.isoformat()}
    assert spend(built, "vision")[day.isoformat()] == 1000
    assert built.con.execute("select sum(abs(difference)) from marts.books").fetchone() == (0,)
    assert written * 6 < all_bytes


def test_a_late_tag_of_one_run_of_a_year_moves_its_two_days_alone(
    year: Company, draw: type[Draw]
) -> None:
    (run,) = [run for run in year.tables["runs"] if run["run_key"] == "run-100"]
    run["team_raw"] = "speech"
    built, days, _, _ = changed(year)

    touched = {(draw.day + timedelta(days=100 + later)).isoformat() for later in (0, 1)}
    assert built.days == len(touched)
    assert days == touched
    # the whole of the first day, and half of the second
    assert spend(built, "speech").keys() == touched
    assert sorted(spend(built, "speech").values()) == [12, 24]


def test_a_change_of_a_persons_team_in_a_year_writes_no_day_and_moves_what_it_touches(
    year: Company, draw: type[Draw]
) -> None:
    """Runs that name no team are their user's; from a day on that is another."""
    for run in year.tables["runs"]:
        run["team_raw"] = None
    company_before = year.night()
    assert company_before is not None
    vision = spend(company_before, "vision")
    moved = draw.day + timedelta(days=300)
    year.tables["memberships"] = [
        {"user_id": "ada", "team": "vision", "valid_to": moved},
        {"user_id": "ada", "team": "speech", "valid_from": moved},
    ]
    built, days, _, _ = changed(year)

    assert (built.days, days) == (0, set())
    after = {day: cost for day, cost in vision.items() if day >= moved.isoformat()}
    assert after
    assert spend(built, "speech") == after
    assert spend(built, "vision") == {day: cost for day, cost in vision.items() if day not in after}


class Peak:
    """The most bytes that lay in a folder while the block ran."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bytes = folder, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.005):
            sizes = [path.lstat().st_size for path in self.folder.glob("*") if path.exists()]
            self.bytes = max(self.bytes, sum(sizes))


def test_what_does_not_fit_into_memory_is_spilled_and_comes_out_the_same(
    tmp_path: Path, draw: type[Draw]
) -> None:
    """100,000 lines of as many resources: 200 MB are too few for them, 1500 MB are not."""
    lines = [
        draw.line(
            Decimal(number).scaleb(-3),
            resource_id=f"resource-{number * 7919 % 100_000:06d}-{'x' * 60}",
            service_name=f"service {number % 13}",
            tags={"team": f"team-{number % 17}", "cost-center": f"{number % 101}"},
        )
        for number in range(100_000)
    ]
    found: dict[str, Any] = {}
    spilled: dict[str, int] = {}
    for memory in ("200MB", "1500MB"):
        folder = tmp_path / memory
        folder.mkdir()
        company = Company(folder, {"cost_lines": lines}, memory=memory)
        with Peak(folder / "tmp") as peak:
            built = company.night()
        assert built is not None
        spilled[memory] = peak.bytes
        path = folder / "lake" / (built.manifest.stored[POSTINGS].file_of(f"{draw.day}") or "")
        found[memory] = [
            built.con.execute(
                "select count(*), sum(hash(postings)), sum(effective_cost) "
                f"from read_parquet('{path}') as postings"
            ).fetchone(),
            built.con.execute("from marts.spend_daily order by all").fetchall(),
            built.con.execute("from marts.books order by all").fetchall(),
        ]

    assert spilled["200MB"] > 0 == spilled["1500MB"]
    assert found["200MB"] == found["1500MB"]
    assert found["200MB"][0][0] == len(lines)
