"""Which month a file of Azure's bills, where nothing in its path says so: its first line does.

An export of its own lies in a folder of its month. What somebody has downloaded and renamed does
not, and then the halves of a pair are known by no name that they share.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.base import SourceFile

MONTH = re.compile(r"^\d{4}-(0[1-9]|1[0-2])$")
_ISO = re.compile(r"^(\d{4})-(0[1-9]|1[0-2])-\d\d")
_AMERICAN = re.compile(r"^(0[1-9]|1[0-2])/\d\d/(\d{4})")
_UNREADABLE = (csv.Error, EOFError, OSError, UnicodeDecodeError, zlib.error)


def month_within(file: SourceFile, name_of: Callable[[str], str]) -> str | None:
    """Return the month YYYY-MM of a file's first line: of its billing period, else of its day.

    `name_of` tells a header's declared name. None for a file without a line, or that is no CSV:
    Parquet comes with manifests, which lie in a folder of the month.
    """
    if file.format not in ("csv", "csv.gz"):
        return None
    try:
        with closing(file.open()) as stream:
            is_packed = file.format == "csv.gz"
            plain: Any = gzip.GzipFile(fileobj=stream) if is_packed else stream
            with io.TextIOWrapper(plain, encoding="utf-8-sig", newline="") as text:
                reader = csv.reader(text)
                headers = [name_of(header) for header in next(reader, [])]
                cells = dict(zip(headers, next(reader, []), strict=False))
    except _UNREADABLE:
        return None
    said = (cells.get(name) for name in ("billing_period_start_date", "date"))
    return _month_of(next(filter(None, said), ""))


def _month_of(written: str) -> str | None:
    if match := _ISO.match(written):
        return f"{match[1]}-{match[2]}"
    match = _AMERICAN.match(written)
    return f"{match[2]}-{match[1]}" if match else None
