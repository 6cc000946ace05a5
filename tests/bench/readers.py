"""Prints what readers of a published night meet, on the demo company, whole commands.

`python -m tests.bench.readers [--opens 10000] [--rounds 9]`: a query and a gate (G15), the site and
the mails (G16), readers that open the database while nights are published (G17). Exit 1 where a
goal is missed; RESULTS.md has what was measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from queries.publish import newest
from queries.read import open_generation
from tests.bench.measure import ROOT, Figure, middle, run

READERS = 2
LOADED = ("site.css", "site.js", "plotly-basic.min.js")
BOTH_SUMS = """
    select
        (
            select sum(effective_cost) from marts.spend_daily
            where dimension = 'team' and billing_currency = 'USD'
        ),
        (
            select sum(billed) from marts.books
            where dimension = 'team' and measure = 'effective_cost' and billing_currency = 'USD'
        )
"""
"""Of two marts: a reader that saw half of a night would see them differ."""


def mlspend(*words: str) -> list[str]:
    """Return a command of mlspend."""
    return [sys.executable, "-m", "jobs.cli", *words]


def start_figures(config: Path, rounds: int) -> list[Figure]:
    """Measure commands that answer one question, from their start to their end."""
    asked = "select member, effective_cost from marts.spend_daily where dimension = 'team' limit 10"
    commands = {
        "sql": mlspend("sql", asked, "--config", str(config)),
        "gate": mlspend(
            "gate", "--team", "speech", "--gpus", "8", "--hours", "4", "--config", str(config)
        ),
    }
    costs = {
        name: middle([run(command, allowed=(0, 3, 4)) for _ in range(rounds)])
        for name, command in commands.items()
    }
    return [
        Figure(f"G15 mlspend {name}, whole command", 1000 * cost.wall, 150, "ms")
        for name, cost in costs.items()
    ]


def page_figures(config: Path, rounds: int) -> list[Figure]:
    """Measure the site as it is written anew, and what a browser and a mailbox must take."""
    cost = middle([run(mlspend("report", "--config", str(config))) for _ in range(rounds)])
    site = max((config.parent / "state" / "reports").glob("2*"))
    pages = [page for page in site.rglob("*.html") if page.parent.name != "mails"]
    texts = [page.read_text(encoding="utf-8") for page in pages]
    charts = sum(text.count('class="chart"') for text in texts)
    tables = sum(text.count("<table") for text in texts)
    first = [site / "index.html", *(site / "static" / name for name in LOADED)]
    mails = [path.stat().st_size for path in (site / "mails").glob("*.html")]
    return [
        Figure("G16 site: 10 charts and 10 tables, of the whole command's time",
               10 * cost.wall / min(charts, tables), 0.6, "s",
               f"{cost.wall:.1f} s for {len(pages)} pages, {charts} charts, {tables} tables"),
        Figure("G16 first page, with all that it loads",
               sum(path.stat().st_size for path in first) / 1e6, 1.5, "MB"),
        Figure("G16 largest of the mails", max(mails) / 1e3, 90, "KB", f"{len(mails)} mails"),
    ]  # fmt: skip


def publication_figure(config: Path, opens: int) -> Figure:
    """Publish night after night while readers open the newest generation again and again."""
    generations = config.parent / "state" / "generations"
    reader = [sys.executable, "-m", "tests.bench.readers", "--read", str(generations)]
    readers = [
        subprocess.Popen(
            [*reader, "--opens", str(opens // READERS)], stdout=subprocess.PIPE, cwd=ROOT
        )
        for _ in range(READERS)
    ]
    nights = 0
    while any(process.poll() is None for process in readers):
        nights += 1
        with (config.parent / "ownership.toml").open("a", encoding="utf-8") as file:
            file.write(f"# a comment, so that night {nights} has something to publish\n")
        run(mlspend("nightly", "--config", str(config)))
    wrong = sum(int(process.communicate()[0]) for process in readers)
    return Figure("G17 readers that failed or saw a mixed night", wrong, 0, "",
                  f"{opens} opens by {READERS} readers, {nights} nights published")  # fmt: skip


def read(generations: Path, opens: int) -> int:
    """Open the newest generation so many times; return how often that went wrong."""
    wrong = 0
    for _ in range(opens):
        path = newest(generations)
        try:
            with open_generation(path or generations) as con:
                row = con.execute(BOTH_SUMS).fetchone()
            wrong += row is None or row[0] is None or row[0] != row[1]
        except Exception as error:  # noqa: BLE001 - whatever a reader meets is what is counted
            sys.stderr.write(f"{error}\n")
            wrong += 1
    return wrong


def main() -> int:
    """Write the demo company, run its night, measure, print; exit 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.readers")
    parser.add_argument("--opens", type=int, default=10_000, help="of the database, in all")
    parser.add_argument("--rounds", type=int, default=9, help="of each command; medians count")
    parser.add_argument("--read", type=Path, help="only read the generations of this folder")
    asked = parser.parse_args()
    if asked.read:
        sys.stdout.write(str(read(asked.read, asked.opens)))
        return 0
    with tempfile.TemporaryDirectory(prefix="mlspend-bench-") as name:
        folder = Path(name) / "demo"
        run(mlspend("demo", str(folder)))
        config = folder / "config.toml"
        run(mlspend("nightly", "--config", str(config)))
        figures = start_figures(config, asked.rounds)
        figures += page_figures(config, max(1, asked.rounds // 3))
        figures.append(publication_figure(config, asked.opens))
    sys.stdout.write("\n".join(figure.line() for figure in figures) + "\n")
    return int(any(figure.measured > figure.goal for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
