"""How far what the night says of the demo company is from what everything there really cost.

`python -m tests.truth COMPANY` writes tests/TRUTH.md from a folder that `mlspend nightly --demo`
made; tests/jobs/test_truth.py fails where the page no longer says what a night finds.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.demo import UNTIL
from jobs.demo.runs import found_company
from jobs.demo.truth_lineage import Lineage
from queries.generation import newest_generation
from queries.read import open_generation
from tests.truth_causes import (
    BESIDE,
    CLOCK,
    COMPLETE,
    LOST,
    OPEN,
    causes,
    lost_costs,
    mixed_buckets,
    spoiled_members,
    unwatched_days,
    wrong_owners,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.demo.world import Dataset, World
    from queries.engines.duckdb import Connection

PAGE = Path(__file__).with_name("TRUTH.md")
CUT = Decimal("0.000001")
"""Parts are cut at 10^-12, hour by hour: months of hours may differ by less than this."""
DIMENSIONS = ("service", "model", "team", "project", "dataset", "user")
EMPTY = "no run was on a bare machine all day, nor anywhere in Slurm: idle, but nobody tells it"
WHOLE = "from complete evidence"
SPOILED = "from evidence of which some was spoiled: of a run, its pods that serve, or its readers"
CLASSES = "a dataset's storage, in a bucket with objects of two classes"

VERSIONED = ("model", "dataset")
BESIDE_EACH_OTHER = "the versions of a dataset, each in a place of its own"
NEWEST_ALONE = "the versions of a dataset of which the newest alone is registered, since its day"
ONE_VERSION = "the version of a dataset that has one"

Key = tuple[str, str, str]
"""Currency, member, kind of cost."""


@dataclass
class Report:
    """What was found, by dimension and by cause."""

    billed: dict[str, Decimal] = field(default_factory=dict)
    """By currency; credits count as they are."""
    errors: dict[str, dict[Key, Decimal]] = field(default_factory=dict)
    """By dimension: ours less the truth."""
    versions: dict[str, dict[tuple[str, str, str, str], Decimal]] = field(default_factory=dict)
    """The same of models and datasets, by currency, member, version and kind of cost."""
    of_datasets: dict[str, list[Decimal]] = field(default_factory=lambda: defaultdict(list))
    """By what lies where: ours less the truth, of each version of a dataset, or of none."""
    dated: set[str] = field(default_factory=set)
    """The datasets of which the newest version alone is registered, since its day."""
    runs: dict[tuple[str, str], list[Decimal]] = field(default_factory=lambda: defaultdict(list))
    """By cause and currency: ours less the truth, of each run."""
    full: dict[tuple[str, str, bool], list[Decimal]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By dimension, currency, and whether all evidence was complete: ours less the truth."""
    depths: dict[str, int] = field(default_factory=dict)
    """Dimension -> how many steps back a member's data go, at most."""
    stored: list[Decimal] = field(default_factory=list)
    """Of each dataset whose bucket has two classes."""
    owners: dict[tuple[str, str], list[Decimal]] = field(default_factory=lambda: defaultdict(list))
    """By cause and currency: what each run costs, where its owner is another than in truth."""
    unwatched: dict[str, list[Decimal]] = field(default_factory=lambda: defaultdict(list))
    """By currency: ours less the truth of what was idle, of each machine's day without a run."""
    lost: Decimal = Decimal(0)
    """What machines cost while telemetry was lost, in USD."""
    lost_disks: Decimal = Decimal(0)
    """What their disks cost meanwhile."""
    lost_held: Decimal = Decimal(0)
    """What of it was held, in truth."""

    def wrong(self, dimension: str, currency: str) -> Decimal:
        """Return what stands with a member that it is not in truth."""
        return self._too_much(dimension, currency, is_unattributed=False)

    def unattributed(self, dimension: str, currency: str) -> Decimal:
        """Return what was somebody's, or idle, and is said to be unattributed."""
        return self._too_much(dimension, currency, is_unattributed=True)

    def _too_much(self, dimension: str, currency: str, *, is_unattributed: bool) -> Decimal:
        errors = (
            cost
            for (billed_in, _, kind), cost in self.errors[dimension].items()
            if billed_in == currency and (kind == "unattributed") == is_unattributed
        )
        return sum((cost for cost in errors if cost > 0), Decimal(0))

    def of_versions(self, dimension: str, currency: str) -> tuple[Decimal, Decimal]:
        """Return what stands with a wrong version, and what is said to be of none that is known.

        Where the member is wrong, so is its version, and nobody doubts it.
        """
        wrong = unknown = Decimal(0)
        for (billed_in, member, version, kind), cost in self.versions[dimension].items():
            if billed_in != currency or cost <= 0:
                continue
            of_member = self.errors[dimension].get((currency, member, kind), Decimal(0))
            part = cost if version else min(cost, max(of_member, Decimal(0)))
            part = Decimal(0) if kind == "unattributed" else part
            wrong, unknown = wrong + part, unknown + cost - part
        return wrong, unknown

    def to(self, dimension: str, currency: str, member: str) -> Decimal:
        """Return what a member has too much."""
        errors = self.errors[dimension].items()
        return sum((cost for key, cost in errors if key[:2] == (currency, member)), Decimal(0))


