"""Copying one file of a delivery, checked on the way against all that is known of it."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from connectors.base import SourceError
from jobs.integrity import DamageError, check_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from connectors.base import SourceFile
    from jobs.progress import Progress

_CHUNK = 1 << 20


class RefusedDeliveryError(Exception):
    """A delivery cannot be landed; the last good version of its unit stays in force."""

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        """Say what is wrong in one line, `where` it is, and the `fix`."""
        super().__init__(what)
        self.add_note(f"in:  {where}")
        self.add_note(f"fix: {fix}")


def copy_file(file: SourceFile, target: Path, label: str, progress: Progress) -> tuple[str, int]:
    """Copy a file and put it onto the disk; return its sha256 and its size.

    Raises: RefusedDeliveryError for bytes that are not what the source says they are;
        SourceError where the source cannot be read.
    """
    digest = hashlib.sha256()
    stated = file.checksum
    other = hashlib.new(stated.algorithm, usedforsecurity=False) if stated else None
    check = check_of(file.format)
    size = 0
    try:
        with _opened(file, label) as source, target.open("wb") as copy:
            while chunk := _read(source, label):
                digest.update(chunk)
                if other is not None:
                    other.update(chunk)
                check.feed(chunk)
                copy.write(chunk)
                size += len(chunk)
                progress.transfer(label, size, file.size)
            copy.flush()
            os.fsync(copy.fileno())
        _compare(file, size, other.hexdigest() if other else None)
        check.finish()
    except DamageError as error:
        raise RefusedDeliveryError(
            f"a file is not whole: {error}",
            where=label,
            fix="have the source write it again; what it delivered before stays in force",
        ) from error
    return digest.hexdigest(), size


def _compare(file: SourceFile, size: int, digest: str | None) -> None:
    """Compare what came with what the source states."""
    if file.size is not None and size != file.size:
        raise DamageError(f"it has {size} bytes, the source states {file.size}")
    stated = file.checksum
    if stated is not None and digest != stated.hex_digest.lower():
        raise DamageError(f"its {stated.algorithm} is not the one the source states")


def _opened(file: SourceFile, label: str) -> BinaryIO:
    try:
        return file.open()
    except OSError as error:
        raise _unreadable(error, label) from error


def _read(source: BinaryIO, label: str) -> bytes:
    try:
        return source.read(_CHUNK)
    except OSError as error:
        raise _unreadable(error, label) from error


def _unreadable(error: OSError, label: str) -> SourceError:
    return SourceError(
        f"a file cannot be read: {error.strerror or error}",
        where=label,
        fix="see that it is there and that mlspend may read it",
    )
