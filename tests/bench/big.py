"""Prints the memory that loading a big month takes, as Parquet and as csv.gz (G9), whole processes.

`python -m tests.bench.big [--rows 50000000] [--times 1] [--format csv.gz]`. With `--times 5` the
month holds each of its parts five times over, by links, which saves the hour that writing fifty
million lines as csv.gz takes; no line is looked at twice in a load, so it is as much work.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import generate
from tests.bench.__main__ import stage
from tests.bench.measure import Figure, run

FORMATS = ("parquet", "csv.gz")


def write_month(folder: Path, rows: int, times: int, kind: str) -> None:
    """Write a bill of `rows` lines in one format, in parts of which each stands `times` times."""
    once = folder / "once"
    generate.write_bill(once, rows // times)
    if kind == "csv.gz":
        generate.write_csv(once, folder / "text")
        shutil.rmtree(once)
        once = folder / "text"
    for path in sorted(once.glob(f"data/*/*.{kind}")):
        month = folder / "bill" / path.relative_to(once).parent
        month.mkdir(parents=True, exist_ok=True)
        for copy in range(times):
            (month / f"{copy:02}-{path.name}").hardlink_to(path)
    shutil.rmtree(once)


def main() -> int:
    """Write a month in each format, load it, print; exit 1 where it takes more than a gigabyte."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.big")
    parser.add_argument("--rows", type=int, default=50_000_000, help="lines of the bill")
    parser.add_argument("--times", type=int, default=1, help="how often each part stands there")
    parser.add_argument("--format", choices=FORMATS, help="one of them; the default is both")
    asked = parser.parse_args()
    figures = []
    for kind in (asked.format,) if asked.format else FORMATS:
        with tempfile.TemporaryDirectory(prefix="mlspend-bench-") as name:
            write_month(Path(name), asked.rows, asked.times, kind)
            cost = run(stage("load", Path(name)))
        told = f"{cost.cpu:.0f} cpu s, {cost.wall:.0f} s"
        figures.append(Figure(f"G9 load of {asked.rows:,} lines of {kind}: peak memory",
                              cost.peak, 1000, "MB", told))  # fmt: skip
        sys.stdout.write(figures[-1].line() + "\n")
    return int(any(figure.measured > figure.goal for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
