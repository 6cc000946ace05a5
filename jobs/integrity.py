"""Whether bytes are whole, told while they stream by: no parser behind can be trusted with that.

DuckDB reads a gzip file without looking at its CRC, and a cut CSV without a word.
"""

from __future__ import annotations

import zlib
from typing import Protocol

_OUTPUT = 1 << 20
_PARQUET = b"PAR1"
_PARQUET_FRAME = 12  # magic, footer length, magic


class DamageError(Exception):
    """The bytes are not a whole file of their format."""


class Check(Protocol):
    """Looks at a file's bytes in order."""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes.

        Raises: DamageError
        """
        ...

    def finish(self) -> None:
        """Say whether the file may end here.

        Raises: DamageError
        """
        ...


class _Filled:
    """Any bytes at all."""

    def __init__(self) -> None:
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def finish(self) -> None:
        if self.size == 0:
            raise DamageError("it is empty: not even a header")


class _Gzip(_Filled):
    """Whole gzip members, each with its CRC and length right, and nothing behind the last.

    Memory stays small whatever the bytes expand to.
    """

    def __init__(self) -> None:
        super().__init__()
        self._member = zlib.decompressobj(wbits=31)
        self._is_between = True
        self._expanded = 0

    def feed(self, chunk: bytes) -> None:
        super().feed(chunk)
        while chunk:
            try:
                self._expanded += len(self._member.decompress(chunk, _OUTPUT))
            except zlib.error as error:
                raise DamageError(f"its gzip stream is damaged: {error}") from error
            self._is_between = self._member.eof
            if self._member.eof:
                chunk = self._member.unused_data
                self._member = zlib.decompressobj(wbits=31)
            else:
                chunk = self._member.unconsumed_tail

    def finish(self) -> None:
        super().finish()
        while not self._is_between:
            # Output may be left over where the last call filled its buffer to the brim.
            more = self._member.decompress(b"", _OUTPUT)
            self._expanded += len(more)
            self._is_between = self._member.eof
            if not more and not self._member.eof:
                raise DamageError("its gzip stream ends too early: the file is cut off")
        if self._expanded == 0:
            raise DamageError("it holds no text: not even a header")


class _Parquet(_Filled):
    """The magic at both ends, and a footer that fits."""

    def __init__(self) -> None:
        super().__init__()
        self._head = b""
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        super().feed(chunk)
        self._head = (self._head + chunk[:4])[:4]
        self._tail = (self._tail + chunk[-8:])[-8:]

    def finish(self) -> None:
        super().finish()
        if self._head != _PARQUET:
            raise DamageError("it does not begin as a Parquet file does")
        if self.size < _PARQUET_FRAME or self._tail[4:] != _PARQUET:
            raise DamageError("it does not end as a Parquet file does: it is cut off")
        footer = int.from_bytes(self._tail[:4], "little")
        if not 0 < footer <= self.size - _PARQUET_FRAME:
            raise DamageError(f"its Parquet footer of {footer} bytes does not fit its size")


def check_of(format_: str) -> Check:
    """Return the check for a file format."""
    if format_ in ("csv.gz", "json.gz"):
        return _Gzip()
    return _Parquet() if format_ == "parquet" else _Filled()