def compare(company: Path) -> Report:
    """Compare the newest generation of a company's folder with its truth."""
    world = found_company(7, UNTIL, 3)
    report = Report()
    with open_generation(newest_generation(company / "state")) as con:
        _add_members(report, con, company)
        _add_versions(report, con, company, world)
        _add_runs(report, con, company, world)
        _add_full_costs(report, con, company, world)
    mixed = mixed_buckets(world)
    report.stored = [
        cost for (_, member, _), cost in report.errors["dataset"].items() if member in mixed
    ]
    for currency, cost in unwatched_days(world):
        report.unwatched[currency].append(-cost)
    report.lost, report.lost_disks, report.lost_held = lost_costs(world)
    return report


def _add_members(report: Report, con: Connection, company: Path) -> None:
    rows = con.execute(
        "select dimension, billing_currency, member, cost_kind, sum(effective_cost) "
        "from marts.spend_daily group by all"
    ).fetchall()
    report.errors = {dimension: defaultdict(Decimal) for dimension in DIMENSIONS}
    for dimension, *key, cost in rows:
        report.errors[dimension][tuple(key)] += cost
        if dimension == "service":
            report.billed[key[0]] = report.billed.get(key[0], Decimal(0)) + cost
    for row in _truth(company, "members"):
        told = (row["billing_currency"], row["member"], row["cost_kind"])
        report.errors[row["dimension"]][told] -= Decimal(row["effective_cost"])


def _add_versions(report: Report, con: Connection, company: Path, world: World) -> None:
    report.versions = {dimension: defaultdict(Decimal) for dimension in VERSIONED}
    rows = con.execute(
        "select dimension, billing_currency, member, coalesce(version, ''), cost_kind, "
        "sum(effective_cost) from marts.version_spend group by all"
    ).fetchall()
    for dimension, *key, cost in rows:
        report.versions[dimension][tuple(key)] += cost
    for row in _truth(company, "versions"):
        told = (row["billing_currency"], row["member"], row["version"], row["cost_kind"])
        report.versions[row["dimension"]][told] -= Decimal(row["effective_cost"])
    kinds = {data.name: _kind_of(data, world) for data in world.datasets}
    report.dated = {name for name, kind in kinds.items() if kind == NEWEST_ALONE}
    for (currency, member, _, _), cost in report.versions["dataset"].items():
        if currency == "USD" and member in kinds:
            report.of_datasets[kinds[member]].append(cost)


def _kind_of(data: Dataset, world: World) -> str:
    if data.is_kept:
        return BESIDE_EACH_OTHER
    return NEWEST_ALONE if data.made_at > world.calendar.start else ONE_VERSION


def _add_runs(report: Report, con: Connection, company: Path, world: World) -> None:
    ours, cause = costs_of_runs(con), causes(world)
    for row in _truth(company, "runs"):
        run_id, currency = row["run_id"], row["billing_currency"]
        cost = ours.get((run_id, currency), Decimal(0))
        report.runs[cause(run_id), currency].append(cost - Decimal(row["effective_cost"]))
    owned = con.execute(
        "select native_id, billing_currency, user_id, team, effective_cost from marts.runs"
    ).fetchall()
    report.owners = wrong_owners(world, owned)


def _add_full_costs(report: Report, con: Connection, company: Path, world: World) -> None:
    ours = {
        (dimension, member, currency): cost
        for dimension in ("model", "dataset")
        for member, currency, cost in con.execute(
            f"select {dimension}, billing_currency, sum(non_additive_cost) "
            f"from marts.{dimension}_full_cost group by all"
        ).fetchall()
    }
    cause = causes(world)
    lineage, spoiled = Lineage(world), spoiled_members(world, cause)
    for row in _truth(company, "full_costs"):
        thing, currency = (row["dimension"], row["member"]), row["billing_currency"]
        is_complete = thing not in spoiled and all(
            cause(run_id) == COMPLETE for run_id in lineage.of(thing).runs
        )
        error = ours.get((*thing, currency), Decimal(0)) - Decimal(row["effective_cost"])
        report.full[thing[0], currency, is_complete].append(error)
        report.depths[thing[0]] = max(report.depths.get(thing[0], 0), int(row["depth"]))


