"""How far what the night says of the demo company is from what everything there really cost.

`python -m tests.truth COMPANY` writes tests/TRUTH.md from a folder that `mlspend nightly --demo`
made; tests/jobs/test_truth.py fails where the page no longer says what a night finds.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.demo import UNTIL
from jobs.demo.machines_bill import machine_charges
from jobs.demo.reads import bytes_moved
from jobs.demo.runs import found_company
from jobs.demo.telemetry import CLUSTERS, blind_hours
from jobs.demo.truth import Truth
from queries.generation import newest_generation
from queries.read import open_generation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from jobs.demo.world import Run, World

PAGE = Path(__file__).with_name("TRUTH.md")
CUT = Decimal("0.000001")
"""Parts are cut at 10^-12, hour by hour: months of hours may differ by less than this."""
DIMENSIONS = ("service", "model", "team", "project", "dataset", "user")
COMPLETE = "complete evidence"
CLOCK = "its clock ran back: the tracker holds an end before the start"
BESIDE = "it shared a day's transfers with a run whose clock ran back"
LOST = "telemetry of its pods was lost for two hours"
OPEN = "it still ran on a bare machine: its last sign of life came before the end of what is told"
CLASSES = "a dataset's storage, in a bucket with objects of two classes"

Key = tuple[str, str, str]
"""Currency, member, kind of cost."""


@dataclass
class Report:
    """What was found, by dimension and by cause."""

    billed: dict[str, Decimal] = field(default_factory=dict)
    """By currency; credits count as they are."""
    errors: dict[str, dict[Key, Decimal]] = field(default_factory=dict)
    """By dimension: ours less the truth."""
    runs: dict[tuple[str, str], list[Decimal]] = field(default_factory=lambda: defaultdict(list))
    """By cause and currency: ours less the truth, of each run."""
    stored: list[Decimal] = field(default_factory=list)
    """Of each dataset whose bucket has two classes."""
    lost: Decimal = Decimal(0)
    """What was held while telemetry was lost, in USD."""

    def moved(self, dimension: str, currency: str) -> Decimal:
        """Return what stands with another member than in truth."""
        errors = self.errors[dimension].items()
        return sum((abs(cost) for key, cost in errors if key[0] == currency), Decimal(0)) / 2

    def to(self, dimension: str, currency: str, member: str) -> Decimal:
        """Return what a member has too much."""
        errors = self.errors[dimension].items()
        return sum((cost for key, cost in errors if key[:2] == (currency, member)), Decimal(0))


def compare(company: Path) -> Report:
    """Compare the newest generation of a company's folder with its truth."""
    world = found_company(7, UNTIL, 3)
    report = Report()
    with open_generation(newest_generation(company / "state")) as con:
        rows = con.execute(
            "select dimension, billing_currency, member, cost_kind, sum(effective_cost) "
            "from marts.spend_daily group by all"
        ).fetchall()
        runs = con.execute(
            "select native_id, billing_currency, effective_cost from marts.runs"
        ).fetchall()
    report.errors = {dimension: defaultdict(Decimal) for dimension in DIMENSIONS}
    for dimension, *key, cost in rows:
        report.errors[dimension][tuple(key)] += cost
        if dimension == "service":
            report.billed[key[0]] = report.billed.get(key[0], Decimal(0)) + cost
    for row in _truth(company, "members"):
        told = (row["billing_currency"], row["member"], row["cost_kind"])
        report.errors[row["dimension"]][told] -= Decimal(row["effective_cost"])
    ours = {(native, currency): cost for native, currency, cost in runs}
    cause = causes(world)
    for row in _truth(company, "runs"):
        run_id, currency = row["run_id"], row["billing_currency"]
        cost = ours.get((run_id, currency), Decimal(0))
        report.runs[cause(run_id), currency].append(cost - Decimal(row["effective_cost"]))
    report.stored = [
        cost for (_, member, _), cost in report.errors["dataset"].items() if member in _mixed(world)
    ]
    report.lost = lost_cost(world)
    return report


