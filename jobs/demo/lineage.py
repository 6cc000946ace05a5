"""What was made from what: datasets from datasets, models from them, and models from other models.

Each project builds its datasets one from another, and the first of them from tables that all
share. In three projects a model was asked for
answers, the answers became a dataset, and a smaller model was trained on those alone. Some sweeps
registered what the best of their trials made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.world import DAY, Read, stream

if TYPE_CHECKING:
    from jobs.demo.world import Dataset, Model, Run, World

_SWEEPS: Final = 8
_SHARED: Final = "reference-tables"


class Distilled(NamedTuple):
    """A model, what it answered, and the model made from that."""

    teacher: str
    answers: str
    student: str


STORIES: Final = (
    Distilled("assistant-instruct", "tool-traces", "assistant-distilled"),
    Distilled("contract-reader-instruct", "redline-history", "contract-reader-distilled"),
    Distilled("translation-instruct", "back-translations", "translation-distilled"),
)


def derive(world: World) -> None:
    """Let runs read what others made, and register what they made of it."""
    rng = stream(world.seed, "lineage")
    earlier = _earlier(world)
    for run in world.runs:
        if run.kind == "preparation":
            for dataset in run.writes:
                before = earlier.get(dataset.name)
                if before is not None and before.region == run.region:
                    part = before.size_bytes // rng.randint(40, 90)
                    run.reads.append(Read(before, part, is_logged=True))
    for story in STORIES:
        _distil(world, story)
    sweeps = [run for run in world.runs if run.kind == "sweep" and run.pods and run.project]
    for run in rng.sample(sweeps, min(_SWEEPS, len(sweeps))):
        register(world, run, rng.choice([m for m in world.models if m.project == run.project]))


def _earlier(world: World) -> dict[str, Dataset]:
    """Return, by the name of a dataset, the one that it is built from."""
    shared = next(data for data in world.datasets if data.name == _SHARED)
    earlier: dict[str, Dataset] = {}
    for before, after in zip(world.datasets, world.datasets[1:], strict=False):
        is_next = before.project == after.project
        if is_next or after.project != shared.project:
            earlier[after.name] = before if is_next else shared
    earlier.pop(_SHARED, None)
    return earlier


def _distil(world: World, story: Distilled) -> None:
    models = {model.name: model for model in world.models}
    teacher, student = models[story.teacher], models[story.student]
    answers = next(data for data in world.datasets if data.name == story.answers)
    runs = [
        run
        for run in world.runs
        if run.kind == "training" and run.status == "FINISHED" and run.project == teacher.project
    ]
    first = _next(runs, world.calendar.start)
    asked = _next(runs, first.end + DAY) if first else None
    last = _next(runs, asked.end + DAY) if asked else None
    if first is None or asked is None or last is None:
        return  # so short a time tells no such story
    if teacher not in {model for model, _ in first.models}:
        register(world, first, teacher)
    asked.kind, asked.writes = "generation", [answers]
    asked.name = f"answers-of-{teacher.name}-{asked.run_id[:4]}"
    last.reads = [Read(answers, answers.size_bytes // 3, is_logged=True)]
    if student not in {model for model, _ in last.models}:
        register(world, last, student)


def _next(runs: list[Run], after: int) -> Run | None:
    """Return the first run that began after a time, on pods, and whose evidence is sound."""
    return next(
        (run for run in runs if run.start > after and run.pods and not run.ends_early), None
    )


def register(world: World, run: Run, model: Model) -> None:
    """Register one more version of a model, made by a run."""
    versions = [number for one in world.runs for made, number in one.models if made == model]
    run.models.append((model, max(versions, default=0) + 1))
