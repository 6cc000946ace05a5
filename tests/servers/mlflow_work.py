"""Work done by MLflow's own client, in MLflow's own environment: `mlflow_work.py TASK JSON`.

Each function is a task; what it returns is printed as the last line, as JSON.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import mlflow  # type: ignore[import-not-found]
from mlflow import MlflowClient
from mlflow.entities import (  # type: ignore[import-not-found]
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
)

HOUR = 3_600_000
client = MlflowClient()


def log_run(  # noqa: PLR0913  (what a run has)
    experiment: str,
    name: str,
    *,
    start: int,
    end: int | None = None,
    status: str = "FINISHED",
    tags: dict[str, str] | None = None,
    datasets: list[dict[str, Any]] | None = None,
    metric_at: int | None = None,
) -> str:
    """Log one run with times of its own; without `end` it stays open."""
    found = client.get_experiment_by_name(experiment)
    experiment_id = found.experiment_id if found else client.create_experiment(experiment)
    run = client.create_run(experiment_id, start_time=start, run_name=name, tags=tags or {})
    run_id: str = run.info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric("loss", 0.5, metric_at or start, 1), Metric("loss", 0.25, start, 0)],
        params=[Param("lr", "0.1"), Param("api_key", "do-not-copy-me")],
        tags=[RunTag("mlflow.user", "ann")],
    )
    inputs = [
        DatasetInput(
            Dataset(one["name"], one["digest"], one["type"], json.dumps(one["source"])),
            tags=[InputTag(key, value) for key, value in one["tags"].items()],
        )
        for one in datasets or []
    ]
    if inputs:
        client.log_inputs(run_id, datasets=inputs)
    if end is not None:
        client.set_terminated(run_id, status=status, end_time=end)
    return run_id


def first_day(now: int) -> dict[str, str]:
    """Log a day's worth of runs of every sort."""
    reads = [
        {
            "name": "corpus",
            "digest": "abcd1234",
            "type": "s3",
            "source": {"uri": "S3A://Acme-Data/corpus/v1/"},
            "tags": {"mlflow.data.context": "training", "finops.bytes_read": "1024"},
        },
        {
            "name": "predictions",
            "digest": "ffff0000",
            "type": "s3",
            "source": {"uri": "s3://acme-data/out/p1"},
            "tags": {"mlflow.data.context": "output"},
        },
    ]
    place = {"finops.instance_id": "i-0a,i-0b", "finops.gpu_count": "16", "team": "vision"}
    made = {
        "trained": log_run(
            "resnet", "trained", start=now - 5 * HOUR, end=now - HOUR, tags=place, datasets=reads
        ),
        "failed": log_run(
            "resnet", "failed", start=now - 9 * HOUR, end=now - 8 * HOUR, status="FAILED"
        ),
        "old": log_run("resnet", "old", start=now - 410 * HOUR, end=now - 400 * HOUR),
        "open": log_run("llm", "open", start=now - 30 * HOUR, metric_at=now - HOUR),
        "silent": log_run("llm", "silent", start=now - 60 * HOUR, metric_at=now - 26 * HOUR),
        "backwards": log_run("llm", "backwards", start=now - HOUR, end=now - 2 * HOUR),
        "deleted": log_run("llm", "deleted", start=now - 4 * HOUR, end=now - 3 * HOUR),
    }
    made["child"] = log_run(
        "llm",
        "child",
        start=now - 2 * HOUR,
        end=now - HOUR,
        status="KILLED",
        tags={"mlflow.parentRunId": made["open"]},
    )
    client.delete_run(made["deleted"])
    _register("resnet50", made["trained"])
    _register("resnet50", made["failed"])
    _register("resnet50-eu", made["trained"])
    client.delete_model_version("resnet50", "2")
    client.create_registered_model("empty")
    return made


def _register(name: str, run_id: str) -> None:
    """Log a model of a run, and register it."""
    run = client.get_run(run_id)
    model = client.create_logged_model(run.info.experiment_id, source_run_id=run_id)
    client.log_outputs(run_id, models=[LoggedModelOutput(model.model_id, step=0)])
    client.finalize_logged_model(model.model_id, "READY")
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    source = f"models:/{model.model_id}"
    client.create_model_version(name, source, model_id=model.model_id)


