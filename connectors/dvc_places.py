"""Where DVC keeps a version of a file: under its hash in a remote, or there under its own path.

A file of DVC 3 is at `files/md5/ab/cdef...` of its remote, one of DVC 2 at `ab/cdef...`; a folder's
own hash ends in `.dir` and names the list of its files. A remote with `version_aware` or `worktree`
keeps files under their paths.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.base import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REMOTE = re.compile(r"""^'?remote\s+"(?P<name>.+)"'?$""")
_LEAST = 3


@dataclass(frozen=True, slots=True)
class Remote:
    """A place that data is pushed to."""

    url: str
    keeps_paths: bool


@dataclass(frozen=True, slots=True)
class Remotes:
    """The remotes of a repository, as `.dvc/config` and `.dvc/config.local` name them."""

    default: str = ""
    by_name: Mapping[str, Remote] = field(default_factory=dict)

    def place(self, name: str, path: str, digest: str, hash_name: str) -> str | None:
        """Return the address of a version of `path`, of the default remote where `name` is empty.

        None where there is no such remote, or it is a folder of some machine.
        """
        remote = self.by_name.get(name or self.default)
        if remote is None or "://" not in remote.url:
            return None
        if remote.keeps_paths:
            return f"{remote.url}/{path}"
        if len(digest) < _LEAST:
            return None
        folder = f"{remote.url}/files/md5" if hash_name == "md5" else remote.url
        return f"{folder}/{digest[:2]}/{digest[2:]}"


def read_remotes(folder: Path) -> Remotes:
    """Read the config files of a `.dvc` folder; the local one counts first.

    Raises: SourceError
    """
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    for path in (folder / "config", folder / "config.local"):
        try:
            parser.read_string(path.read_text(encoding="utf-8"), str(path))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            raise SourceError(
                f"{path.name} of DVC cannot be read: {type(error).__name__}",
                where=str(path),
                fix="`dvc config --list` must understand it; merge conflicts are to be resolved",
            ) from error
    found = {}
    for section in parser.sections():
        named = _REMOTE.match(section)
        if named:
            keeps = any(
                parser.get(section, key, fallback="").lower() == "true"
                for key in ("version_aware", "worktree")
            )
            url = _without_credentials(parser.get(section, "url", fallback=""))
            found[named["name"]] = Remote(url.rstrip("/"), keeps)
    on_others = {
        name: Remote(resolved(one.url, found), one.keeps_paths) for name, one in found.items()
    }
    return Remotes(parser.get("core", "remote", fallback=""), on_others)


def resolved(address: str, remotes: Mapping[str, Remote]) -> str:
    """Return an address that begins with a remote's name, `remote://main/a`, in full."""
    if not address.startswith("remote://"):
        return _without_credentials(address)
    name, _, rest = address.removeprefix("remote://").partition("/")
    base = remotes.get(name)
    return f"{base.url}/{rest}".rstrip("/") if base else address


def _without_credentials(address: str) -> str:
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)[^/@]*:[^/@]*@", r"\1", address)
