"""The tracker: MLflow's own SQLite database, as far as its tables concern runs.

Source: MLflow 3.17, mlflow/store/tracking/dbmodels/models.py and
mlflow/store/model_registry/dbmodels/models.py
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from jobs.demo.world import COMPANY, hex_id, stream

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from jobs.demo.world import Run, World

Row = tuple[object, ...]

_SCHEMA: Final = """
create table alembic_version (version_num varchar(32) primary key not null);
create table experiments (
    experiment_id integer primary key not null, name varchar(256) unique not null,
    artifact_location varchar(256), lifecycle_stage varchar(32), creation_time bigint,
    last_update_time bigint
);
create table runs (
    run_uuid varchar(32) primary key not null, name varchar(250), source_type varchar(20),
    source_name varchar(500), entry_point_name varchar(50), user_id varchar(256),
    status varchar(9), start_time bigint, end_time bigint, source_version varchar(50),
    lifecycle_stage varchar(20), artifact_uri varchar(200), experiment_id integer,
    deleted_time bigint
);
create table tags (
    key varchar(250) not null, value varchar(8000), run_uuid varchar(32) not null,
    primary key (key, run_uuid)
);
create table params (
    key varchar(250) not null, value varchar(8000) not null, run_uuid varchar(32) not null,
    primary key (key, run_uuid)
);
create table metrics (
    key varchar(250) not null, value float not null, timestamp bigint not null,
    run_uuid varchar(32) not null, step bigint default 0 not null,
    is_nan boolean default 0 not null,
    primary key (key, timestamp, step, run_uuid, value, is_nan)
);
create table latest_metrics (
    key varchar(250) not null, value float not null, timestamp bigint, step bigint not null,
    is_nan boolean not null, run_uuid varchar(32) not null, primary key (key, run_uuid)
);
create table datasets (
    dataset_uuid varchar(36) not null, experiment_id integer not null, name varchar(500) not null,
    digest varchar(36) not null, dataset_source_type varchar(36) not null,
    dataset_source text not null, dataset_schema text, dataset_profile text,
    primary key (experiment_id, name, digest)
);
create table inputs (
    input_uuid varchar(36) not null, source_type varchar(36) not null,
    source_id varchar(36) not null, destination_type varchar(36) not null,
    destination_id varchar(36) not null, step bigint default 0 not null,
    primary key (source_type, source_id, destination_type, destination_id)
);
create table input_tags (
    input_uuid varchar(36) not null, name varchar(255) not null, value varchar(500) not null,
    primary key (input_uuid, name)
);
create table registered_models (
    name varchar(256) primary key not null, creation_time bigint, last_updated_time bigint,
    description varchar(5000)
);
create table model_versions (
    name varchar(256) not null, version integer not null, creation_time bigint,
    last_updated_time bigint, description varchar(5000), user_id varchar(256),
    current_stage varchar(20), source varchar(500), run_id varchar(32), status varchar(20),
    status_message varchar(500), run_link varchar(500), storage_location varchar(500),
    primary key (name, version)
);
"""
_REVISION: Final = "dc11669786a5"
_KINDS: Final = {
    "generation": "job",
    "notebook": "notebook",
    "preparation": "job",
    "sweep": "pipeline",
}
_CLOCK_ERROR: Final = 7 * 60
_POINTS: Final = 4


def write_tracker(path: Path, world: World) -> None:
    """Write the database; one that is there is replaced."""
    path.unlink(missing_ok=True)
    tracker = _Tracker(world)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(_SCHEMA)
        for table, rows in tracker.tables().items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"insert into {table} values ({marks})", rows)
        connection.commit()


class _Tracker:
    """What the tracker was told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs = [run for run in world.runs if run.is_tracked]
        self.rng: random.Random = stream(world.seed, "tracker")
        names = sorted({run.experiment for run in self.runs} - {"Default"})
        self.experiments = {name: number for number, name in enumerate(["Default", *names])}

    def tables(self) -> dict[str, list[Row]]:
        """Return the rows of every table."""
        world = self.world
        start = world.calendar.start * 1000
        tables: dict[str, list[Row]] = {
            "alembic_version": [(_REVISION,)],
            "experiments": [
                (
                    number,
                    name,
                    f"s3://{COMPANY}-checkpoints-use1/runs/{number}",
                    "active",
                    start,
                    start,
                )
                for name, number in self.experiments.items()
            ],
            "runs": [self._run(run) for run in self.runs],
            "tags": [row for run in self.runs for row in self._tags(run)],
            "params": [row for run in self.runs for row in self._params(run)],
            "metrics": [],
            "latest_metrics": [],
        }
        for run in self.runs:
            for row in self._metrics(run):
                tables["metrics"].append(row)
            key, value, at, _, step, _ = tables["metrics"][-1]
            tables["latest_metrics"].append((key, value, at, step, 0, run.run_id))
        return tables | self._inputs() | self._models()

    def _run(self, run: Run) -> Row:
        start, end = run.start * 1000, run.end * 1000
        if run.ends_early:
            end = start - _CLOCK_ERROR * 1000
        number = self.experiments[run.experiment]
        return (
            run.run_id,
            run.name,
            "UNKNOWN",
            "",
            "",
            run.user_raw if run.tells_user else "root",
            run.status,
            start,
            None if run.status == "RUNNING" else end,
            "",
            "active",
            f"s3://{COMPANY}-checkpoints-use1/runs/{number}/{run.run_id}/artifacts",
            number,
            None,
        )

    def _tags(self, run: Run) -> Iterator[Row]:
        tags = {
            "mlflow.user": run.user_raw if run.tells_user else "root",
            "mlflow.runName": run.name,
            "mlflow.source.name": f"{run.kind}.py",
            "mlflow.source.type": "NOTEBOOK" if run.kind == "notebook" else "LOCAL",
            "mlflow.source.git.commit": hex_id(self.rng, 40),
            "finops.kind": _KINDS.get(run.kind, "training"),
        }
        if run.parent is not None:
            tags["mlflow.parentRunId"] = run.parent.run_id
        if run.tells_team and run.team and run.project:
            tags |= {"team": run.tagged_team or run.team, "project": run.project.name}
        tags |= self._place(run)
        if run.writes:
            wrote = (data.uri_of(data.version_at(run.end)) for data in run.writes)
            tags["finops.output_dataset"] = ",".join(wrote)
        if run.tagged_model:
            tags["model"] = run.tagged_model
        if run.snapshot_id:
            tags["data_snapshot"] = run.snapshot_id
        for key, value in sorted(tags.items()):
            yield key, value, run.run_id

    def _place(self, run: Run) -> dict[str, str]:
        if run.machine is not None:
            tags = {"finops.instance_id": run.machine.machine_id}
            return tags | ({"finops.gpu_count": str(run.gpus)} if run.gpus else {})
        if run.inside is not None:
            return {
                "finops.pod_uid": run.inside.uid,
                "finops.namespace": run.inside.namespace,
                "finops.cluster": run.inside.machine.cluster,
            }
        if run.job_arn:
            return {"finops.cloud_job_arn": run.job_arn}
        if run.slurm_job:
            return {"slurm_job_id": run.slurm_job}
        return {"finops.namespace": run.pods[0].namespace} if run.pods else {}

    def _params(self, run: Run) -> Iterator[Row]:
        if run.kind == "preparation":
            return
        yield "learning_rate", repr(round(10 ** self.rng.uniform(-5, -2), 7)), run.run_id
        yield "batch_size", str(2 ** self.rng.randint(3, 10)), run.run_id
        yield "seed", str(self.rng.randint(0, 9999)), run.run_id

    def _metrics(self, run: Run) -> Iterator[Row]:
        """Yield the points of a metric; the last is the run's last sign of life."""
        loss = self.rng.uniform(1.5, 4)
        key = "rows" if run.kind == "preparation" else "loss"
        last = max(run.end - 20, run.start)
        for step in range(_POINTS):
            at = run.start + (last - run.start) * (step + 1) // _POINTS
            loss *= self.rng.uniform(0.6, 1.02)
            yield key, round(loss, 6), at * 1000, run.run_id, step, 0

    def _inputs(self) -> dict[str, list[Row]]:
        datasets: dict[tuple[int, str], Row] = {}
        inputs: list[Row] = []
        tags: list[Row] = []
        for run in self.runs:
            number = self.experiments[run.experiment]
            for read in run.reads:
                data = read.dataset
                uri = data.uri_of(data.version_at(run.start))
                if (number, uri) not in datasets:
                    source = json.dumps({"uri": uri})
                    datasets[number, uri] = (
                        hex_id(self.rng, 32),
                        number,
                        data.name,
                        hex_id(self.rng, 8),
                        "s3",
                        source,
                        None,
                        None,
                    )
                use, dataset_id = hex_id(self.rng, 32), datasets[number, uri][0]
                inputs.append((use, "DATASET", dataset_id, "RUN", run.run_id, 0))
                context = "evaluation" if run.kind == "evaluation" else "training"
                tags.append((use, "mlflow.data.context", context))
                if read.is_logged:
                    tags.append((use, "finops.bytes_read", str(read.bytes_read)))
        return {"datasets": list(datasets.values()), "inputs": inputs, "input_tags": tags}

    def _models(self) -> dict[str, list[Row]]:
        made = sorted(
            (
                (model.name, version, run.end * 1000, run)
                for run in self.runs
                for model, version in run.models
            ),
            key=lambda row: row[:2],
        )
        first: dict[str, int] = {}
        versions: list[Row] = []
        for name, version, at, run in made:
            first.setdefault(name, at)
            versions.append(
                (
                    name,
                    version,
                    at,
                    at,
                    "",
                    run.user_raw,
                    "None",
                    f"s3://{COMPANY}-checkpoints-use1/runs/{run.run_id}/artifacts/model",
                    run.run_id,
                    "READY",
                    None,
                    "",
                    None,
                )
            )
        registered: list[Row] = [(name, at, at, None) for name, at in first.items()]
        return {"registered_models": registered, "model_versions": versions}
