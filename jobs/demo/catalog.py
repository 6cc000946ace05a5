"""The datasets the company keeps and the models it registers.

One story lies in here: two large datasets live in eu-west-1 and are read mostly from us-east-1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobs.demo.people import LEFT, MOVED, PROJECTS
from jobs.demo.world import COMPANY, DAY, EAST, GIB, WEST, Dataset, Model, stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobs.demo.world import Calendar, Person, Project

_DATASETS: Final[Mapping[str, str]] = {
    "shelf-vision": "shelf-photos, shelf-labels, planograms",
    "drone-inspection": "pylon-flights, crack-masks, thermal-tiles",
    "visual-search": "product-shots, lookalike-pairs, street-snaps",
    "assistant": "web-text-clean, dialogue-turns, preference-pairs, tool-traces",
    "contract-reader": "clause-corpus, redline-history",
    "translation": "parallel-text, back-translations, term-bank",
    "voice-desk": "call-audio, call-transcripts, noise-bank",
    "captions": "broadcast-audio, caption-tracks, speaker-marks",
    "home-feed": "click-stream, feed-sessions, item-features",
    "basket-next": "basket-lines, basket-negatives, loyalty-features",
    "demand-outlook": "store-sales, weather-grid, promo-calendar",
    "energy-load": "meter-readings, grid-events",
    "warehouse-pick": "grasp-trials, arm-video, depth-frames",
    "route-learning": "courier-traces, road-graph, map-tiles",
    "query-ranking": "query-log, judged-pairs, click-judgements",
    "catalog-embeddings": "catalog-text, catalog-images",
    "ml-platform": "benchmark-suite, telemetry-archive, smoke-tests",
    "data-lake": "event-lake, reference-tables, store-master",
}
"""Project -> its datasets."""
_TERABYTES: Final[Mapping[str, float]] = {
    "web-text-clean": 210.0,
    "broadcast-audio": 96.0,
    "call-audio": 64.0,
    "arm-video": 120.0,
    "click-stream": 140.0,
    "event-lake": 260.0,
    "pylon-flights": 74.0,
    "product-shots": 38.0,
    "parallel-text": 22.0,
    "thermal-tiles": 31.0,
    "telemetry-archive": 58.0,
}
FAR: Final = ("product-shots", "parallel-text")
"""Kept in eu-west-1, read from us-east-1: compute far from its data."""
_WESTERN: Final = ("energy-load", "captions", "route-learning")
"""Projects that work in eu-west-1."""
_KEPT: Final = (
    *("parallel-text", "click-stream", "caption-tracks", "call-transcripts"),
    *("smoke-tests", "reference-tables", "shelf-labels"),
)
"""Datasets whose last version is kept beside the newest."""
_COLD: Final = ("telemetry-archive", "back-translations", "redline-history")
_MODELS: Final[Mapping[str, str]] = {
    "vision": "detector, segmenter, classifier",
    "language": "base, instruct, reward, distilled",
    "speech": "recogniser, diariser, denoiser, punctuator",
    "recommendations": "ranker, retriever, sequence, cold-start",
    "forecasting": "quantile, hierarchy, anomaly",
    "robotics": "policy, grasp-scorer, world, planner",
    "search": "ranker, encoder, speller, expander",
    "platform": "cost-outlook, log-parser",
}
"""Team -> what its models do; each project of the team has one of each."""

BUCKETS: Final[Mapping[str, str]] = {
    f"{COMPANY}-datasets-use1": EAST,
    f"{COMPANY}-media-use1": EAST,
    f"{COMPANY}-lake-use1": EAST,
    f"{COMPANY}-datasets-euw1": WEST,
    f"{COMPANY}-checkpoints-use1": EAST,
    f"{COMPANY}-scratch-euw1": WEST,
}
"""Bucket -> region. The last two hold no registered dataset."""


def collect_datasets(
    seed: int, calendar: Calendar, people: Sequence[Person], projects: Sequence[Project]
) -> list[Dataset]:
    """Return the datasets, project by project, each owned by somebody of its team."""
    rng = stream(seed, "datasets")
    datasets: list[Dataset] = []
    for project in projects:
        team = [
            person
            for person in people
            if person.stays[0].team == project.team and person.user_id not in {MOVED, LEFT}
        ]
        for name in _DATASETS[project.name].split(", "):
            size = int(_TERABYTES.get(name, rng.uniform(0.4, 14.0)) * 1000 * GIB)
            region = WEST if name in FAR or project.name in _WESTERN else EAST
            late = rng.randrange(5) == 0
            datasets.append(
                Dataset(
                    name=name,
                    version=f"v{rng.randint(1, 6)}",
                    bucket=_bucket_of(name, project.name, region),
                    prefix=f"{project.name}/{name}",
                    region=region,
                    size_bytes=size,
                    object_count=max(40, size // rng.randint(2**22, 2**27)),
                    storage_class="STANDARD_IA" if name in _COLD else "STANDARD",
                    project=project,
                    owner=rng.choice(team),
                    made_at=calendar.start + (rng.randint(10, 50) * DAY if late else 0),
                    is_kept=name in _KEPT,
                )
            )
    return datasets


def _bucket_of(name: str, project: str, region: str) -> str:
    if region == WEST:
        return f"{COMPANY}-datasets-euw1"
    if project == "data-lake" or name in {"click-stream", "query-log", "telemetry-archive"}:
        return f"{COMPANY}-lake-use1"
    if name.endswith(("audio", "video", "photos", "flights", "frames", "images")):
        return f"{COMPANY}-media-use1"
    return f"{COMPANY}-datasets-use1"


def register_models(projects: Sequence[Project]) -> list[Model]:
    """Return the models, project by project."""
    return [
        Model(f"{project.name}-{what}", project)
        for project in projects
        for what in _MODELS[project.team].split(", ")
    ]


def teams() -> list[str]:
    """Return the teams."""
    return list(PROJECTS)
