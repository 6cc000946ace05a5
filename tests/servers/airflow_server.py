"""A real Airflow for the tests: API server, scheduler and DAG processor over SQLite."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.servers.cache import venv_from_lock
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent


@dataclass(slots=True)
class AirflowServer:
    """One running Airflow, asked as its users ask it."""

    uri: str
    dags: Path
    token: str = ""

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the REST API; return its answer."""
        if not self.token:
            self.token = _asked(f"{self.uri}/auth/token", "GET", None, "")["access_token"]
        return _asked(f"{self.uri}/api/v2/{path}", method, body, self.token)

    def add(self, name: str, count: int) -> None:
        """Put a file of DAGs beside the others; wait until there are `count` in all."""
        shutil.copy(_HERE / name, self.dags)
        deadline = time.monotonic() + 240
        while self.ask("GET", "dags")["total_entries"] < count:
            if time.monotonic() > deadline:
                message = f"{name} is not read after four minutes"
                raise RuntimeError(message)
            time.sleep(1)

    def trigger(self, dag_id: str, run_id: str) -> None:
        """Start a run of a DAG."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": {"api_key": "canary-3f9c"}}
        self.ask("POST", f"dags/{dag_id}/dagRuns", body)

    def wait(self, dag_id: str, run_id: str, *states: str) -> None:
        """Wait until a task of a run, and the run itself, are in such a state."""
        path = f"dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
        deadline, run = time.monotonic() + 240, "unknown"
        while time.monotonic() < deadline:
            try:
                run = self.ask("GET", path)["state"]
                tasks = self.ask("GET", f"{path}/taskInstances")["task_instances"]
            except TimeoutError:  # its database is one file, which others lock on a busy machine
                continue
            if run in states and any(one["state"] in states for one in tasks):
                return
            time.sleep(0.3)
        message = f"{run_id} is {run} after four minutes"
        raise RuntimeError(message)


def _asked(url: str, method: str, body: object, token: str) -> Any:
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310  (our own)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None


@pytest.fixture(scope="session")
def airflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowServer]:
    """Start Airflow once for all tests, with the DAGs of `airflow_dags.py`."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    shutil.copy(_HERE / "airflow_dags.py", folder / "dags")
    venv = venv_from_lock("airflow", _HERE / "airflow.lock")
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    environment = {
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "20",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{uri}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
    }
    command = [str(venv / "bin" / "airflow"), "standalone"]
    log = folder / "server.log"
    server = AirflowServer(uri, folder / "dags")
    with running(
        command,
        log=log,
        is_ready=lambda: _is_ready(server),
        environment=environment,
        patience=300.0,
    ):
        yield server


def _is_ready(server: AirflowServer) -> bool:
    """Tell whether both DAGs have been read, which is the last thing to happen."""
    try:
        return bool(server.ask("GET", "dags")["total_entries"] == 2)
    except OSError:
        time.sleep(0.5)
        return False
