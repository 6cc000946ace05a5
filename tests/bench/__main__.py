"""Prints mlspend's figures as ratios to bare work on the same rows, measured in the same run.

`python -m tests.bench [--rows 1000000] [--rounds 3] [--keep FOLDER]`. Ratios carry over to another
machine, seconds do not. Goals are those the project set itself; RESULTS.md has what was measured.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import generate, loading, stages
from tests.bench.measure import Cost, Figure, interleaved, python, run


def stage(name: str, folder: Path) -> list[str]:
    """Return the command of one stage."""
    module = "loading" if name in loading.STAGES else "stages"
    return [sys.executable, "-m", f"tests.bench.{module}", name, str(folder)]


def _told(ours: Cost, theirs: Cost) -> str:
    return (
        f"{ours.cpu:.1f} cpu s, {ours.wall:.1f} s, {ours.peak} MB; "
        f"theirs {theirs.cpu:.1f} cpu s, {theirs.wall:.1f} s, {theirs.peak} MB"
    )


def load_figures(folder: Path, rounds: int) -> list[Figure]:
    """Measure loading against the bare engine's copy of the same columns."""
    ours, theirs = interleaved(stage("load", folder), stage("bare-copy", folder), rounds=rounds)
    proof = run(stage("prove", folder))
    text = folder / "csv"
    generate.write_csv(folder / "bill", text / "bill")
    of_text, of_parquet = interleaved(stage("load", text), stage("load", folder), rounds=rounds)
    shutil.rmtree(text)
    return [
        Figure("G1 load / bare COPY of the needed columns, cpu", ours.cpu / theirs.cpu, 1.05, "x",
               _told(ours, theirs)),
        Figure("G9 load: peak memory", ours.peak, 1000, "MB"),
        Figure("G14 load of csv.gz in parts / of Parquet, wall",
               of_text.wall / of_parquet.wall, 2.4, "x", _told(of_text, of_parquet)),
        Figure("   proof: totals from raw bytes / load, cpu", proof.cpu / ours.cpu, 0.2, "x",
               f"{proof.cpu:.1f} cpu s, {proof.peak} MB"),
    ]  # fmt: skip


def lake_share(folder: Path) -> float:
    """Return what the bill takes in the lake, its sums included, as a share of what came."""
    of_bill = (f"staging.{loading.BILL}", "attribution.line_sums", "attribution.line_texts")
    lake = [path for model in of_bill for path in (folder / "lake" / model).rglob("*.parquet")]
    raw = list((folder / "bill" / "data").rglob("*.parquet"))
    return sum(path.stat().st_size for path in lake) / sum(path.stat().st_size for path in raw)


def _first_night(name: str, folder: Path) -> Cost:
    for path in (folder / "lake", folder / "generations"):
        shutil.rmtree(path, ignore_errors=True)
    return run(stage(name, folder))


def night_figures(folder: Path, rows: int, rounds: int) -> list[Figure]:
    """Measure whole nights: the first, one with nothing new, one changed day, a late edit."""
    one_by_one = _first_night("prove-books", folder)
    proven = float((folder / stages.PROVEN).read_text(encoding="ascii"))
    full = _first_night("rebuild", folder)
    lake = lake_share(folder)
    bare = run(stage("bare-table", folder))
    attributed, scanned = interleaved(
        stage("attribute", folder), stage("scan", folder), rounds=rounds
    )
    exact, naive = interleaved(
        stage("attribute", folder), stage("attribute-in-doubles", folder), rounds=rounds
    )
    alone = run(stage("attribute-alone", folder))
    idle = run(stage("night", folder))
    generate.redeliver(folder / "bill", rows, salt=1)
    first_change = run(stage("night", folder))
    generate.redeliver(folder / "bill", rows, salt=2)
    change = run(stage("night", folder))
    generate.write_runs(folder / "runs-2026-10.parquet", rows, salt=1)
    edit = run(stage("night", folder))
    year = 12 * full.wall
    return [
        Figure("G2 whole night of a new period / bare CREATE TABLE AS *, wall",
               full.wall / bare.wall, 1.0, "x", _told(full, bare)),
        Figure("G9 whole night: peak memory", full.peak, 2000, "MB"),
        Figure("G18 lake bytes / source Parquet bytes", lake, 0.5, "x"),
        Figure("G6 attribution and all marts / scan of the same columns, cpu",
               attributed.cpu / scanned.cpu, 4.5, "x", _told(attributed, scanned)),
        Figure("G6 the same, exact / in doubles without proof, cpu",
               exact.cpu / naive.cpu, 1.05, "x", _told(exact, naive)),
        Figure("G6 as its prototype: lines added up, shared, rolled up", alone.cpu / scanned.cpu,
               4.5, "x", _told(alone, scanned)),
        Figure("G7 proving that all sums are kept / the night, cpu", 100 * proven / one_by_one.cpu,
               2.0, "%", f"{proven:.2f} cpu s"),
        Figure("G3 unchanged night: build alone", idle.wall, 1.0, "s", f"{idle.peak} MB"),
        Figure("G4 one changed day / full rebuild of 12 such months",
               100 * change.wall / year, 2.5, "%", f"{change.wall:.1f} s of {year:.0f} s; the "
               f"first time {first_change.wall:.1f} s"),
        Figure("G5 a late edit of one day's runs / full rebuild of 12 such months",
               100 * edit.wall / year, 1.0, "%", f"{edit.wall:.1f} s"),
    ]  # fmt: skip


def determinism_figure(folder: Path) -> Figure:
    """Build with one thread and with two, and compare every published figure."""
    found = {stages.fingerprint(folder, threads) for threads in (1, 2)}
    return Figure("G8 same rows with 1 and 2 threads: kinds of result", len(found), 1, "")


def start_figures(rounds: int) -> list[Figure]:
    """Measure the start of a command against the start of Python."""
    command = [sys.executable, "-m", "jobs.cli", "--help"]
    ours, theirs = interleaved(command, python("pass"), rounds=max(rounds, 9))
    return [
        Figure("G15 mlspend --help / python -c pass, wall", ours.wall / theirs.wall, 3.0, "x",
               f"{1000 * ours.wall:.0f} ms, {1000 * theirs.wall:.0f} ms"),
    ]  # fmt: skip


def main() -> int:
    """Write a world, measure, print; exit 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--rows", type=int, default=1_000_000, help="lines of the bill")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each pair; medians count")
    parser.add_argument("--keep", type=Path, help="keep the world in this folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlspend-bench-") as name:
        folder = asked.keep or Path(name)
        generate.write_bill(folder / "bill", asked.rows)
        pods = generate.write_telemetry(folder, asked.rows)
        runs = generate.write_runs(folder / "runs-2026-10.parquet", asked.rows)
        sys.stdout.write(f"{asked.rows:,} lines, {pods:,} pod-hours, {runs:,} runs\n")
        figures = load_figures(folder, asked.rounds)
        figures += night_figures(folder, asked.rows, asked.rounds)
        figures.append(determinism_figure(folder))
        figures += start_figures(asked.rounds)
    sys.stdout.write("\n".join(figure.line() for figure in figures) + "\n")
    return int(any(figure.measured > figure.goal for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
