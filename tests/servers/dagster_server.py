"""A real Dagster for the tests: its web server over SQLite."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.cache import venv_from_lock
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFINITIONS = Path(__file__).with_name("dagster_defs.py")


@dataclass(frozen=True, slots=True)
class DagsterServer:
    """One running Dagster, worked with as its users do."""

    uri: str
    folder: Path
    commands: Path
    environment: Mapping[str, str]

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start `dagster <args>` on the definitions of `dagster_defs.py`."""
        command = [str(self.commands / "dagster"), *args, "-f", str(DEFINITIONS)]
        with (self.folder / "runs.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    def ask(self, query: str) -> Any:
        """Ask GraphQL; return its data."""
        content = json.dumps({"query": query}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.uri}/graphql", content, headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  (our own)
            return json.loads(answer.read())["data"]

    def wait(self, job: str, *steps: str) -> str:
        """Wait until a run of a job has begun such steps; return its id."""
        query = (
            "{ runsOrError { ... on Runs { results { runId jobName stepStats { stepKey } } } } }"
        )
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            for run in self.ask(query)["runsOrError"]["results"]:
                begun = {step["stepKey"] for step in run["stepStats"]}
                if run["jobName"] == job and begun >= {*steps}:
                    return str(run["runId"])
            time.sleep(0.3)
        message = f"no run of {job} has begun {steps} after 90 seconds"
        raise RuntimeError(message)


@pytest.fixture(scope="session")
def dagster_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterServer]:
    """Start Dagster once for all tests."""
    folder = tmp_path_factory.mktemp("dagster")
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    venv = venv_from_lock("dagster", DEFINITIONS.with_name("dagster.lock"))
    port = free_port()
    environment = {
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "DAGSTER_HOME": str(folder),
        "END": str(folder / "end"),
    }
    server = DagsterServer(f"http://127.0.0.1:{port}", folder, venv / "bin", environment)
    command = [str(venv / "bin" / "dagster-webserver"), "-h", "127.0.0.1", "-p", str(port)]
    with running(
        [*command, "-f", str(DEFINITIONS)],
        log=folder / "server.log",
        is_ready=lambda: _is_ready(server),
        environment=environment,
    ):
        yield server


def _is_ready(server: DagsterServer) -> bool:
    try:
        return bool(server.ask("{ version }")["version"])
    except OSError:
        time.sleep(0.3)
        return False
