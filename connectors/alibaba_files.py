"""Which files in a bucket of Alibaba bills make up a month.

A subscription writes `<account>_<type>_<day or month>.csv`, or a .zip of several parts where a bill
is long. What counts of a month is, in this order:

1. files named by the month alone: the types that are overwritten every day, and the final bill;
2. else, of the month-to-date types, the file of the newest day: it holds all days before;
3. else every day's file.

So a delayed row, which a later day's file brings, is counted once.

Source: https://www.alibabacloud.com/help/en/boa/latest/detailed-file-format
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from connectors.base import Checksum, Format, SourceError
from connectors.damaged import OF_ZIP
from connectors.stored import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from connectors.base import SourceFile
    from connectors.stored import StoredFile

TYPES: Mapping[str, Sequence[tuple[str, bool]]] = {
    "instance": (
        ("InstanceDetailMonthly", True),
        ("InstanceDetailForBillingPeriod", False),
        ("InstanceDetail", False),
    ),
    "items": (
        ("BillingItemDetailMonthly", True),
        ("BillingItemDetailForBillingPeriod", False),
        ("BillingItemDetail", False),
    ),
    "split": (("SplitItemDetailDaily", True), ("SplitItemDetail", True)),
}
"""Kind of bill -> the types that hold it, the one to prefer first; whether it is month-to-date."""
_NAME = re.compile(
    r"([0-9]{8,20})_([A-Za-z]+)_(20[0-9]{2}(?:0[1-9]|1[0-2]))([0-3][0-9])?"
    r"(?:[_-]([0-9]{1,4}))?\.(csv|csv\.gz|zip)",
    re.IGNORECASE,
)


class BillFile(NamedTuple):
    """A file, and what its name says."""

    file: StoredFile
    account: str
    kind: str
    month: str
    """YYYY-MM."""
    day: str
    """Two digits; empty: the month."""


def find_months(files: Sequence[StoredFile], bill: str) -> dict[str, list[BillFile]]:
    """Return what counts of a kind of bill, of all accounts that lie there, by month."""
    found: dict[tuple[str, str], list[BillFile]] = {}
    types = dict(TYPES[bill])
    for file in files:
        match = _NAME.fullmatch(file.name.rpartition("/")[2])
        kind = next((each for each in types if match and each.lower() == match[2].lower()), None)
        if match and kind:
            month = f"{match[3][:4]}-{match[3][4:]}"
            named = BillFile(file, match[1], kind, month, match[4] or "")
            found.setdefault((month, match[1]), []).append(named)
    months: dict[str, list[BillFile]] = {}
    for (month, _), named_files in sorted(found.items()):
        months.setdefault(month, []).extend(_counting(named_files, TYPES[bill]))
    return months


def _counting(files: Sequence[BillFile], types: Sequence[tuple[str, bool]]) -> list[BillFile]:
    for kind, _ in types:
        whole = [each for each in files if each.kind == kind and not each.day]
        if whole:
            return whole
    for kind, is_to_date in types:
        of_kind = [each for each in files if each.kind == kind]
        if of_kind and is_to_date:
            newest = max(each.day for each in of_kind)
            return [each for each in of_kind if each.day == newest]
        if of_kind:
            return of_kind
    return []


def other_kinds(files: Sequence[StoredFile], bill: str) -> list[str]:
    """Return the kinds of bill that lie there too, and are not read."""
    return [kind for kind in TYPES if kind != bill and find_months(files, kind)]


def parts_of(named: BillFile) -> list[SourceFile]:
    """Return a bill's file, or the parts of its archive.

    Raises: SourceError for an archive that is not whole, or holds none.
    """
    if not named.file.name.lower().endswith(".zip"):
        return [named.file]
    archive = read_whole(named.file)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = [each for each in opened.infolist() if not each.is_dir()]
            damaged = opened.testzip()
    except OF_ZIP as error:
        raise _not_whole(named.file, str(error)) from error
    if damaged:
        raise _not_whole(named.file, f"{damaged} is damaged")
    names = [each.filename for each in members]
    strange = [name for name in names if not name.lower().endswith(".csv")]
    if strange or not names or len(set(names)) < len(names):
        what = f"it holds {strange[0]}" if strange else "it holds no file, or one twice"
        raise _not_whole(named.file, what)
    return [_Member(f"{named.file.name}/{each.filename}", archive, each) for each in members]


def _not_whole(file: StoredFile, why: str) -> SourceError:
    return SourceError(
        f"an archive is not a whole bill: {why}",
        where=file.name,
        fix="have it written again; the last good delivery stays in force",
    )


@dataclass(frozen=True, slots=True)
class _Member:
    """A part of an archive."""

    name: str
    archive: bytes
    member: zipfile.ZipInfo
    format: Format = "csv"
    checksum: Checksum | None = None

    @property
    def size(self) -> int | None:
        """Bytes, as the archive states them."""
        return self.member.file_size

    def open(self) -> BinaryIO:
        """Unpack the part, and open that."""
        with zipfile.ZipFile(io.BytesIO(self.archive)) as opened:
            return io.BytesIO(opened.read(self.member))


def refuse_empty(files: Iterable[SourceFile]) -> None:
    """Refuse files without bytes.

    Raises: SourceError
    """
    for file in files:
        if file.size == 0:
            raise SourceError(
                "a file of the bill is empty: that is no data, not no cost",
                where=file.name,
                fix="have it written again; the last good delivery stays in force",
            )
