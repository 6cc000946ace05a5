"""The raw store: files as delivered, named by their content, and a journal row for each delivery.

A delivery is complete or absent. Its files are checked while they stream in, put onto the disk,
renamed into place, and only then entered; what a killed night leaves behind has no row, and is
swept away. So an earlier good version always stays in force.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING
from urllib.parse import quote

from jobs.blank_lines import blank_lines
from jobs.fetching import RefusedDeliveryError, copy_file
from jobs.journal.backup import FOLDER, note_landed
from jobs.ledger import NewDelivery, StoredFile
from jobs.overlaps import Overlaps
from jobs.progress import size_text
from jobs.refusals import refuse_emptied, refuse_lost_columns, refuse_twins
from jobs.restatements import restate, rows_of
from jobs.retention import find_forgotten, find_outdated
from queries import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from connectors.base import Delivery, SourceFile, Table
    from jobs.journal import Journal
    from jobs.ledger import Entry, LedgerTotal, Restatement
    from jobs.progress import Progress

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class RawStore:
    """The raw folder of one state folder, with its journal."""

    state_dir: Path
    journal: Journal
    sum_bill: Callable[[str, Sequence[Path], Sequence[str]], Iterable[LedgerTotal]]
    """(`<connector>__<table>`, files, their names) -> what a bill's files add up to."""
    progress: Progress
    overlaps: Overlaps = field(init=False)

    def __post_init__(self) -> None:
        """Begin without a look at any file's lines."""
        object.__setattr__(self, "overlaps", Overlaps(self.raw))

    @property
    def raw(self) -> Path:
        """Where the files lie."""
        return self.state_dir / "raw"

    @property
    def tmp(self) -> Path:
        """Where files lie that are not checked yet."""
        return self.state_dir / "tmp"

    def land(self, source: str, connector: str, table: Table, delivery: Delivery) -> NewDelivery:
        """Fetch, check, store and enter one delivery.

        Raises: RefusedDeliveryError for bytes that are not what the source says they are;
            SourceError where the source cannot be read.
        """
        where = f"{source} {delivery.table} {delivery.unit}"
        _check_names(delivery, where)
        folder = self.raw / _safe(source) / _safe(delivery.table) / _safe(delivery.unit)
        stored: list[StoredFile] = []
        copies: Counter[str] = Counter()
        for file in delivery.files:
            half, digest, size = self._fetch(file, where)
            copies[digest] += 1
            place = folder / _file_name(digest, copies[digest], file.format)
            if _holds(place, digest):
                half.unlink()
            else:
                _move(half, place, self.raw)
            path = str(place.relative_to(self.raw))
            stored.append(StoredFile(digest, size, file.name, file.format, path))
        if folder.exists():
            _sync(folder)
        new = NewDelivery(
            source=source,
            connector=connector,
            table=delivery.table,
            unit=delivery.unit,
            version=delivery.version,
            version_at=_naive(delivery.version_at),
            cursor=delivery.cursor,
            files=tuple(stored),
            row_count=delivery.stated_rows,
        )
        if table.is_bill:
            for files in self._halves(new):
                refuse_twins(files, self.raw, where, lambda one: rows_of(self._sum(new, [one])) > 0)
        try:
            self._enter(
                new,
                where,
                is_bill=table.is_bill,
                stated_rows=delivery.stated_rows,
                plain=table if table.is_bill and delivery.is_plain else None,
            )
        except ModelError as error:
            self._name_the_row(error, table, stored)
            raise
        note_landed(self.state_dir / FOLDER, new)
        size = sum(file.size for file in stored)
        note = f", {delivery.note}" if delivery.note else ""
        self.progress.say(f"  {where}: {len(stored)} files, {size_text(size)}{note}")
        return new

    def reenter(self, new: NewDelivery, *, is_bill: bool) -> bool:
        """Enter a delivery whose files lie here already; tell whether it was not known.

        Raises: RefusedDeliveryError where its lines are not as many as its source stated.
        """
        before = self.journal.versions(new.source, new.table, new.unit)
        where = f"{new.source} {new.table} {new.unit}"
        self._enter(new, where, is_bill=is_bill, stated_rows=new.row_count)
        return len(self.journal.versions(new.source, new.table, new.unit)) > len(before)

    def _name_the_row(self, error: ModelError, table: Table, stored: Sequence[StoredFile]) -> None:
        """Say in which row a bill holds what it was refused for, where that can be found."""
        from queries.landed import LandedFile  # noqa: PLC0415  (slow to import, as is the next)
        from queries.raw import name_the_row  # noqa: PLC0415

        files = [
            LandedFile(self.raw / file.path, file.name, file.format, file.sha256) for file in stored
        ]
        with suppress(ModelError):
            name_the_row(error, table, files)

    def _fetch(self, file: SourceFile, where: str) -> tuple[Path, str, int]:
        """Copy one file to tmp, checked and on the disk; return it, its sha256 and its size."""
        self.tmp.mkdir(parents=True, exist_ok=True)
        half = self.tmp / f"{os.getpid()}.part"
        try:
            digest, size = copy_file(file, half, f"{where} {file.name}", self.progress)
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        return half, digest, size

    def _enter(
        self,
        new: NewDelivery,
        where: str,
        *,
        is_bill: bool,
        stated_rows: int | None,
        plain: Table | None = None,
    ) -> None:
        versions = self.journal.versions(new.source, new.table, new.unit)
        if any(_is_entered(new, entry) for entry in versions) or (
            versions and _is_same(new, max(versions, key=lambda entry: entry.order))
        ):
            return
        totals = self._totals(new, versions) if is_bill else []
        rows = rows_of(totals)
        if is_bill and stated_rows is not None and rows != stated_rows:
            raise RefusedDeliveryError(
                f"the bill has {rows} lines, its manifest states {stated_rows}",
                where=where,
                fix="have the source write it again; the last good delivery stays in force",
            )
        older = [entry for entry in versions if entry.version_at <= new.version_at]
        before = max(older, key=lambda entry: entry.order, default=None)
        is_newest = len(older) == len(versions)
        changes: list[Restatement] = []
        if is_bill and before is not None and is_newest:
            totals_before = self.journal.totals_of(before.id)
            refuse_emptied(rows, rows_of(totals_before), where)
            if before.content != new.content:
                refuse_lost_columns(self._columns(new), self._columns(before), where)
            changes = restate(new, totals, before, totals_before)
        if plain is not None:
            self._refuse_overlap(new, plain, totals)
        self.journal.enter(new, totals, changes)
        blank = blank_lines(totals)
        if blank:
            self.progress.say(f"note: {where}: {blank}")
        for change in changes:
            if not change.was_open:
                self.progress.say(f"  {where} restated: {change.why}")

    def _refuse_overlap(
        self, new: NewDelivery, table: Table, totals: Sequence[LedgerTotal]
    ) -> None:
        counted = self.counted({new.source}, {(new.connector, new.table)})
        self.overlaps.refuse(new, table, totals, counted, self.journal.totals_of)

    def _totals(self, new: NewDelivery, versions: Sequence[Entry]) -> list[LedgerTotal]:
        """Sum a bill, unless an earlier version had the very same bytes."""
        for entry in versions:
            if entry.content == new.content:
                return self.journal.totals_of(entry.id)
        return self._sum(new, new.files)

    def _sum(self, new: NewDelivery, files: Sequence[StoredFile]) -> list[LedgerTotal]:
        paths = [self.raw / file.path for file in files]
        names = [file.name for file in files]
        return list(self.sum_bill(f"{new.connector}__{new.table}", paths, names))

    def _halves(self, delivery: NewDelivery) -> Iterable[list[StoredFile]]:
        from queries.totals import half_of  # noqa: PLC0415  (slow to import)

        halves: dict[str, list[StoredFile]] = {}
        for file in delivery.files:
            half = half_of(f"{delivery.connector}__{delivery.table}", file.name)
            halves.setdefault(half, []).append(file)
        return halves.values()

    def _columns(self, delivery: NewDelivery) -> set[str]:
        """Return the columns by which a bill's lines count; none where its files are gone."""
        from queries.totals import kept_columns  # noqa: PLC0415  (slow to import)

        paths = [self.raw / file.path for file in delivery.files]
        is_here = all(path.exists() for path in paths)
        return kept_columns(f"{delivery.connector}__{delivery.table}", paths) if is_here else set()

    def counted(
        self, sources: Collection[str], superseding: Collection[tuple[str, str]]
    ) -> list[Entry]:
        """Return the deliveries that count, of `sources` alone, in the order of landing.

        Of a (connector, table) in `superseding` that is the newest version of each unit; of any
        other table, whose rows are told apart by key, every version there is. A version with the
        bytes of the one before it counts as that one: nothing has changed.
        """
        units: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in self.journal.deliveries():
            counts = entry.state == "landed" and not entry.is_collected
            if counts and entry.source in sources:
                units.setdefault(entry.unit_key, []).append(entry)
        chosen: list[Entry] = []
        for versions in units.values():
            versions.sort(key=lambda entry: entry.order)
            if (versions[0].connector, versions[0].table) in superseding:
                chosen.append(_first_like_last(versions))
            else:
                chosen += versions
        return sorted(chosen, key=lambda entry: entry.id)

    def superseded(self, counted: Collection[Entry]) -> list[Entry]:
        """Return other versions of the units that count, whose files lie here still."""
        known = {entry.id for entry in counted}
        units = {entry.unit_key for entry in counted}
        return [
            entry
            for entry in self.journal.deliveries()
            if entry.id not in known
            and entry.unit_key in units
            and not entry.is_collected
            and all((self.raw / file.path).exists() for file in entry.files)
        ]

    def collect(
        self,
        superseding: Collection[tuple[str, str]],
        needed: Collection[str],
        *,
        keep: int,
        personal_from: date | None = None,
    ) -> int:
        """Delete the files of outdated versions, and what killed nights left; return how many.

        Kept are: versions made when the unit had been over for ten days, the newest `keep` of
        every other unit, whatever a digest in `needed` names, and every version of a table that
        is not in `superseding`, but those about people which a newer one replaced before the day
        `personal_from`.
        """
        entries = self.journal.deliveries()
        outdated = find_outdated(entries, superseding, needed, keep)
        if personal_from is not None:
            outdated += find_forgotten(entries, personal_from)
        self.journal.mark_collected(outdated)
        wanted = {
            file.path
            for entry in self.journal.deliveries()
            if not entry.is_collected
            for file in entry.files
        }
        count = 0
        for folder in (self.raw, self.tmp):
            for path in list(folder.rglob("*")):
                is_wanted = folder == self.raw and str(path.relative_to(folder)) in wanted
                if path.is_file() and not is_wanted:
                    path.unlink()
                    count += 1
        return count


