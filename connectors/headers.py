"""The names of the columns in a file that a source delivers, before it is landed."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
import tempfile
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

import polars as pl

from connectors.base import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.base import SourceFile


def header_of(file: SourceFile) -> Sequence[str]:
    """Return a file's columns as delivered; Parquet is copied whole, as its schema stands last.

    Raises: SourceError for bytes that are not of the file's format.
    """
    try:
        with file.open() as stream:
            return _parquet(stream) if file.format == "parquet" else _csv(stream, file.format)
    except (
        *(UnicodeDecodeError, OSError, EOFError, csv.Error, zlib.error),
        *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
    ) as error:
        raise SourceError(
            f"a {file.format} file cannot be read: {error}",
            where=file.name,
            fix="have the source write it again; the last good delivery stays in force",
        ) from error


def _parquet(stream: BinaryIO) -> Sequence[str]:
    with tempfile.TemporaryFile() as whole:
        shutil.copyfileobj(stream, whole)
        whole.seek(0)
        return list(pl.read_parquet_schema(whole))


def _csv(stream: BinaryIO, kind: str) -> Sequence[str]:
    unpacked = cast("BinaryIO", gzip.GzipFile(fileobj=stream)) if kind == "csv.gz" else stream
    with io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="") as lines:
        return next(csv.reader(lines), [])
