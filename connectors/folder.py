"""Files of a folder of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from connectors.base import Checksum, Format, SourceError
from connectors.stored import StoredFile, changed_since, format_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True)
class FolderStore:
    """A folder of this machine; hidden files and folders are not seen."""

    root: str
    keeps_times: bool = False

    def files(self) -> Sequence[StoredFile]:
        """List every file, in the order of names.

        Raises: SourceError where the folder is not there or may not be read.
        """
        top = Path(self.root).expanduser()
        if not top.is_dir():
            raise SourceError(
                "the folder is not there" if not top.exists() else "this is not a folder",
                where=self.root,
                fix="create it, or mend `root` in the config file",
            )
        try:
            return sorted(self._walk(top), key=lambda file: file.name)
        except PermissionError as error:
            raise SourceError(
                "the folder may not be read by the user that runs mlspend",
                where=str(error.filename or self.root),
                fix="grant that user reading and entering the folder",
            ) from error

    def _walk(self, top: Path) -> Iterator[FolderFile]:
        for folder, folders, names in os.walk(top, onerror=_raise, followlinks=True):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                if not name.startswith("."):
                    path = Path(folder) / name
                    yield _listed(path, path.relative_to(top).as_posix())


def _raise(error: OSError) -> None:
    raise error


def _listed(path: Path, name: str) -> FolderFile:
    try:
        status = path.stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    # The change time tells a file that was restored with its old modification time.
    stamp = f"{status.st_mtime_ns}-{status.st_ctime_ns}"
    return FolderFile(path, name, status.st_size, modified, stamp)


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file of a folder, as it was when it was listed."""

    path: Path
    name: str
    """From the root, with `/`."""
    size: int
    modified: datetime
    stamp: str

    @property
    def format(self) -> Format:
        """How the bytes are to be read, by the end of the name."""
        return format_of(self.name)

    @property
    def checksum(self) -> Checksum | None:
        """The digest in `<file>.sha256`, or in `SHA256SUMS` beside the file, if there is one."""
        own = self.path.with_name(f"{self.path.name}.sha256")
        for sums in (own, self.path.with_name("SHA256SUMS")):
            if sums.is_file():
                digest = _stated(sums, self.path.name, is_own=sums == own)
                if digest is not None:
                    return Checksum("sha256", digest)
        return None

    def open(self) -> BinaryIO:
        """Open the bytes.

        Raises: SourceError where the file has gone, has changed, or may not be read.
        """
        try:
            now = _listed(self.path, self.name)
            stream = self.path.open("rb")
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if now != self:
            stream.close()
            raise changed_since(self.name)
        return stream


def _stated(sums: Path, name: str, *, is_own: bool) -> str | None:
    """Return the digest of `name` in a file as sha256sum writes it, or a bare digest in its own."""
    for line in sums.read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, rest = line.strip().partition(" ")
        listed = rest.strip().removeprefix("*").rpartition("/")[2]
        if len(digest) == _SHA256_DIGITS and (listed == name or (is_own and not listed)):
            return digest.lower()
    return None


def _unreadable(path: Path, error: OSError) -> SourceError:
    gone = isinstance(error, FileNotFoundError)
    return SourceError(
        f"a file {'has gone' if gone else 'cannot be read'}: {error.strerror}",
        where=str(path),
        fix="run again" if gone else "let the user that runs mlspend read it",
    )
