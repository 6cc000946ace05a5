"""Azure's Blob Storage as a real server on this machine: Azurite, Microsoft's own, from npm."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from azure.storage.blob import (  # noqa: TID251 - it fills the containers
    BlobServiceClient,
    ContentSettings,
)

from tests.servers.cache import npm_package
from tests.servers.process import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "acmebilling"
KEY = "Y2FuYXJ5LWtleS1vZi1hLXNlcnZlci1mb3ItdGVzdHM="
"""A key that this server alone knows."""


@contextmanager
def blob_server(folder: Path) -> Iterator[str]:
    """Run the server until the block ends, and yield its address; `folder` keeps its blobs."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/{ACCOUNT}"
    command = [
        str(npm_package("azurite", "azurite@3.35.0") / "azurite-blob"),
        *("--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)),
        *("--skipApiVersionCheck", "--disableTelemetry", "--silent"),
    ]
    environment = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    log = folder / "azurite.log"
    with running(command, log=log, is_ready=lambda: answers(address), environment=environment):
        yield address


def connection(address: str, key: str = KEY, account: str = ACCOUNT) -> str:
    """Return a connection string."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};"
        f"BlobEndpoint={address};"
    )


def answers(address: str) -> bool:
    """Tell whether the server is there; it refuses, because nothing is signed."""
    try:
        with urlopen(address, timeout=5):  # noqa: S310  (ours)
            return True
    except HTTPError:
        return True
    except (URLError, OSError):
        return False


def upload(address: str, container: str, root: Path, *, with_md5: bool = True) -> None:
    """Put a folder's files into a container, manifests last."""
    service = BlobServiceClient.from_connection_string(connection(address))
    client = service.get_container_client(container)
    if not client.exists():
        client.create_container()
    paths = [path for path in root.rglob("*") if path.is_file()]
    for path in sorted(paths, key=lambda path: (path.name == "manifest.json", path)):
        name = path.relative_to(root).as_posix()
        settings = ContentSettings(content_type="text/csv")
        client.upload_blob(name, path.read_bytes(), overwrite=True, content_settings=settings)
        if not with_md5:
            client.get_blob_client(name).set_http_headers(settings)
