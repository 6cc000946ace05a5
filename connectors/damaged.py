"""What readers make of damaged files: which errors they raise, and Parquet read or refused."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

from connectors.base import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

OF_ZIP = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError),
    *(RuntimeError, NotImplementedError, ValueError),
)
"""What `zipfile` raises of an archive that is damaged, locked, or packed in an unknown way."""


def read_parquet(source: bytes | Path, called: str, *, where: str, fix: str) -> pl.DataFrame:
    """Return the rows of a Parquet file; `called` is what its refusal calls it.

    Raises: SourceError for one that is damaged, or none.
    """
    import polars as pl  # noqa: PLC0415  (slow to import; most nights read no new file)

    try:
        return pl.read_parquet(io.BytesIO(source) if isinstance(source, bytes) else source)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise SourceError(
            f"{called} is not Parquet: {str(error).splitlines()[0]}", where=where, fix=fix
        ) from error
