"""Files of this machine and frames in memory, as a delivery carries them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from connectors.base import Checksum, Format, SourceError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine, delivered as it stands."""

    path: Path
    format: Format = "csv"
    checksum: Checksum | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def size(self) -> int | None:
        """Bytes."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Open the bytes."""
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class FrameFile:
    """A frame, delivered as Parquet."""

    name: str
    frame: pl.DataFrame = field(repr=False)
    format: Format = "parquet"
    size: int | None = None
    checksum: Checksum | None = None

    def open(self) -> BinaryIO:
        """Write the frame to memory, and open that."""
        packed = io.BytesIO()
        self.frame.write_parquet(packed, compression="zstd")
        packed.seek(0)
        return packed


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises: SourceError where the file is not there or may not be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(
            f"{path.name} cannot be read: {error.strerror}",
            where=str(path),
            fix="put the file there, and let the user that runs mlspend read it",
        ) from error


def written_at(path: Path) -> datetime:
    """Return when a file was written, UTC."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
