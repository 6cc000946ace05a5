"""Files as a store lists them, whichever store it is.

What is opened is what was listed: a file that has been replaced in between is refused, because half
of one version and half of another would look whole.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from connectors.base import Format, SourceError, SourceFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_FORMATS: tuple[tuple[str, Format], ...] = (
    (".csv.gz", "csv.gz"),
    (".csv", "csv"),
    (".parquet", "parquet"),
    (".json.gz", "json.gz"),
    (".jsonl.gz", "json.gz"),
    (".ndjson.gz", "json.gz"),
    (".json", "json"),
    (".jsonl", "json"),
    (".ndjson", "json"),
)


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


def has_format(name: str, *, or_json: bool = False) -> bool:
    """Tell whether a file's name ends like one that can be read as rows.

    JSON counts where the caller knows that it is rows: elsewhere it is manifests.
    """
    kinds = [(ending, kind) for ending, kind in _FORMATS if or_json or "json" not in kind]
    return name.lower().endswith(tuple(ending for ending, _ in kinds))


def format_of(name: str) -> Format:
    """Return how a file is to be read, by the end of its name.

    Raises: SourceError for an ending that is not read.
    """
    ending = _ending_of(name)
    if ending is not None:
        return dict(_FORMATS)[ending]
    raise SourceError(
        f"{name.rpartition('/')[2]} is neither CSV, gzipped CSV, Parquet nor JSON lines",
        where=name,
        fix="have the export written as Parquet, or as text/csv with gzip",
    )


def stem_of(name: str) -> str:
    """Return a data file's name without what says its format.

    Raises: SourceError for an ending that is not read.
    """
    format_of(name)
    return name[: -len(_ending_of(name) or "")]


def _ending_of(name: str) -> str | None:
    return next((ending for ending, _ in _FORMATS if name.lower().endswith(ending)), None)


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


def changed_since(name: str) -> SourceError:
    """Return the error for a file that is not the one that was listed any more."""
    return SourceError(
        "a file was replaced while the delivery was being read",
        where=name,
        fix="nothing was taken over; the next run reads the new version",
    )