def costs_of_runs(con: Connection) -> dict[tuple[str, str], Decimal]:
    """Return what each run costs by currency, under the name that the truth has for it.

    That is the tracker's id or, of a try that only Slurm knows, `48210/2`: job and try.
    """
    rows = con.execute(
        "select system, runs.native_id, run_key, billing_currency, effective_cost "
        "from marts.runs inner join marts.run_records using (run_id) where relation = 'same'"
    ).fetchall()
    costs = {}
    for system, native, run_key, currency, cost in rows:
        names = [native]
        if system == "slurm":
            names += [f"{native}/{number}" for number in (1, 2) if _key(native, number) == run_key]
        costs[names[-1], currency] = cost
    return costs


def _key(job_id: str, attempt: int) -> str:
    """Return the key of Slurm's record of a try."""
    return hashlib.sha256(f"slurm|{job_id}|{attempt}".encode()).hexdigest()[:32]


def _truth(company: Path, name: str) -> Iterator[dict[str, str]]:
    with (company / "truth" / f"{name}.csv").open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def page(report: Report) -> str:
    """Return the page without its date: tables that a test compares as they are."""
    return "\n".join(chain(_by_dimension(report), [""], _by_cause(report))) + "\n"


def _by_dimension(report: Report) -> Iterator[str]:
    yield "| dimension | currency | billed | with a wrong member | of the bill | unattributed |"
    yield "|---|---|--:|--:|--:|--:|"
    for dimension in DIMENSIONS:
        for currency, billed in sorted(report.billed.items()):
            wrong = report.wrong(dimension, currency)
            figures = f"{billed:,.2f} | {wrong:,.2f} | {100 * wrong / billed:.4f} %"
            unknown = report.unattributed(dimension, currency)
            yield f"| {dimension} | {currency} | {figures} | {unknown:,.2f} |"
    for dimension in VERSIONED:
        for currency, billed in sorted(report.billed.items()):
            wrong, unknown = report.of_versions(dimension, currency)
            figures = f"{billed:,.2f} | {wrong:,.2f} | {100 * wrong / billed:.4f} %"
            yield f"| {dimension} version | {currency} | {figures} | {unknown:,.2f} |"


def _by_cause(report: Report) -> Iterator[str]:
    yield "| what was known | currency | of how many | too little | too much |"
    yield "|---|---|--:|--:|--:|"
    for cause in (COMPLETE, CLOCK, BESIDE, LOST, OPEN):
        for currency in sorted(report.billed):
            if errors := report.runs.get((cause, currency)):
                yield f"| {cause} | {currency} | {len(errors):,} runs | {_sums(errors)} |"
    for (cause, currency), errors in sorted(report.owners.items()):
        yield f"| {cause} | {currency} | {len(errors):,} runs | {_sums(errors)} |"
    for currency, errors in sorted(report.unwatched.items()):
        yield f"| {EMPTY} | {currency} | {len(errors)} machine-days | {_sums(errors)} |"
    for (dimension, currency, is_complete), errors in sorted(report.full.items()):
        known = WHOLE if is_complete else SPOILED
        what = f"the full cost of a {dimension}, {known}"
        yield f"| {what} | {currency} | {len(errors)} {dimension}s | {_sums(errors)} |"
    for kind, errors in sorted(report.of_datasets.items()):
        yield f"| {kind} | USD | {len(errors)} versions | {_sums(errors)} |"
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
what a night finds. `unattributed` is what was somebody's, or idle, and is said to be nobody's that
is known; of a version, it is also what is said to be of none that is known. Measured on {date}.

"""
REMARKS = """
- Where evidence is complete, every run costs what it cost, to a millionth.
- What telemetry did not see of a machine that was watched at other hours of the day is
  unattributed, and exactly that: the machines cost {lost:,.2f} USD in the two lost hours, and their
  disks {disks:,.2f} USD, of which {held:,.2f} USD was held, in truth, and the rest idle.
- What a dataset cost before the day since which its newest version is registered is of no version
  that is known, and exactly that. No version is told of what a tag or a label says was for a model,
  and in truth there was none.
- A run whose clock ran back lasts until its last metric, here 20 seconds before its end: its pods'
  labels give the rest to it.
- A bucket's storage classes are paid by the bytes of each.
"""


def write(report: Report, path: Path = PAGE) -> None:
    """Write the page with today's date."""
    today = datetime.now(UTC).date()
    text = (
        INTRODUCTION.format(date=today)
        + page(report)
        + REMARKS.format(lost=report.lost, disks=report.lost_disks, held=report.lost_held)
    )
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("company", type=Path, help="a folder that `nightly --demo` made")
    write(compare(parser.parse_args().company))
    print(PAGE.read_text(encoding="utf-8"))  # noqa: T201 - it is what was asked for