def _is_same(new: NewDelivery, entry: Entry) -> bool:
    """Tell whether a delivery is the very version that an entry is of."""
    return entry.version == new.version and entry.content == new.content and not entry.is_collected


def _is_entered(new: NewDelivery, entry: Entry) -> bool:
    return entry.version_at == new.version_at and _is_same(new, entry)


def _first_like_last(versions: Sequence[Entry]) -> Entry:
    chosen = versions[-1]
    for entry in reversed(versions):
        if entry.content != chosen.content:
            break
        chosen = entry
    return chosen


def _check_names(delivery: Delivery, where: str) -> None:
    names = Counter(file.name for file in delivery.files)
    twice = [name for name, count in names.items() if count > 1]
    if twice or not names:
        what = f"a delivery names {twice[0]} twice" if twice else "a delivery has no files"
        raise RefusedDeliveryError(
            what, where=where, fix="have the source write it again; the last good one stays"
        )


def _holds(place: Path, digest: str) -> bool:
    """Tell whether a file lies there already; one that the disk has damaged is replaced."""
    if not place.is_file():
        return False
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def _move(half: Path, place: Path, top: Path) -> None:
    """Give a checked file its name, and put its folders onto the disk."""
    made = []
    folder = place.parent
    while not folder.exists() and folder != top.parent:
        made.append(folder)
        folder = folder.parent
    place.parent.mkdir(parents=True, exist_ok=True)
    half.replace(place)
    for new in made:
        _sync(new.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _file_name(digest: str, copy: int, format_: str) -> str:
    """Name a file by its content; the second of two equal ones in a delivery says so."""
    return f"{digest}.{format_}" if copy == 1 else f"{digest}-{copy}.{format_}"


def _safe(text: str) -> str:
    """Return a name that is one folder on any file system, different for different texts."""
    name = quote(text, safe="-_=+,@").replace("~", "%7E")
    name = "%2E" + name[1:] if name.startswith(".") else name
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(text.encode()).hexdigest()
        name = f"{name[: _LONGEST_NAME - 33]}-{digest[:32]}"
    return name


def _naive(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
