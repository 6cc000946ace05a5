"""What models and datasets cost with all that they were made from: full_costs.csv, by construction.

A model is made by the runs that were for it and those that these started, a dataset by the runs
that wrote it. What they read was made by other runs, and so on. Each run, with what it moved, is
counted once and whole, if it began no later than on the day on which the last maker ended; so are
the days of storage of all that was read. Serving, and what is stored and moved of a dataset itself,
count to the end. Nothing here is to be added up over models or datasets.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.purposes import models_of_runs
from jobs.demo.world import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from jobs.demo.truth import Truth
    from jobs.demo.world import Run, World

COLUMNS: Final = ("dimension", "member", "depth", "billing_currency", "effective_cost")
_PLACES: Final = Decimal(10) ** -12
Thing = tuple[str, str]
"""Dimension and member."""


class Made(NamedTuple):
    """What a model or dataset was made by and from."""

    runs: frozenset[str]
    data: frozenset[str]
    until: int
    """The last day on which it was made."""
    depth: int
    """How many steps back the farthest data lie."""


class Lineage:
    """Looks up what was made from what."""

    def __init__(self, world: World) -> None:
        """Learn what each run made, with the runs that it started."""
        children: dict[str, list[Run]] = defaultdict(list)
        for run in world.runs:
            if run.parent is not None:
                children[run.parent.run_id].append(run)
        models = models_of_runs(world)
        self.makers: dict[Thing, dict[str, Run]] = defaultdict(dict)
        for run in world.runs:
            things = [("model", name) for name in models.get(run.run_id, ())]
            things += [("dataset", dataset.name) for dataset in run.writes]
            for thing in things:
                for maker in (run, *children[run.run_id]):
                    self.makers[thing][maker.run_id] = maker

    def of(self, thing: Thing) -> Made:
        """Return all that a thing was made by and from."""
        ends = [_day(run.end) for run in self._runs(thing)]
        until = max(ends, default=0)
        known, depth = {thing}, 0
        fresh = [thing]
        while fresh:
            found = {data for one in fresh for data in self._read_for(one, until)} - known
            known |= found
            fresh = sorted(found)
            depth += 1 if found else 0
        runs = frozenset(
            run.run_id for one in known for run in self._runs(one) if _day(run.start) <= until
        )
        return Made(runs, frozenset(name for _, name in known - {thing}), until, depth)

    def _runs(self, thing: Thing) -> Iterable[Run]:
        return self.makers[thing].values() if thing in self.makers else ()

    def _read_for(self, thing: Thing, until: int) -> Iterator[Thing]:
        for run in self._runs(thing):
            if _day(run.start) <= until:
                for read in run.reads:
                    yield "dataset", read.dataset.name


def _day(second: int) -> int:
    return second // DAY * DAY


def write_full_costs(path: Path, world: World, truth: Truth) -> None:
    """Write the file: a row per model or dataset and currency."""
    lineage = Lineage(world)
    served = _served(world, truth)
    things = [("model", model.name) for model in world.models]
    things += [("dataset", dataset.name) for dataset in world.datasets]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for dimension, name in sorted(things):
            made = lineage.of((dimension, name))
            sums: dict[str, int] = defaultdict(int)
            for (run, dataset, currency), cost in truth.parts.work.items():
                if run in made.runs and (dimension, name) != ("dataset", dataset):
                    sums[currency] += cost
            for (dataset, day), cost in truth.parts.stored.items():
                if dataset in made.data and day <= made.until:
                    sums["USD"] += cost
            own = truth.parts.of_data if dimension == "dataset" else served
            sums["USD"] += own.get(name, 0)
            for currency, total in sorted(sums.items()):
                if total:
                    cost_text = f"{total * _PLACES:f}"
                    writer.writerow((dimension, name, made.depth, currency, cost_text))


def _served(world: World, truth: Truth) -> dict[str, int]:
    """Return what serving each model cost."""
    labels = {
        pod.uid: pod.labels.get("model", "") for machine in world.machines for pod in machine.pods
    }
    served: dict[str, int] = defaultdict(int)
    for entry, cost in truth.entries():
        if entry.holder.pod:
            served[labels[entry.holder.pod]] += cost.effective
    return served
