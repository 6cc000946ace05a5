"""Reading what lies in a cloud's store piece by piece, each asked for on its own."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from connectors.base import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 8 << 20


def open_in_pieces(fetch: Callable[[int, int], bytes], size: int, where: str) -> BinaryIO:
    """Open `size` bytes, of which `fetch(position, length)` asks for some; `where` is for errors.

    Raises: what `fetch` raises, and SourceError for a piece that comes short; so does reading.
    """
    return cast("BinaryIO", io.BufferedReader(_Pieces(fetch, size, where), PIECE))


class _Pieces(io.RawIOBase):
    def __init__(self, fetch: Callable[[int, int], bytes], size: int, where: str) -> None:
        self._ask = fetch
        self._size = size
        self._where = where
        self._position = 0
        self._piece = memoryview(b"")
        self._fetch()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._piece:
            self._fetch()
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def _fetch(self) -> None:
        length = min(PIECE, self._size - self._position)
        if length <= 0:
            return
        piece = self._ask(self._position, length)
        if len(piece) != length:
            raise SourceError(
                f"the line broke after {self._position + len(piece)} of {self._size} bytes",
                where=self._where,
                fix="run again when the network is better; the last good delivery stays in force",
            )
        self._position += length
        self._piece = memoryview(piece)
