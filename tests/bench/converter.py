"""Prints what loading a bill takes beside focus-converter: whole processes, the same files (G10).

`python -m tests.bench.converter [--rows 1000000] [--rounds 3]`. The other is made from
`focus_converter.lock`: 1.0.0 with a click below 8.2 and a multimethod below 1.12, because it does
not start with those that its own bounds let in. It knows the older report alone, in columns
without maps, so both read that. What it leaves undone (types, totals, kinds of lines) is not
counted against it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tests.bench import generate
from tests.bench.__main__ import stage
from tests.bench.measure import Cost, Figure, middle, run
from tests.servers.cache import venv_from_lock

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCK = Path(__file__).with_name("focus_converter.lock")
_CATEGORIES: Mapping[str, str] = {
    "bill": "bill",
    "identity": "identity",
    "line_item": "lineItem",
    "pricing": "pricing",
    "product": "product",
    "reservation": "reservation",
    "savings_plan": "savingsPlan",
}
_LOWER_FIRST = ("unit", "term", "currency", "public_on_demand_cost", "public_on_demand_rate")
_OF_PRODUCT: Mapping[str, str] = {"region_code": "region", "region": "regionName"}
_LACKING: Mapping[str, str] = {
    "pricing/RateCode": "varchar",
    "reservation/TotalReservedUnits": "double",
}
"""What the other demands and the generator leaves out."""


def older_header(column: str) -> str:
    """Return what the older report calls a column of CUR 2.0."""
    category = next(each for each in _CATEGORIES if column.startswith(f"{each}_"))
    field = column.removeprefix(f"{category}_")
    words = field.split("_")
    called = "".join(word.capitalize() for word in words)
    if category == "product":
        called = _OF_PRODUCT.get(field, words[0] + called[len(words[0]) :])
    elif category == "pricing" and field in _LOWER_FIRST:
        called = words[0] + called[len(words[0]) :]
    return f"{_CATEGORIES[category]}/{called}"


def write_older(bill: Path, folder: Path) -> int:
    """Write a bill's Parquet parts again as the older report; returns the lines."""
    folder.mkdir(parents=True)
    lines = 0
    with duckdb.connect() as con:
        con.execute("set preserve_insertion_order = false; set enable_progress_bar = false")
        for path in sorted(bill.glob("data/*/*.parquet")):
            scan = f"read_parquet('{path}', hive_partitioning = false)"
            names = [row[0] for row in con.execute(f"describe from {scan}").fetchall()]
            columns = [
                f'{name} as "{older_header(name)}"'
                for name in names
                if name not in ("product", "resource_tags")
            ]
            columns.append("product['product_name'] as \"product/ProductName\"")
            columns += [
                f"resource_tags['user_{tag}'] as \"resourceTags/user:{tag}\""
                for tag in ("team", "user", "project")
            ]
            columns += [f'null::{kind} as "{name}"' for name, kind in _LACKING.items()]
            row = con.execute(
                f"copy (select {', '.join(columns)} from {scan}) to '{folder / path.name}' "
                "(format parquet, compression snappy)"
            ).fetchone()
            lines += row[0] if row else 0
    return lines


def converting(venv: Path, source: Path, mode: str, target: Path) -> list[str]:
    """Return the command that converts `source`, which is a file or a folder as `mode` says."""
    return [
        str(venv / "bin" / "focus-converter"), "convert", "--provider", "aws-cur",
        "--data-format", "parquet", "--data-path", str(source), "--parquet-data-format", mode,
        "--export-path", str(target), "--no-export-include-source-columns",
    ]  # fmt: skip


def converted(command: list[str], target: Path, lines: int) -> Cost:
    """Run a conversion anew, and hold what it wrote against the lines that there are."""
    shutil.rmtree(target, ignore_errors=True)
    cost = run(command)
    with duckdb.connect() as con:
        (count,) = con.execute(f"select count(*) from '{target}/**/*.parquet'").fetchall()[0]
    if count != lines:
        raise RuntimeError(f"{count} of {lines} lines were converted: the figure would be wrong")
    return cost


def figures(folder: Path, venv: Path, rows: int, rounds: int) -> list[Figure]:
    """Measure both in turn: the other by folder, its best mode, and by file, its default."""
    generate.write_bill(folder / "new", rows)
    parts = folder / "older" / "data" / "BILLING_PERIOD=2026-10"
    lines = write_older(folder / "new", parts)
    shutil.rmtree(folder / "new")
    whole, target = folder / "whole.parquet", folder / "converted"
    with duckdb.connect() as con:
        scan = f"read_parquet('{parts}/*.parquet', hive_partitioning = false)"
        con.execute(f"copy (from {scan}) to '{whole}' (format parquet, compression snappy)")
    load: list[Cost] = []
    others: dict[str, list[Cost]] = {"dataset": [], "file": []}
    for _ in range(rounds):
        shutil.rmtree(folder / "lake", ignore_errors=True)
        load.append(run(stage("load", folder)))
        for mode, source in (("dataset", parts), ("file", whole)):
            command = converting(venv, source, mode, target)
            others[mode].append(converted(command, target, lines))
    ours = middle(load)
    return [
        figure
        for mode, (faster, smaller) in {"dataset": (2.7, 2), "file": (4.2, 6)}.items()
        for figure in compared(mode, ours, middle(others[mode]), faster, smaller)
    ]


def compared(mode: str, ours: Cost, theirs: Cost, faster: float, smaller: float) -> list[Figure]:
    """Return the two figures of one mode."""
    told = (
        f"{ours.wall:.1f} of {theirs.wall:.1f} s; cpu {ours.cpu:.1f} of {theirs.cpu:.1f} s, "
        f"{theirs.cpu / ours.cpu:.1f} times"
    )
    peaks = f"{ours.peak} of {theirs.peak} MB"
    name = f"G10 load / focus-converter by {mode}"
    return [
        Figure(f"{name}, wall", ours.wall / theirs.wall, round(1 / faster, 3), "x", told),
        Figure(f"{name}, memory", ours.peak / theirs.peak, round(1 / smaller, 3), "x", peaks),
    ]


def main() -> int:
    """Write a bill, measure, print; exit 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.converter")
    parser.add_argument("--rows", type=int, default=1_000_000, help="lines of the bill")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; medians count")
    asked = parser.parse_args()
    try:
        venv = venv_from_lock("focus_converter", LOCK)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1]
        sys.stdout.write(f"skipped: focus-converter cannot be installed here: {reason}\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="mlspend-bench-") as name:
        found = figures(Path(name), venv, asked.rows, asked.rounds)
    sys.stdout.write("\n".join(figure.line() for figure in found) + "\n")
    return int(any(figure.measured > figure.goal for figure in found))


if __name__ == "__main__":
    sys.exit(main())
