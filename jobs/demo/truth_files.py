"""The truth as CSV files, each row in a bill's currency and each cost to twelve places.

totals.csv          what each bill comes to
kinds.csv           the same, by kind of cost
members.csv         by member of each dimension; within a dimension the rows add up to the bill
versions.csv        the same of models and datasets, by version; '' is what is of none alone
runs.csv            each run and currency, with the GPU hours it held
model_versions.csv  each version: its run's cost, in equal parts where a run made several
"""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from jobs.demo.charges import SERVICES
from jobs.demo.holding import gpu_seconds
from jobs.demo.owners import NOBODY, Owners
from jobs.demo.purposes import versions_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from jobs.demo.purposes import Purpose
    from jobs.demo.truth import Cost, Entry, Truth
    from jobs.demo.world import Model, Run, World

DIMENSIONS: Final = ("user", "team", "project", "model", "dataset", "service")
_MEASURES: Final = ("effective_cost", "billed_cost")
_MEMBERS: Final = {
    "idle": "(idle)",
    "shared": "(shared)",
    "tax": "(tax)",
    "credit": "(credit)",
    "commitment_unused": "(unused commitment)",
    "unattributed": NOBODY,
}
"""Kind -> the member that stands for it in every dimension but `service`."""
_OTHERS: Final = {"model": "not a model's", "dataset": "not a dataset's"}
_PLACES: Final = Decimal(10) ** -12


def write_truth(folder: Path, world: World, truth: Truth) -> None:
    """Write the files."""
    folder.mkdir(parents=True, exist_ok=True)
    bill = ("source", "billing_period", "billing_currency")
    _write(folder / "totals.csv", bill, sorted((tuple(b), s) for b, s in truth.totals.items()))
    kinds: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    members: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    versions: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    spread = _Members(world)
    for entry, cost in truth.entries():
        _add(kinds[*entry.bill, entry.kind], cost)
        for dimension in DIMENSIONS:
            for (member, version), part in spread.of(dimension, entry, cost):
                _add(members[*entry.bill, dimension, member, entry.kind], part)
                if dimension in _OTHERS:
                    _add(versions[*entry.bill, dimension, member, version, entry.kind], part)
    _write(folder / "kinds.csv", (*bill, "cost_kind"), sorted(kinds.items()))
    columns = (*bill, "dimension", "member", "cost_kind")
    _write(folder / "members.csv", columns, sorted(members.items()))
    with_version = (*bill, "dimension", "member", "version", "cost_kind")
    _write(folder / "versions.csv", with_version, sorted(versions.items()))
    _write_runs(folder, world, truth)


def _write_runs(folder: Path, world: World, truth: Truth) -> None:
    runs: dict[tuple[str, ...], list[int]] = defaultdict(lambda: [0, 0])
    for entry, cost in truth.entries():
        if entry.holder.run:
            _add(runs[entry.holder.run, entry.bill.currency], cost)
    by_id = {run.run_id: run for run in world.runs}
    held = gpu_seconds(world)
    hours = {run_id: f"{seconds / 3600:.6f}" for run_id, seconds in held.items()}
    rows = [((*key, hours.get(key[0], "0.000000")), sums) for key, sums in sorted(runs.items())]
    _write(folder / "runs.csv", ("run_id", "billing_currency", "gpu_hours"), rows)
    versions: list[tuple[tuple[str, ...], list[int]]] = [
        ((model.name, str(version), run_id, currency), part)
        for (run_id, currency), sums in sorted(runs.items())
        for (model, version), part in _by_version(by_id[run_id], sums)
    ]
    columns = ("model", "version", "run_id", "billing_currency")
    _write(folder / "model_versions.csv", columns, sorted(versions))


def _by_version(run: Run, sums: Sequence[int]) -> Iterator[tuple[tuple[Model, int], list[int]]]:
    count = len(run.models)
    for number, version in enumerate(run.models):
        yield version, [total * (number + 1) // count - total * number // count for total in sums]


class _Members:
    """Spreads costs over the members of a dimension, and their versions."""

    def __init__(self, world: World) -> None:
        self.owners = Owners(world)
        self.models = versions_of_runs(world)

    def of(self, dimension: str, entry: Entry, cost: Cost) -> Iterator[tuple[Purpose, Cost]]:
        """Yield whose a cost is in a dimension: a member and, where it has some, its version."""
        if dimension == "service":
            yield (SERVICES.get(entry.service, entry.service), ""), cost
        elif entry.kind not in ("direct", NOBODY):
            yield (_MEMBERS[entry.kind], ""), cost
        elif dimension in _OTHERS:
            names = self._made(dimension, entry)
            otherwise = NOBODY if entry.kind == NOBODY else _OTHERS[dimension]
            yield from _in_parts(names or [(otherwise, "")], cost)
        else:
            yield (getattr(self.owners.of(entry.holder), dimension) or NOBODY, ""), cost

    def _made(self, dimension: str, entry: Entry) -> Sequence[Purpose]:
        """Return the models or datasets that a cost went into; one twice counts twice."""
        holder = entry.holder
        if dimension == "dataset":
            if holder.dataset:
                return [(holder.dataset, holder.version)]
            run = self.owners.runs.get(holder.run)
            if run is None:
                return []
            return sorted((data.name, data.version_at(run.end)) for data in run.writes)
        pod = self.owners.pods.get(holder.pod)
        if pod is not None and "model" in pod.labels:
            return [(pod.labels["model"], "")]
        return self.models.get(holder.run, [])


def _in_parts(names: Sequence[Purpose], cost: Cost) -> Iterator[tuple[Purpose, Cost]]:
    count = len(names)
    for number, name in enumerate(names):
        parts = [total * (number + 1) // count - total * number // count for total in cost]
        yield name, cost._replace(effective=parts[0], billed=parts[1])


def _add(sums: list[int], cost: Cost) -> None:
    sums[0] += cost.effective
    sums[1] += cost.billed


def _write(
    path: Path, columns: Sequence[str], rows: Iterable[tuple[Sequence[str], Sequence[int]]]
) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*columns, *_MEASURES])
        for key, sums in rows:
            writer.writerow([*key, *(f"{total * _PLACES:f}" for total in sums)])
