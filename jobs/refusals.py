"""Bills that are whole, and yet must not count: emptied, without what they had, or twice there."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from typing import TYPE_CHECKING

from jobs.fetching import RefusedDeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from jobs.ledger import StoredFile

_CHUNK = 1 << 20
_STAYS = "what it delivered before stays in force"


def refuse_emptied(rows: int, rows_before: int, where: str) -> None:
    """Refuse a bill without lines in the place of one that had some.

    Raises: RefusedDeliveryError
    """
    if rows_before and not rows:
        raise RefusedDeliveryError(
            f"the bill has no lines, and had {rows_before:,}: that is no data, not no cost",
            where=where,
            fix=f"have the source write it again; {_STAYS}",
        )


def refuse_lost_columns(columns: Collection[str], before: Collection[str], where: str) -> None:
    """Refuse a bill that lacks a column by which lines count, and had it.

    Raises: RefusedDeliveryError
    """
    lost = sorted(set(before) - set(columns))
    if lost:
        raise RefusedDeliveryError(
            f"it has no column {', '.join(lost)} any more, without which it adds up to another sum",
            where=where,
            fix=f"have the source export it as before; {_STAYS}",
        )


def refuse_twins(
    files: Sequence[StoredFile], raw: Path, where: str, has_lines: Callable[[StoredFile], bool]
) -> None:
    """Refuse a bill of which two files hold the same, packed or not; files without lines may.

    Raises: RefusedDeliveryError
    """
    seen: dict[tuple[int, int], list[StoredFile]] = {}
    sizes = {_trailer(raw / file.path)[1] for file in files if _is_packed(file)}
    for file in files:
        path = raw / file.path
        if _is_packed(file):
            key = _trailer(path)
        else:
            size = file.size % (1 << 32)
            key = (_checksum(path) if size in sizes else int(file.sha256[:16], 16), size)
        for other in seen.setdefault(key, []):
            if _content(other, raw) == _content(file, raw) and has_lines(file):
                raise RefusedDeliveryError(
                    f"{other.name} and {file.name} hold the same: both would count",
                    where=where,
                    fix=f"take away what is a copy; {_STAYS}",
                )
        seen[key].append(file)


def _is_packed(file: StoredFile) -> bool:
    return file.format.endswith(".gz")


def _trailer(path: Path) -> tuple[int, int]:
    """Return the checksum and the size that gzip writes of what it packed."""
    with path.open("rb") as stream:
        stream.seek(-8, 2)
        end = stream.read(8)
    return int.from_bytes(end[:4], "little"), int.from_bytes(end[4:], "little")


def _checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum


def _content(file: StoredFile, raw: Path) -> str:
    """Return the sha256 of what a file holds."""
    if not _is_packed(file):
        return file.sha256
    with gzip.open(raw / file.path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