def _truth(company: Path, name: str) -> Iterator[dict[str, str]]:
    with (company / "truth" / f"{name}.csv").open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def causes(world: World) -> Callable[[str], str]:
    """Return what tells why a run's figure may be off: the first cause that applies."""
    runs = {run.run_id: run for run in world.runs}
    beside: set[str] = set()
    for parts in bytes_moved(world).values():
        if any(part.run.ends_early for part in parts):
            beside |= {part.run.run_id for part in parts}
    blind = blind_hours(world)

    def cause(run_id: str) -> str:
        run = runs[run_id]
        if run.ends_early:
            return CLOCK
        if run_id in beside:
            return BESIDE
        if _was_blind(run, blind):
            return LOST
        if run.machine is not None and run.end >= world.calendar.until:
            return OPEN
        return COMPLETE

    return cause


def _was_blind(run: Run, blind: Sequence[int]) -> bool:
    pods = [*run.pods, *([run.inside] if run.inside else [])]
    return any(
        pod.machine.cluster == CLUSTERS[0] and pod.held_seconds(hour)
        for pod in pods
        for hour in blind
    )


def _mixed(world: World) -> set[str]:
    """Return the datasets of buckets in which there are several storage classes."""
    classes: dict[str, set[str]] = defaultdict(set)
    for dataset in world.datasets:
        classes[dataset.bucket].add(dataset.storage_class)
    return {dataset.name for dataset in world.datasets if len(classes[dataset.bucket]) > 1}


def lost_cost(world: World) -> Decimal:
    """Return what pods held, in truth, in the hours of which telemetry was lost."""
    blind = set(blind_hours(world))
    truth = Truth(world)
    charges = (
        charge
        for charge in machine_charges(world)
        if charge.start in blind
        and charge.machine is not None
        and charge.machine.cluster == CLUSTERS[0]
    )
    truth.add("aws", charges)
    held = (cost.effective for entry, cost in truth.entries() if entry.kind != "idle")
    return Decimal(sum(held)).scaleb(-12)


def page(report: Report) -> str:
    """Return the page without its date: tables that a test compares as they are."""
    return "\n".join(chain(_by_dimension(report), [""], _by_cause(report))) + "\n"


def _by_dimension(report: Report) -> Iterator[str]:
    yield "| dimension | currency | billed | with another member than in truth | of the bill |"
    yield "|---|---|--:|--:|--:|"
    for dimension in DIMENSIONS:
        for currency, billed in sorted(report.billed.items()):
            moved = report.moved(dimension, currency)
            share = f"{100 * moved / billed:.4f} %"
            yield f"| {dimension} | {currency} | {billed:,.2f} | {moved:,.2f} | {share} |"


def _by_cause(report: Report) -> Iterator[str]:
    yield "| what was known | currency | of how many | too little | too much |"
    yield "|---|---|--:|--:|--:|"
    for cause in (COMPLETE, CLOCK, BESIDE, LOST, OPEN):
        for currency in sorted(report.billed):
            if errors := report.runs.get((cause, currency)):
                yield f"| {cause} | {currency} | {len(errors):,} runs | {_sums(errors)} |"
    yield f"| {CLASSES} | USD | {len(report.stored)} datasets | {_sums(report.stored)} |"


def _sums(errors: Sequence[Decimal]) -> str:
    """Return what is too little and what is too much, as two cells."""
    less = -sum((error for error in errors if error < -CUT), Decimal(0))
    more = sum((error for error in errors if error > CUT), Decimal(0))
    return f"{less:,.2f} | {more:,.2f}"


INTRODUCTION = """\
# How far from the truth

The night on the company that `mlspend demo` makes up, held against what everything there cost by
construction, in effective cost (`python -m tests.truth COMPANY`). A test compares both tables with
what a night finds. Measured on {date}.

"""
REMARKS = """
- Where evidence is complete, every run costs what it cost, to a millionth.
- What telemetry did not see of a machine that was watched at other hours of the day is idle, not
  unattributed: {lost:,.2f} USD was held in the two lost hours, and '(idle)' has just that too much
  on Amazon's machines.
- A bucket's storage classes are paid by the bytes of each; what clocks displaced of transfers was
  read from other buckets.
"""


def write(report: Report, path: Path = PAGE) -> None:
    """Write the page with today's date."""
    today = datetime.now(UTC).date()
    text = INTRODUCTION.format(date=today) + page(report) + REMARKS.format(lost=report.lost)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("company", type=Path, help="a folder that `nightly --demo` made")
    write(compare(parser.parse_args().company))
    print(PAGE.read_text(encoding="utf-8"))  # noqa: T201 - it is what was asked for
