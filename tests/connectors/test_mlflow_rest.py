"""MLflow's server behind a bad line: what passes is waited for, what does not is told."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
import stamina

from connectors.base import SourceError
from connectors.mlflow import Mlflow
from tests.connectors.mlflow_nights import Nights
from tests.servers.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.servers.mlflow_server import MlflowServer

pytest_plugins = ["tests.servers.mlflow_server"]

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
API = "/api/2.0/mlflow/"
RUN = {"info": {"run_id": "r1", "experiment_id": "1", "status": "FINISHED", "start_time": 5}}
CANNED = {
    "experiments/search": {"experiments": [{"experiment_id": "1", "name": "resnet"}]},
    "model-versions/search": {},
    "runs/search": {"runs": [RUN]},
    "/api/3.0/mlflow/server-info": {"workspaces_enabled": False},
}


@dataclass
class Line:
    """A server that answers, or passes on to another one, but for its faults."""

    upstream: str = ""
    """Where requests are passed on to; canned answers without."""
    faults: list[str] = field(default_factory=list)
    """What goes wrong with the next requests, in order; `ok` for nothing."""
    always: str = ""
    """What goes wrong with every request."""
    seen: list[tuple[float, str, dict[str, str]]] = field(default_factory=list)
    """(time, path, headers) of each request."""
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each fault that has a status."""
    uri: str = ""