def later_edits(now: int, runs: dict[str, str]) -> dict[str, str]:
    """Do what moves no time, or a time in the past: the second night must see all of it."""
    client.set_tag(runs["trained"], "project", "search")
    client.set_tag(runs["old"], "project", "archive")
    client.set_terminated(runs["open"], end_time=now - 200 * HOUR)
    client.delete_run(runs["failed"])
    client.restore_run(runs["deleted"])
    client.rename_experiment(client.get_experiment_by_name("llm").experiment_id, "language")
    client.rename_registered_model("resnet50", "resnet-50")
    return {"past": log_run("llm2", "past", start=now - 300 * HOUR, end=now - 290 * HOUR)}


def many(now: int, count: int) -> dict[str, str]:
    """Log runs that all ended within the same millisecond."""
    names = [f"twin{number}" for number in range(count)]
    return {name: log_run("twins", name, start=now - HOUR, end=now) for name in names}


def in_workspaces(now: int) -> dict[str, str]:
    """Do the same work in three workspaces: an experiment and a model of one name in each."""
    made = {}
    for number, name in enumerate(("default", "speech", "vision")):
        if number:
            mlflow.create_workspace(name)
        mlflow.set_workspace(name)
        at = now - HOUR * (3 + number)
        made[name] = log_run("resnet", f"in {name}", start=at, end=now - HOUR)
        made[f"open in {name}"] = log_run("resnet", f"open in {name}", start=at)
        _register("resnet50", made[name])
    return made


def end_in_the_past(workspace: str, run_id: str, at: int) -> dict[str, str]:
    """End a run of a workspace at a time long ago."""
    mlflow.set_workspace(workspace)
    client.set_terminated(run_id, end_time=at)
    return {}


def busy_gpus(begun: int, count: int) -> dict[str, str]:
    """Log how busy a GPU was over 32 hours, as the monitor of system metrics does."""
    run_id = log_run("gpus", "busy", start=begun, tags={"finops.instance_id": "i-0a"})
    step = 32 * HOUR // count
    key = "system/gpu_0_utilization_percentage"
    for low in range(0, count, 1000):
        numbers = range(low, min(low + 1000, count))
        metrics = [Metric(key, number % 100, begun + number * step, number) for number in numbers]
        client.log_batch(run_id, metrics=metrics)
    return {"run": run_id}


def learn(begun: int, run: str = "") -> dict[str, str]:
    """Log what two runs are for, or how the first went on: a loss, and one without steps."""
    if run:
        points = [
            Metric("val/loss", number, begun + number, number) for number in range(6000, 9000)
        ]
        points += [Metric("plain_loss", 7.0, begun + 9000, 0), Metric("new_loss", 1.0, begun, 3)]
    else:
        run = log_run("learning", "long", start=begun)
        points = [Metric("val/loss", number, begun + number, number) for number in range(6000)]
        points += [Metric("plain_loss", number, begun + number, 0) for number in range(3000)]
        points += [Metric("odd_loss", math.nan, begun, 0), Metric("odd_loss", math.inf, begun, 1)]
        points += [Metric("odd_loss", -math.inf, begun, 2), Metric("odd_loss", 0.25, begun, 3)]
        points += [Metric("accuracy", 0.5, begun, 0)]
        short = log_run("learning", "short", start=begun, end=begun + 1000)
        client.log_batch(short, metrics=[Metric("val/loss", 0.1 + 0.2, begun, 0)])
    for low in range(0, len(points), 1000):
        client.log_batch(run, metrics=points[low : low + 1000])
    return {"run": run}


if __name__ == "__main__":
    DONE = (first_day, later_edits, many, in_workspaces, end_in_the_past, busy_gpus, learn)
    TASKS = {task.__name__: task for task in DONE}
    print(json.dumps(TASKS[sys.argv[1]](**json.loads(sys.argv[2]))))  # noqa: T201
