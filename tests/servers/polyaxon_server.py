"""A real Polyaxon for the tests: its open API server over SQLite, without a cluster."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.cache import venv_from_lock
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class PolyaxonServer:
    """One running Polyaxon, worked with as its client does."""

    root: str

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the REST API; return its answer."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        url = f"{self.root}/api/v1/default/{path}"
        request = urllib.request.Request(url, content, headers, method=method)  # noqa: S310  (our own)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None

    def start_run(self, project: str, name: str, *tags: str) -> str:
        """Have a run that no agent manages, as a notebook's; return its id."""
        told = {"name": name, "is_managed": False, "managed_by": "user", "tags": tags}
        told |= {"meta_info": {"key": "canary-3f9c"}}
        return str(self.ask("POST", f"{project}/runs", told)["uuid"])

    def set_status(self, project: str, run: str, status: str) -> None:
        """Say in what state a run is."""
        condition = {"type": status, "status": True, "reason": "test"}
        self.ask("POST", f"{project}/runs/{run}/statuses", {"condition": condition})


@pytest.fixture(scope="session")
def polyaxon_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PolyaxonServer]:
    """Start Polyaxon once for all tests."""
    folder = tmp_path_factory.mktemp("polyaxon")
    venv = venv_from_lock("polyaxon", _HERE / "polyaxon.lock")
    port = free_port()
    server = PolyaxonServer(f"http://127.0.0.1:{port}")
    command = [str(venv / "bin" / "haupt"), "sandbox", "start", "--workers", "1"]
    with running(
        [*command, "--host", "127.0.0.1", "--port", str(port), "--path", str(folder)],
        log=folder / "server.log",
        is_ready=lambda: _is_ready(server),
        environment={
            "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
            "HOME": str(folder),
            "POLYAXON_HOME": str(folder),
        },
        patience=300.0,
    ):
        yield server


def _is_ready(server: PolyaxonServer) -> bool:
    try:
        return isinstance(server.ask("GET", "projects/list"), dict)
    except OSError:
        time.sleep(0.3)
        return False