class Handler(BaseHTTPRequestHandler):
    """Answers for a Line."""

    line: Line
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.line.seen.append((time.monotonic(), self.path, dict(self.headers)))
        fault = self.line.always or (self.line.faults.pop(0) if self.line.faults else "ok")
        content = b"" if fault.isdigit() else self.content(body)
        if fault == "reset":
            self.close_connection = True
            self.connection.close()
        elif fault == "cut":
            self.send(200, content[: len(content) // 2], length=len(content))
            self.close_connection = True
        elif fault == "half":
            self.send(200, content[: len(content) // 2])
        elif fault == "html":
            self.send(200, b"<html>Sign in</html>")
        elif fault.isdigit():
            self.send(int(fault), b'{"error_code": "SOME_CODE"}', headers=self.line.headers)
        else:
            self.send(200, content)

    def send(
        self,
        status: int,
        content: bytes,
        *,
        length: int = -1,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content) if length < 0 else length))
        self.end_headers()
        self.wfile.write(content)

    def content(self, body: bytes) -> bytes:
        if not self.line.upstream:
            return json.dumps(CANNED[self.path.partition("?")[0].removeprefix(API)]).encode()
        request = urllib.request.Request(  # noqa: S310  (our own server)
            self.line.upstream + self.path,
            data=body if self.command == "POST" else None,
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content


@contextmanager
def serving(line: Line) -> Iterator[Line]:
    handler = type("LineHandler", (Handler,), {"line": line})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    line.uri = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield line
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def line() -> Iterator[Line]:
    with serving(Line()) as served:
        yield served


def extract(connector: Mlflow, folder: Path) -> list[dict[str, Any]]:
    """Spend a first night, and return the runs."""
    nights = Nights(folder)
    nights.night(connector, AT)
    return nights.raw("runs")


def refusal(connector: Mlflow, folder: Path) -> str:
    """Return all that is said when a night fails."""
    with pytest.raises(SourceError) as raised:
        extract(connector, folder)
    return "\n".join([str(raised.value), *raised.value.__notes__])


@pytest.mark.parametrize("fault", ["500", "429", "503", "cut", "half", "reset"])
def test_what_passes_is_asked_again(line: Line, tmp_path: Path, fault: str) -> None:
    line.faults = ["ok", fault]
    line.headers = {"retry-after": "0"}
    assert [run["run_id"] for run in extract(Mlflow(line.uri), tmp_path)] == ["r1"]
    assert line.seen[1][1] == line.seen[2][1]
    assert len(line.seen) == 8


def test_the_server_says_how_long_to_wait(line: Line, tmp_path: Path) -> None:
    line.faults = ["429"]
    line.headers = {"retry-after": "2"}
    extract(Mlflow(line.uri), tmp_path)
    assert line.seen[1][0] - line.seen[0][0] >= 2.0


def test_the_server_may_say_until_when_to_wait(line: Line, tmp_path: Path) -> None:
    line.faults = ["503"]
    until = datetime.now(UTC) + timedelta(seconds=3)
    line.headers = {"retry-after": format_datetime(until, usegmt=True)}
    extract(Mlflow(line.uri), tmp_path)
    assert line.seen[1][0] - line.seen[0][0] >= 1.5


def test_a_server_that_stays_busy_is_given_up(line: Line, tmp_path: Path) -> None:
    line.always = "503"
    line.headers = {"retry-after": "0"}
    said = refusal(Mlflow(line.uri), tmp_path)
    assert "after 8 tries: the server answers 503" in said
    assert f"in:  {line.uri} (api/3.0/mlflow/server-info)" in said
    assert len(line.seen) == 8


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with stamina.set_testing(True, attempts=8, cap=True):  # without the waits
        said = refusal(Mlflow(f"http://127.0.0.1:{free_port()}"), tmp_path)
    assert "MLflow does not answer" in said


def test_a_login_page_is_told(line: Line, tmp_path: Path) -> None:
    line.always = "html"
    with stamina.set_testing(True, attempts=8, cap=True):  # without the waits
        assert "a login page in front of it?" in refusal(Mlflow(line.uri), tmp_path)


@pytest.mark.parametrize("status", ["401", "403"])
def test_refused_credentials_are_told_at_once_and_never_shown(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setenv("TOKEN_FOR_TEST", "hunter2")
    line.always = status
    connector = Mlflow(line.uri, token_env="TOKEN_FOR_TEST")  # noqa: S106
    said = refusal(connector, tmp_path)
    assert f"MLflow answers {status} SOME_CODE" in said
    assert "token_env" in said
    assert "hunter2" not in said + repr(connector)
    assert len(line.seen) == (1 if status == "401" else 2)  # 403: it may not ask about the server


def test_an_address_that_is_not_mlflows_is_told(line: Line, tmp_path: Path) -> None:
    line.always = "404"
    said = refusal(Mlflow(line.uri + "/wiki"), tmp_path)
    assert "the one that MLflow's own clients use" in said
    assert f"in:  {line.uri}/wiki (experiments/search)" in said


def test_credentials_do_not_follow_a_redirect(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_FOR_TEST", "hunter2")
    with serving(Line()) as elsewhere:
        line.always = "307"
        line.headers = {"location": f"{elsewhere.uri}{API}experiments/search"}
        said = refusal(Mlflow(line.uri, token_env="TOKEN_FOR_TEST"), tmp_path)  # noqa: S106
        assert "mlspend follows no redirects" in said
        assert elsewhere.seen == []


def test_credentials_and_workspace_are_sent_as_mlflow_wants_them(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME_FOR_TEST", "ann")
    monkeypatch.setenv("PASSWORD_FOR_TEST", "hunter2")
    extract(Mlflow(line.uri, token_env="PASSWORD_FOR_TEST", workspace="vision"), tmp_path)  # noqa: S106
    headers = {key.lower(): value for key, value in line.seen[0][2].items()}
    assert headers["authorization"] == "Bearer hunter2"
    assert headers["x-mlflow-workspace"] == "vision"
    by_name = Mlflow(
        line.uri,
        username_env="NAME_FOR_TEST",
        password_env="PASSWORD_FOR_TEST",  # noqa: S106
    )
    line.seen.clear()
    extract(by_name, tmp_path)
    headers = {key.lower(): value for key, value in line.seen[0][2].items()}
    assert headers["authorization"] == "Basic YW5uOmh1bnRlcjI="


@pytest.mark.servers
def test_a_storm_changes_nothing_of_what_a_real_server_delivers(
    mlflow_on_sqlite: MlflowServer, tmp_path: Path
) -> None:
    mlflow_on_sqlite.work("many", now=int(AT.timestamp() * 1000), count=6)
    calm = extract(Mlflow(mlflow_on_sqlite.uri, page_size=2), tmp_path)
    storm = ["500", "ok", "429", "cut", "ok", "reset", "ok", "half", "ok", "ok", "503", "reset"]
    with serving(Line(upstream=mlflow_on_sqlite.uri, faults=storm)) as line:
        stormy = extract(Mlflow(line.uri, page_size=2), tmp_path)
        assert line.faults == []
    assert len(calm) >= 6
    assert stormy == calm
