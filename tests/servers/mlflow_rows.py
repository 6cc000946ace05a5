"""Many runs put into MLflow's own database by SQL: its client would take hours for them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg  # noqa: TID251  (rows for the tests are put into a server's database)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.servers.mlflow_server import MlflowServer
    from tests.servers.postgres import PostgresServer

COLUMNS = {
    "runs": "run_uuid, name, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, "
    "experiment_id",
    "tags": "run_uuid, key, value",
    "latest_metrics": "run_uuid, key, value, timestamp, step, is_nan",
    "datasets": "dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source",
    "inputs": "input_uuid, source_type, source_id, destination_type, destination_id",
    "input_tags": "input_uuid, name, value",
}
_DATASETS = 50


def rows_of(count: int, experiment: int, now: int) -> Iterator[tuple[str, Sequence[object]]]:
    """Yield (table, row) for runs that ended in the 20 hours before `now` (ms), one after another.

    Each has seven tags and three metrics; every second one reads a dataset.
    """
    for number in range(_DATASETS):
        source = json.dumps({"uri": f"s3://acme-data/corpus-{number}/"})
        row = (f"d{now}-{number}"[-36:], experiment, f"corpus-{number}", f"{number:08x}", "s3")
        yield "datasets", (*row, source)
    step = 20 * 3_600_000 // count
    for number in range(count):
        run_id = f"{now:013x}{number:019x}"
        end = now - number * step
        start = end - 600_000
        named = (f"run {number}", f"user{number % 40}", "FINISHED", start, end)
        yield "runs", (run_id, *named, "active", f"s3://acme-mlflow/{run_id}", experiment)
        tags = {
            "mlflow.user": f"user{number % 40}",
            "mlflow.source.name": "train.py",
            "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": f"{number:040x}",
            "mlflow.runName": f"run {number}",
            "finops.instance_id": f"i-{number % 200:017x}",
            "team": f"team{number % 9}",
        }
        for key, value in tags.items():
            yield "tags", (run_id, key, value)
        for key in ("loss", "accuracy", "epoch"):
            yield "latest_metrics", (run_id, key, 0.5, end, 100, False)
        if number % 2:
            use, dataset = f"u{run_id}", f"d{now}-{number % _DATASETS}"[-36:]
            yield "inputs", (use, "DATASET", dataset, "RUN", run_id)
            yield "input_tags", (use, "mlflow.data.context", "training")


def insert_runs(
    server: MlflowServer, postgres: PostgresServer | None, count: int, experiment: int, now: int
) -> None:
    """Put runs into a server's database."""
    tables: dict[str, list[Sequence[object]]] = {table: [] for table in COLUMNS}
    for table, row in rows_of(count, experiment, now):
        tables[table].append(row)
    if postgres is None:
        path = server.store.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=60)) as lite, lite:
            for table, rows in tables.items():
                marks = ", ".join("?" for _ in rows[0])
                lite.executemany(f"insert into {table} ({COLUMNS[table]}) values ({marks})", rows)
        return
    with psycopg.connect(postgres.uri(with_password=True)) as con, con.cursor() as cursor:
        for table, rows in tables.items():
            with cursor.copy(f"copy {table} ({COLUMNS[table]}) from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
    with psycopg.connect(postgres.uri(with_password=True), autocommit=True) as con:
        con.execute("analyze")
