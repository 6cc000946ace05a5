"""Where files are delivered: a folder, a bucket of S3 and what speaks like it, or Azure's blobs.

A store lists what lies under its root and opens it for one reading. What is opened is what was
listed: a file that has been replaced in between is refused, because half of one version and half of
another would look whole.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from connectors.base import Checksum, Format, SourceError, SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FORMATS: tuple[tuple[str, Format], ...] = (
    (".csv.gz", "csv.gz"),
    (".csv", "csv"),
    (".parquet", "parquet"),
)
_SHA256_DIGITS = 64


class StoredFile(SourceFile, Protocol):
    """A file as a store lists it."""

    @property
    def modified(self) -> datetime:
        """When the store says it was last written, UTC."""
        ...

    @property
    def stamp(self) -> str:
        """What changes whenever the bytes do: an ETag, or the times of a file."""
        ...


class Store(Protocol):
    """A root that files are delivered under."""

    @property
    def root(self) -> str:
        """The root as configured; errors quote it."""
        ...

    @property
    def keeps_times(self) -> bool:
        """Whether `modified` is when the source wrote a file, and not when it was copied here."""
        ...

    def files(self) -> Sequence[StoredFile]:
        """List every file under the root, named from there with `/`, in the order of names.

        Raises: SourceError where the root is not there or may not be read.
        """
        ...


def open_store(root: str, credential_env: str = "") -> Store:
    """Return the store at a folder, `s3://bucket/prefix` or `az://account/container/prefix`.

    Nothing is read yet. `credential_env` names a variable with a secret, which only Azure asks for.

    Raises: SourceError for any other kind of address.
    """
    scheme, mark, rest = root.partition("://")
    if not mark:
        return FolderStore(root)
    if scheme.lower() == "s3" and rest.strip("/"):
        from connectors.s3 import S3Store  # noqa: PLC0415  (boto3 is slow to load)

        bucket, _, prefix = rest.partition("/")
        return S3Store(bucket, prefix.strip("/"))
    if scheme.lower() == "az" or (scheme.lower() == "https" and ".core." in rest):
        from connectors.azure_blob import AzureBlobStore  # noqa: PLC0415  (slow to load too)

        return AzureBlobStore(root, credential_env)
    raise SourceError(
        f"{scheme}:// is not a kind of store that mlspend reads",
        where=root,
        fix="give a folder, s3://bucket/prefix, or az://account/container/prefix",
    )


def has_format(name: str) -> bool:
    """Tell whether a file's name ends like one that can be read as rows."""
    return name.lower().endswith(tuple(ending for ending, _ in _FORMATS))


def format_of(name: str) -> Format:
    """Return how a file is to be read, by the end of its name.

    Raises: SourceError for an ending that is not read.
    """
    for ending, kind in _FORMATS:
        if name.lower().endswith(ending):
            return kind
    raise SourceError(
        f"{name.rpartition('/')[2]} is neither CSV, gzipped CSV nor Parquet",
        where=name,
        fix="have the export written as Parquet, or as text/csv with gzip",
    )


def stem_of(name: str) -> str:
    """Return a data file's name without what says its format."""
    return name[: -len(format_of(name)) - 1]


def read_whole(file: SourceFile) -> bytes:
    """Return a small file's bytes.

    Raises: SourceError where it cannot be read.
    """
    with file.open() as stream:
        return stream.read()


def fingerprint(files: Sequence[StoredFile]) -> str:
    """Return what changes whenever one of the files does, comes or goes."""
    total = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.name):
        total.update(f"{file.name}\0{file.size}\0{file.stamp}\0".encode())
    return total.hexdigest()[:32]


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


def changed_since(name: str) -> SourceError:
    """Return the error for a file that is not the one that was listed any more."""
    return SourceError(
        "a file was replaced while the delivery was being read",
        where=name,
        fix="nothing was taken over; the next run reads the new version",
    )


def _unreadable(path: Path, error: OSError) -> SourceError:
    gone = isinstance(error, FileNotFoundError)
    return SourceError(
        f"a file {'has gone' if gone else 'cannot be read'}: {error.strerror}",
        where=str(path),
        fix="run again" if gone else "let the user that runs mlspend read it",
    )
