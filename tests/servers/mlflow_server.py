"""Real MLflow servers for the tests, over SQLite and over PostgreSQL, with MLflow's own client.

The client runs in MLflow's environment, which is not ours: `work` sends it a task by name, to
`mlflow_work.py`, and returns what it answers.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg  # noqa: TID251  (what the file of tests before left is dropped by SQL)
import pytest

from tests.servers.cache import venv_from_lock
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.postgres import PostgresServer

pytest_plugins = ["tests.servers.postgres"]

_HERE = Path(__file__).parent
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True, slots=True)
class MlflowServer:
    """One running server."""

    uri: str
    """For clients."""
    store: str
    """Its database, as the connector's `root` names it."""
    venv: Path

    def work(self, task: str, **given: object) -> Any:
        """Have MLflow's own client do a task of `mlflow_work.py`."""
        done = subprocess.run(
            [self.venv / "bin" / "python", _HERE / "mlflow_work.py", task, json.dumps(given)],
            capture_output=True,
            text=True,
            check=False,
            env={"MLFLOW_TRACKING_URI": self.uri, "PATH": "/usr/bin:/bin", **_QUIET},
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def mlflow_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Start a server over a SQLite file, once for each file of tests: they count its runs."""
    folder = tmp_path_factory.mktemp("mlflow_sqlite")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    with _serving(folder, store, store) as server:
        yield server


@pytest.fixture(scope="module")
def mlflow_with_workspaces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Start a server over a SQLite file that has workspaces."""
    folder = tmp_path_factory.mktemp("mlflow_workspaces")
    store = f"sqlite:///{folder / 'mlflow.db'}"
    with _serving(folder, store, store, "--enable-workspaces") as server:
        yield server


@pytest.fixture(scope="module")
def mlflow_on_postgres(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[MlflowServer]:
    """Start a server over an empty PostgreSQL, once for each file of tests: they count its runs."""
    with psycopg.connect(postgres_server.uri(with_password=True)) as owner:
        owner.execute("drop schema public cascade")
        owner.execute("create schema public")
        owner.execute("grant usage on schema public to public")
    folder = tmp_path_factory.mktemp("mlflow_postgres")
    for_server = postgres_server.uri(with_password=True, scheme="postgresql+psycopg2")
    with _serving(folder, for_server, postgres_server.uri(with_password=False)) as server:
        yield server


@contextmanager
def _serving(folder: Path, backend: str, store: str, *options: str) -> Iterator[MlflowServer]:
    venv = venv_from_lock("mlflow", _HERE / "mlflow.lock")
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    command = [str(venv / "bin" / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", backend, "--workers", "1", *options]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    path = f"{venv / 'bin'}:/usr/bin:/bin"
    with running(
        command,
        log=folder / "server.log",
        is_ready=lambda: _is_healthy(uri),
        environment={**_QUIET, "PATH": path},
    ):
        yield MlflowServer(uri, store, venv)


def _is_healthy(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:  # noqa: S310  (our own)
            return bool(answer.status == 200)
    except OSError:
        return False
