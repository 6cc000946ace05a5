"""Secrets: what an environment variable holds, or a file.

A secret is named by one text: a variable's name, or `file:` and a path, which is what the config
file's keys `..._env` and `..._file` come to. A file is read each time, so that a token which is
renewed while the job waits is the new one; the end of its last line is not part of it.
"""

from __future__ import annotations

import base64
import os
import stat
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError
from connectors.hiding import remember

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "file:"
"""What the name of a secret begins with that lies in a file."""
_MOST = 65_536


def secret_of(named: str, *, where: str, is_name: bool = False) -> str:
    """Return the secret that is named; nothing where none is. A user's name is not hidden.

    Raises: SourceError for a variable or a file that is not there, is empty or holds no one line.
    """
    if not named:
        return ""
    what = f"the environment variable {named}"
    fix = "set it where the job is started, or take its name out of the config file"
    value = os.environ.get(named)
    if named.startswith(FILE):
        what, fix = f"the file {_path_of(named)}", "let it hold the secret, in one line"
        value = _in_file(named, where)
    if value is None:
        raise SourceError(f"{what} is not set", where=where, fix=fix)
    value = value.rstrip("\r\n")
    if not value:
        raise SourceError(f"{what} is empty", where=where, fix=fix)
    if any(letter < " " for letter in value):
        # An HTTP client would say the whole header in its error.
        raise SourceError(
            f"{what} holds more than one line of text",
            where=where,
            fix="let it hold the secret alone: one line, without JSON around it",
        )
    return value if is_name else remember(value)


def as_bearer(token: str, word: str = "Bearer") -> dict[str, str]:
    """Return the header that tells a token; none for no token."""
    return {"authorization": f"{word} {remember(token)}"} if token else {}


def as_login(username: str, password: str) -> dict[str, str]:
    """Return the header that tells a name and a password; none without a name."""
    told = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"authorization": f"Basic {remember(told)}"} if username else {}


def names_in(connector: Any) -> Mapping[str, str]:
    """Return the keys of a connector or lever that name a secret -> what they name.

    One that reads files instead of asking (`is_filed`) needs none of them.
    """
    if getattr(connector, "is_filed", False):
        return {}
    keys = (field.name for field in fields(connector) if field.name.endswith("_env"))
    found = {key: getattr(connector, key) for key in keys}
    return {key: str(name) for key, name in found.items() if name}


def missing(named: str) -> str:
    """Say why a secret that is named cannot be had; nothing where it can."""
    try:
        secret_of(named, where="")
    except SourceError as error:
        return str(error)
    return ""


def is_open(named: str) -> bool:
    """Tell whether a secret lies in a file that every user of this machine may read."""
    try:
        return named.startswith(FILE) and bool(_path_of(named).stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def written(named: str) -> str:
    """Say where a secret is, for errors; nothing where none is named."""
    path = named.removeprefix(FILE)
    return path if path != named else f"${named}" if named else ""


def _path_of(named: str) -> Path:
    return Path(named.removeprefix(FILE))


def _in_file(named: str, where: str) -> str:
    path = _path_of(named)
    fix = "let the user of the job read it, or take its name out of the config file"
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST + 1)
        if len(raw) > _MOST:
            raise SourceError(
                f"the file {path} is longer than any secret",
                where=where,
                fix="name the file that holds the secret alone",
            )
        return raw.decode("utf-8")
    except OSError as error:
        raise SourceError(
            f"the file {path} cannot be read: {error.strerror}", where=where, fix=fix
        ) from error
    except UnicodeDecodeError:
        # Without its cause, whose text holds the bytes.
        raise SourceError(f"the file {path} is not text", where=where, fix=fix) from None
