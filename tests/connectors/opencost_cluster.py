"""A small cluster as OpenCost tells of it, for tests."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.opencost import Opencost

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DAY = date(2026, 10, 5)
GIB = 2**30
Json = dict[str, Any]


def at_hour(day: date, hour: float) -> str:
    time = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)
    return time.isoformat().replace("+00:00", "Z")


def allocation(  # noqa: PLR0913 - what an allocation is made of
    pod: str,
    *,
    hour: int = 0,
    start: float | None = None,
    end: float | None = None,
    gpu: float = 0,
    cpu: float = 0,
    gib: float = 0,
    container: str = "main",
    day: date = DAY,
    hours: int = 1,
    **labels: str,
) -> tuple[str, Json]:
    """Return a container's allocation in a window of `hours`, by its name there."""
    facts = {
        "cluster": "cluster-one",
        "node": "node-a",
        "namespace": "vision",
        "pod": pod,
        "container": container,
        "providerID": "aws:///us-east-1a/i-0AB",
        "labels": labels,
    }
    return f"cluster-one/node-a/vision/{pod}/{container}", {
        "properties": facts,
        "window": {"start": at_hour(day, hour), "end": at_hour(day, hour + hours)},
        "start": at_hour(day, hour if start is None else start),
        "end": at_hour(day, hour + hours if end is None else end),
        "cpuCoreHours": cpu,
        "gpuHours": gpu,
        "ramByteHours": gib * GIB,
        "totalCost": 123.45,
    }


def answer(*sets: Iterable[tuple[str, Json]]) -> Json:
    return {"code": 200, "status": "success", "data": [dict(each) for each in sets]}


GOOD = answer(
    [
        allocation("train-1", gpu=4, cpu=16, gib=64, user="alice", mlflow_run_id="r1"),
        allocation("train-1", container="sidecar", start=0.5, end=1, cpu=0.5, gib=1),
        ("__idle__", {"properties": {"cluster": "cluster-one"}, "cpuCoreHours": 3}),
    ],
    [allocation("train-1", hour=1, start=1, end=1.25, gpu=1, cpu=4, gib=16)],
    [],
)


def save(folder: Path, content: Any, name: str = f"{DAY}.json") -> Opencost:
    folder.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return Opencost(root=str(folder))
