"""A real Ray head with imaginary GPUs, with Ray's own client, which runs in Ray's environment."""

from __future__ import annotations

import json
import subprocess
import tempfile
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
GPUS = 4


@dataclass(frozen=True, slots=True)
class RayServer:
    """A running cluster of one node."""

    address: str
    folder: Path
    venv: Path
    environment: Mapping[str, str]

    def work(self, task: str, **given: object) -> Any:
        """Have Ray's own client do a task of `ray_work.py`."""
        python = self.venv / "bin" / "python"
        done = subprocess.run(
            [python, _HERE / "ray_work.py", self.address, task, json.dumps(given)],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    @property
    def exported(self) -> Path:
        """Where Ray writes its events."""
        return self.folder / "session_latest" / "logs" / "export_events"


@pytest.fixture(scope="session")
def ray_server() -> Iterator[RayServer]:
    """Start Ray once for all tests; it needs a short path, for its sockets."""
    venv = venv_from_lock("ray", _HERE / "ray.lock")
    environment = {
        "PATH": f"{venv / 'bin'}:/usr/bin:/bin",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_export_api_write": "1",
    }
    with tempfile.TemporaryDirectory(prefix="ray-") as name:
        folder, port = Path(name), free_port()
        address = f"http://127.0.0.1:{port}"
        command = [str(venv / "bin" / "ray"), "start", "--head", "--block", "--num-cpus=2"]
        command += [f"--num-gpus={GPUS}", f"--port={free_port()}", f"--dashboard-port={port}"]
        command += [f"--dashboard-agent-listen-port={free_port()}", f"--temp-dir={folder}"]
        command += [f"--ray-client-server-port={free_port()}", "--disable-usage-stats"]
        with running(
            command,
            log=folder / "head.log",
            is_ready=lambda: _is_healthy(address),
            environment=environment,
        ):
            yield RayServer(address, folder, venv, environment)


def _is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/api/version", timeout=5) as answer:  # noqa: S310  (our own)
            return bool(answer.status == 200)
    except OSError:
        return False
