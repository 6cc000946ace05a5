"""Which models a run was for: what it registered, else its tag, its trials, or what started it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from jobs.demo.world import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.demo.world import World

_TAGGED: Final = 0.8
_TAG_THEIRS: Final = frozenset({"training", "sweep", "evaluation"})


def tag_models(world: World) -> None:
    """Let most people tag what they run with the model of their project that it is to be."""
    rng = stream(world.seed, "model tags")
    registered: dict[str, set[str]] = defaultdict(set)
    for run in world.runs:
        if run.project is not None:
            registered[run.project.name] |= {model.name for model, _ in run.models}
    for run in world.runs:
        names = sorted(registered[run.project.name]) if run.project else []
        tags_theirs = rng.random() < _TAGGED and run.kind in _TAG_THEIRS and run.is_tracked
        if names and tags_theirs and run.parent is None:
            run.tagged_model = rng.choice(names)


Purpose = tuple[str, str]
"""A model and its version; '' where what was spent came into no version, or not into one alone."""


def models_of_runs(world: World) -> dict[str, Sequence[str]]:
    """Return the models of each run that was for some, by name; one twice counts twice."""
    return {
        run_id: [model for model, _ in purposes]
        for run_id, purposes in versions_of_runs(world).items()
    }


def versions_of_runs(world: World) -> dict[str, Sequence[Purpose]]:
    """Return the versions of models that each run was for, sorted.

    A parent that neither registered nor tagged one was for the model of its trials, if all that
    they registered is of one; a trial that registered none was for what its parent was for. What a
    tag names is a model that was tried for, of which that run made no version.
    """
    registered = {
        run.run_id: sorted((model.name, str(version)) for model, version in run.models)
        for run in world.runs
        if run.models
    }
    of_trials: dict[str, set[Purpose]] = defaultdict(set)
    for run in world.runs:
        if run.parent is not None:
            of_trials[run.parent.run_id] |= set(registered.get(run.run_id, ()))
    models: dict[str, Sequence[Purpose]] = {}
    for run_id, made in of_trials.items():
        names = {model for model, _ in made}
        if len(names) == 1:
            models[run_id] = sorted(made) if len(made) == 1 else [(names.pop(), "")]
    models |= {run.run_id: [(run.tagged_model, "")] for run in world.runs if run.tagged_model}
    models |= registered
    started = {
        run.run_id: models[run.parent.run_id]
        for run in world.runs
        if run.parent is not None and run.run_id not in models and run.parent.run_id in models
    }
    return models | started
