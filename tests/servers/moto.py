"""S3 as a real server on this machine: moto, started as a process of its own."""

from __future__ import annotations

import sys
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import boto3  # type: ignore[import-untyped]  # noqa: TID251 - it fills the buckets

from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """Run the server until the block ends, and yield its address; `folder` gets its log."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, log=folder / "moto.log", is_ready=lambda: answers(address)):
        yield address


def client(service: str) -> Any:
    """Return a client as the environment of this moment says."""
    return boto3.session.Session().client(service, region_name="us-east-1")


def answers(address: str) -> bool:
    """Tell whether the server is there."""
    try:
        with urllib.request.urlopen(f"{address}/moto-api/", timeout=5):  # noqa: S310  (ours)
            return True
    except (URLError, OSError):
        return False


def demand_rights(address: str, free_calls: int) -> None:
    """Check rights from now on, but for the next `free_calls` calls."""
    request = urllib.request.Request(  # noqa: S310  (ours)
        f"{address}/moto-api/reset-auth",
        data=str(free_calls).encode(),
        headers={"Content-Type": "text/plain"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=5):  # noqa: S310  (ours)
        pass
