"""Prints what a night costs that has a year of history, against a rebuild of that year (G4, G5).

`python -m tests.bench.year [--rows 1000000] [--months 12] [--keep FOLDER]`: rows are of a month.
What `tests.bench` says of one changed day and of a late edit is of a month beside twelve times
its rebuild; here all twelve are there, so what grows with history is seen.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import generate
from tests.bench.__main__ import stage
from tests.bench.measure import Cost, Figure, run


def write_year(folder: Path, rows: int, count: int) -> None:
    """Write some months of bills, telemetry and runs."""
    for month in generate.months(count):
        generate.write_bill(folder / "bill", rows, month=month)
        generate.write_telemetry(folder, rows, month)
        generate.write_runs(runs_of(folder, month), rows, month)


def runs_of(folder: Path, month: str) -> Path:
    """Return the file of a month's runs."""
    return folder / f"runs-{month}.parquet"


def _figure(name: str, cost: Cost, year: Cost, goal: float) -> Figure:
    told = (
        f"{cost.cpu:.1f} of {year.cpu:.0f} cpu s, {cost.wall:.1f} of {year.wall:.0f} s, "
        f"{cost.peak} MB"
    )
    return Figure(name, 100 * cost.wall / year.wall, goal, "%", told)


def _redelivered(folder: Path, rows: int, month: str, salt: int) -> Cost:
    generate.redeliver(folder / "bill", rows, month=month, salt=salt)
    return run(stage("night", folder))


def figures(folder: Path, rows: int, count: int) -> list[Figure]:
    """Measure a rebuild of the year, then nights in which little changed."""
    first, *_, last = generate.months(count)
    year = run(stage("rebuild", folder))
    idle = run(stage("night", folder))
    _, changed = (_redelivered(folder, rows, last, salt) for salt in (1, 2))
    found = [
        Figure("G3 unchanged night: build alone", idle.wall, 1.0, "s", f"{idle.peak} MB"),
        Figure("G9 a year's rebuild: peak memory", year.peak, 2000, "MB"),
        _figure("G4 one changed day of the newest month", changed, year, 2.5),
    ]
    for name, month in (("newest", last), ("oldest", first)):
        generate.write_runs(runs_of(folder, month), rows, month, salt=1)
        edit = run(stage("night", folder))
        found.append(_figure(f"G5 a late edit of one day's runs, {name} month", edit, year, 1.0))
    return found


def main() -> int:
    """Write a year, measure, print; exit 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.year")
    parser.add_argument("--rows", type=int, default=1_000_000, help="lines of each month's bill")
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--keep", type=Path, help="keep the world in this folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlspend-bench-") as name:
        folder = asked.keep or Path(name)
        write_year(folder, asked.rows, asked.months)
        found = figures(folder, asked.rows, asked.months)
    sys.stdout.write("\n".join(figure.line() for figure in found) + "\n")
    return int(any(figure.measured > figure.goal for figure in found))


if __name__ == "__main__":
    sys.exit(main())
