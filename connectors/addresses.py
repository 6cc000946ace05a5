"""Addresses of what lies in a cloud's store, taken apart before anything is asked there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from connectors.base import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KEYS = ("root", "path", "_root", "_path")
_HOST = re.compile(r"^([a-z0-9]{3,24})\.(?:blob|dfs)(\.[a-z0-9.-]+)$")
_PASSWORD = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@]*:[^/?#]*@", re.IGNORECASE)
_PUBLIC = ".core.windows.net"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Place:
    """An address of Azure's, taken apart."""

    account: str
    domain: str
    """Of the cloud, such as `.core.windows.net`."""
    container: str
    prefix: str


def place_of(root: str) -> Place:
    """Take `az://account/container/prefix` apart, or the address of a container with https.

    Raises: SourceError for what is neither, and for an address with a signature in it.
    """
    parts = urlsplit(root)
    if parts.query or parts.username:
        raise SourceError(
            "the address holds a signature, which is a secret",
            where=root.partition("?")[0].partition("@")[2] or root.partition("?")[0],
            fix="put it into an environment variable, and name that in credential_env",
        )
    host = _HOST.match(f"{parts.netloc}.blob{_PUBLIC}" if parts.scheme == "az" else parts.netloc)
    container, _, prefix = unquote(parts.path).strip("/").partition("/")
    if host is None or not container:
        raise SourceError(
            "this is not the address of a container of Azure",
            where=root,
            fix="write az://account/container/prefix, or https://account.blob.core.windows.net/"
            "container/prefix",
        )
    return Place(host[1], host[2], container, prefix.strip("/"))


def bucket_of(root: str) -> tuple[str, str]:
    """Take `s3://bucket/prefix` or `gs://bucket/prefix` apart.

    Raises: SourceError for an address without a bucket.
    """
    scheme, _, rest = root.partition("://")
    bucket, _, prefix = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise SourceError(
            "this address names no bucket",
            where=root.rpartition("@")[2],
            fix=f"write {scheme.lower()}://bucket/prefix; the prefix may be left out",
        )
    return bucket, prefix.strip("/")


def is_azures(root: str) -> bool:
    """Tell whether an address is meant for a container of Azure."""
    scheme, _, rest = root.partition("://")
    return scheme.lower() == "az" or (scheme.lower() == "https" and ".core." in rest)


def mistaken(settings: Mapping[str, object]) -> Iterator[tuple[str, str, str]]:
    """Yield each key whose address cannot be one, what is wrong with it, and the fix.

    What holds a password is told without it, before anything is done that would name the address.
    """
    for key, value in settings.items():
        if isinstance(value, str) and _PASSWORD.match(value):
            fix = "put it into an environment variable or a file, and name that in the key for it"
            yield key, "the address holds a password", fix
            continue
        if not isinstance(value, str) or not key.endswith(_KEYS):
            continue
        scheme = value.partition("://")[0].lower() if "://" in value else ""
        try:
            if scheme in ("s3", "gs"):
                bucket_of(value)
            elif scheme == "az":
                place_of(value)
        except SourceError as error:
            yield key, str(error), error.__notes__[1].removeprefix("fix: ")
