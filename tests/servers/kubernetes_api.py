"""The part of the Kubernetes API that ResourceQuotas need, over real HTTP on loopback.

It keeps objects, versions and uids as an API server does, and takes no body that Kubernetes' own
OpenAPI description (`tests/data/kubernetes`) does not allow. Faults can be laid at any call: an
answer of some status, a connection cut before or after the change was made, silence, or the death
of the caller.
"""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from jsonschema.exceptions import best_match  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator

Fault = Literal["cut before", "cut after", "silence", "kill before", "kill after"] | int
"""An HTTP status, or what happens to the connection or the caller, before or after the change."""
_PATH = re.compile(r"^/api/v1/namespaces/([^/]+)/resourcequotas(?:/([^/?]+))?(?:\?.*)?$")
_QUANTITY = re.compile(r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?$")
SCHEMA = Path(__file__).parents[1] / "data" / "kubernetes" / "resource_quota.json"
QUOTA = "io.k8s.api.core.v1.ResourceQuota"
DELETION = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
SILENCE_SECONDS = 3.0


@dataclass(slots=True)
class Cluster:
    """What the API server holds, and what it was asked."""

    namespaces: set[str]
    objects: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """(method, path) of every request."""
    changes: list[tuple[str, str]] = field(default_factory=list)
    """(method, namespace) of every change that was made."""
    faults: dict[int, Fault] = field(default_factory=dict)
    """Number of the call, from 0 -> what goes wrong with it."""
    caller: int = 0
    """The process that a `kill` fault ends."""
    url: str = ""
    version: int = 100

    def kubeconfig(self, folder: Path) -> str:
        """Write a kubeconfig file for it; return its path."""
        path = folder / "kubeconfig"
        table = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {"token": "not-a-secret"}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        path.write_text(json.dumps(table), encoding="utf-8")
        return str(path)

    def hard(self, namespace: str, name: str = "mlspend") -> dict[str, str] | None:
        """Return the limits of an object, none where it is not there."""
        found = self.objects.get((namespace, name))
        return None if found is None else found["spec"]["hard"]

    def put(self, namespace: str, name: str, hard: dict[str, str], **metadata: object) -> None:
        """Put an object there as somebody else would."""
        self._store(namespace, {"metadata": {"name": name, **metadata}, "spec": {"hard": hard}})

    def answer(  # noqa: PLR0911  (an API has that many answers)
        self, method: str, namespace: str, name: str | None, body: Any
    ) -> tuple[int, dict[str, Any]]:
        """Do what a request asks; return the status and the object, or why not."""
        if namespace not in self.namespaces:
            return _status(404, f'namespaces "{namespace}" not found')
        wrong = _wrong_with(body, method)
        if wrong:
            return _status(422, wrong)
        if method == "POST":
            key = (namespace, body["metadata"]["name"])
            if key in self.objects:
                return _status(409, "AlreadyExists")
            self.changes.append((method, namespace))
            return 201, self._store(namespace, body)
        found = self.objects.get((namespace, str(name)))
        if found is None:
            return _status(404, f'resourcequotas "{name}" not found')
        if method == "GET":
            return 200, found
        if not _is_same_version(body, found, method):
            return _status(409, "the object has been modified")
        self.changes.append((method, namespace))
        if method == "DELETE":
            del self.objects[namespace, str(name)]
            return 200, found
        body["metadata"]["uid"] = found["metadata"]["uid"]
        return 200, self._store(namespace, body)

    def _store(self, namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        metadata = {"uid": str(uuid.uuid4()), **body["metadata"]}
        metadata |= {"namespace": namespace, "resourceVersion": str(self.version)}
        whole = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata}
        self.objects[namespace, metadata["name"]] = {**whole, "spec": body["spec"]}
        return self.objects[namespace, metadata["name"]]


def _status(code: int, message: str) -> tuple[int, dict[str, Any]]:
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return code, {**told, "message": message, "code": code}


def _is_same_version(body: Any, found: dict[str, Any], method: str) -> bool:
    seen = (body or {}).get("preconditions" if method == "DELETE" else "metadata") or {}
    now = found["metadata"]
    return all(key not in seen or seen[key] == now[key] for key in ("resourceVersion", "uid"))


def _wrong_with(body: Any, method: str) -> str:
    """Return why the published schema does not allow a body, nothing where it does."""
    if method == "GET":
        return ""
    kind = DELETION if method == "DELETE" else QUOTA
    wrong = schema_error(body, kind)
    if wrong or method == "DELETE":
        return wrong
    for resource, quantity in body["spec"]["hard"].items():
        if not _QUANTITY.match(quantity):
            return f"spec.hard[{resource}]: {quantity} is no quantity"
    return ""


def schema_error(value: Any, kind: str) -> str:
    """Return where a value breaks its published type, nothing where it does not."""
    schema = {"$ref": f"#/definitions/{kind}", "definitions": _definitions()}
    wrong = best_match(Draft4Validator(schema).iter_errors(value))
    return "" if wrong is None else f"{wrong.json_path}: {wrong.message}"


@cache
def _definitions() -> dict[str, Any]:
    """Return the published types. A field they do not name is wrong, as in strict validation."""
    definitions: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))["definitions"]
    for each in definitions.values():
        if "properties" in each:
            each["additionalProperties"] = False
    return definitions


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cluster: Cluster
    turn: threading.Lock

    def _serve(self) -> None:
        match = _PATH.match(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        with self.turn:
            cluster = self.cluster
            fault = cluster.faults.get(len(cluster.calls))
            cluster.calls.append((self.command, self.path))
        if self._is_stopped_by(fault):
            return
        with self.turn:
            if match is None:
                answer = _status(404, "no such path")
            else:
                body = json.loads(text) if text else None
                answer = cluster.answer(self.command, match[1], match[2], body)
            if fault in ("cut after", "kill after"):
                self._end_caller(fault)
                return
        self._send(*answer)

    def _is_stopped_by(self, fault: Fault | None) -> bool:
        if isinstance(fault, int):
            self._send(*_status(fault, "laid fault"))
        elif fault in ("cut before", "kill before"):
            self._end_caller(fault)
        elif fault == "silence":
            time.sleep(SILENCE_SECONDS)
            self.close_connection = True
        else:
            return False
        return True

    def _end_caller(self, fault: Fault) -> None:
        if fault in ("kill before", "kill after"):
            os.kill(self.cluster.caller, signal.SIGKILL)
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815  (the library's names)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of connections that a fault has cut."""


@contextmanager
def kubernetes_api(*namespaces: str) -> Iterator[Cluster]:
    """Serve a cluster with some namespaces until the block ends."""
    cluster = Cluster(set(namespaces))
    bound = {"cluster": cluster, "turn": threading.Lock()}
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), bound))
    cluster.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
