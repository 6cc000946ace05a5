"""A real Prefect for the tests: the API server over SQLite."""

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

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """One running Prefect, worked with as its users do."""

    uri: str
    folder: Path
    python: Path
    environment: Mapping[str, str]

    def start(self, *args: str) -> subprocess.Popen[bytes]:
        """Start flows of `prefect_flows.py`."""
        command = [str(self.python), str(_HERE / "prefect_flows.py"), *args]
        with (self.folder / "flows.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the REST API; return its answer."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"{self.uri}/{path}", content, headers, method=method)  # noqa: S310  (our own)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def wait(self, name: str, state: str) -> str:
        """Wait until the newest run of a flow is in a state; return its id."""
        wanted = {"flows": {"name": {"any_": [name]}}, "sort": "START_TIME_DESC", "limit": 1}
        deadline, seen = time.monotonic() + 60, "not there"
        while time.monotonic() < deadline:
            found = self.ask("POST", "flow_runs/filter", wanted)
            seen = found[0]["state_type"] if found else seen
            if seen == state:
                return str(found[0]["id"])
            time.sleep(0.2)
        message = f"the flow {name} is {seen} after a minute"
        raise RuntimeError(message)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """Start Prefect once for all tests."""
    folder = tmp_path_factory.mktemp("prefect")
    venv = venv_from_lock("prefect", _HERE / "prefect.lock")
    port = free_port()
    uri = f"http://127.0.0.1:{port}/api"
    environment = {
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "HOME": str(folder),
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": uri,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    server = PrefectServer(uri, folder, venv / "bin" / "python", environment)
    command = [str(venv / "bin" / "prefect"), "server", "start"]
    with running(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        log=folder / "server.log",
        is_ready=lambda: _is_ready(server),
        environment=environment,
    ):
        yield server


def _is_ready(server: PrefectServer) -> bool:
    try:
        return bool(server.ask("GET", "health"))
    except OSError:
        time.sleep(0.3)
        return False
