"""Which files make up one billing period: the part that every bill delivered as files shares.

Where manifests are, they alone say what counts: each names a whole period, and files that none
names are leftovers of other versions, which would count cost twice. Where there are none, the
period is taken from the path, in this order:

1. a folder `billing_period=2026-10`, `year=2026/month=10` or `20261001-20261101`;
2. a folder or file called nothing but a month: `2026-10`, `202610`;
3. the only month that the whole path mentions (`acme_2026-10-03_focus.csv` is of 2026-10).

A file whose path names no month, or several, is a unit by itself, called after its path; its
rows say what periods it bills. A root without manifests has no history: what lies there when it
is looked at is the bill, so its `version_at` is the time of looking. The times of the files would
not do, because they do not grow when a file is taken away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connectors.base import Delivery, SourceError
from connectors.stored import fingerprint, format_of, has_format, stem_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from connectors.base import Known
    from connectors.store import Store
    from connectors.stored import StoredFile

_YEAR_MONTH = r"(20\d\d)-?(0[1-9]|1[0-2])"
_HIVE = re.compile(rf"(?i)^(?:billing_?period|period|month)={_YEAR_MONTH}(?:-\d\d)?$")
_YEAR = re.compile(r"(?i)^year=(20\d\d)$")
_MONTH = re.compile(r"(?i)^month=(0?[1-9]|1[0-2])$")
_RANGE = re.compile(r"^(20\d{6})-(20\d{6})$")
_BARE = re.compile(rf"^{_YEAR_MONTH}$")
_DATE = re.compile(rf"(?<!\d){_YEAR_MONTH}(?:-?(?:0[1-9]|[12]\d|3[01]))?(?!\d)")
_WRITING = timedelta(hours=1)


class NamedFile(NamedTuple):
    """A file as a manifest names it."""

    name: str
    """A key of the bucket or a path of the container, from above or below the root."""
    size: int | None = None
    """Bytes, where the manifest states them."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One whole version of one billing period."""

    file: StoredFile
    export: str
    """Which export wrote it; two exports under one root may be the same bill."""
    period: str
    """YYYY-MM."""
    version: str
    """The source's own word for this version."""
    written_at: datetime
    depth: int
    """How much a manifest is a copy: of two versions written alike, the lesser counts."""
    named: tuple[NamedFile, ...]
    is_pointer: bool = False
    """Whether it names the newest version, however old it is itself."""
    overwrites: bool = False
    """Whether its files lie where those of the version before it lay."""
    rows: int | None = None
    """Rows, where it states them."""


class Folder(NamedTuple):
    """A part of a path that says the period."""

    path: str
    period: str


def folder_of(name: str) -> Folder | None:
    """Return the folder in a file's path that is a billing period's, if there is one."""
    parts = name.split("/")[:-1]
    for place, part in enumerate(parts):
        period = _period_of_folder(part, parts[place + 1] if place + 1 < len(parts) else "")
        if period is not None:
            below = 2 if _YEAR.match(part) else 1
            return Folder("/".join(parts[: place + below]), period)
    return None


def _period_of_folder(part: str, following: str) -> str | None:
    if match := _HIVE.match(part):
        return f"{match[1]}-{match[2]}"
    if (year := _YEAR.match(part)) and (month := _MONTH.match(following)):
        return f"{year[1]}-{int(month[1]):02d}"
    if match := _RANGE.match(part):
        return _period_of_range(match[1], match[2])
    return None


def _period_of_range(first: str, last: str) -> str | None:
    """Return the month that two dates span: to its last day, or to the first of the next."""
    try:
        start = datetime.strptime(first, "%Y%m%d").replace(tzinfo=UTC)
        end = datetime.strptime(last, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    after = (start + timedelta(days=31)).replace(day=1)
    if start.day == 1 and start < end <= after:
        return f"{start:%Y-%m}"
    return None


def unit_of(name: str) -> str:
    """Return the unit a file without a manifest belongs to: its month, or else itself."""
    folder = folder_of(name)
    if folder is not None:
        return folder.period
    stem = stem_of(name)
    for part in stem.split("/"):
        if match := _BARE.match(part):
            return f"{match[1]}-{match[2]}"
    months = {f"{year}-{month}" for year, month in _DATE.findall(stem)}
    return months.pop() if len(months) == 1 else stem.replace("/", "__")


def bill_deliveries(
    table: str,
    store: Store,
    find_manifests: Callable[[Sequence[StoredFile]], Sequence[Manifest]],
    known: Known,
    *,
    one_tree: bool,
) -> Iterator[Delivery]:
    """Yield each billing period of a store that is new or changed, oldest first.

    Where no manifest is found, files stand for themselves; `one_tree` is told to
    `plain_deliveries`.

    Raises: SourceError for a period that is not whole, after the others.
    """
    files = store.files()
    manifests = find_manifests(files)
    if manifests:
        yield from deliveries_of(table, store, files, manifests, known)
    else:
        yield from plain_deliveries(table, store, files, known, one_tree=one_tree)


def deliveries_of(
    table: str,
    store: Store,
    files: Sequence[StoredFile],
    manifests: Sequence[Manifest],
    known: Known,
) -> Iterator[Delivery]:
    """Yield the newest version of each period that is not known, oldest period first.

    Raises: SourceError, after all that can be delivered, for a period that cannot.
    """
    _refuse_two_exports(manifests, store.root)
    errors: list[SourceError] = []
    for period in sorted({manifest.period for manifest in manifests}):
        newest = _newest([manifest for manifest in manifests if manifest.period == period])
        try:
            delivery = _deliver(table, store, files, newest)
        except SourceError as error:
            errors.append(error)
            continue
        if not known.has(table, delivery.unit, delivery.version):
            yield delivery
    errors += _strangers(files, manifests)
    raise_all(errors)


def raise_all(errors: Sequence[SourceError]) -> None:
    """Raise the first of several errors, the others noted beneath it."""
    if errors:
        first, *others = errors
        for other in others:
            notes = "; ".join(other.__notes__)
            first.add_note(f"also: {other} ({notes})")
        raise first


def _refuse_two_exports(manifests: Iterable[Manifest], root: str) -> None:
    exports = sorted({manifest.export for manifest in manifests})
    if len(exports) > 1:
        raise SourceError(
            f"{len(exports)} exports lie under one root, and may bill the same cost: "
            + ", ".join(exports[:4]),
            where=root,
            fix="give each export that counts a connector of its own, with `root` at its folder",
        )


def _newest(versions: Sequence[Manifest]) -> Manifest:
    pointers = [manifest for manifest in versions if manifest.is_pointer]
    return max(
        pointers or versions,
        key=lambda manifest: (manifest.written_at, -manifest.depth, manifest.file.name),
    )


def _deliver(table: str, store: Store, files: Sequence[StoredFile], manifest: Manifest) -> Delivery:
    if not manifest.named:
        raise SourceError(
            f"the manifest of {manifest.period} names no file: that is no data, not no cost",
            where=manifest.file.name,
            fix="usually the next refresh fills it; the last good delivery stays in force",
        )
    found = _resolve(files, manifest)
    if manifest.overwrites and store.keeps_times:
        _refuse_half_written(found, manifest)
    return Delivery(
        table=table,
        unit=manifest.period,
        version=f"{manifest.version}-{fingerprint(found)[:12]}",
        version_at=manifest.written_at,
        files=found,
        stated_rows=manifest.rows,
    )


def _resolve(files: Sequence[StoredFile], manifest: Manifest) -> list[StoredFile]:
    """Return the files that a manifest names.

    A manifest writes whole keys, while the root may begin anywhere: as many leading folders are
    cut, of all names alike, as make the most of them known.
    """
    names = [named.name for named in manifest.named]
    if len(set(names)) < len(names):
        raise SourceError(
            f"the manifest of {manifest.period} names a file twice",
            where=manifest.file.name,
            fix="have the source write it again; the last good delivery stays in force",
        )
    there = {file.name: file for file in files}
    parts = [named.name.strip("/").split("/") for named in manifest.named]
    candidates = [
        [there.get("/".join(path[cut:])) for path in parts] for cut in range(min(map(len, parts)))
    ]
    best = max(candidates, key=lambda found: sum(file is not None for file in found))
    for named, file in zip(manifest.named, best, strict=True):
        if file is None:
            raise SourceError(
                f"the manifest of {manifest.period} names a file that is not there: {named.name}",
                where=manifest.file.name,
                fix="usually the source is still writing; if it lasts, check the life cycle rules "
                "of the bucket, or what was copied",
            )
        _check_file(file, named)
    return [file for file in best if file is not None]


def _check_file(file: StoredFile, named: NamedFile) -> None:
    format_of(file.name)
    if file.size == 0:
        raise SourceError(
            "a file of the delivery is empty: that is no data, not no cost",
            where=file.name,
            fix="have the source write it again; the last good delivery stays in force",
        )
    if named.size is not None and file.size != named.size:
        raise SourceError(
            f"a file has {file.size} bytes where its manifest states {named.size}",
            where=file.name,
            fix="usually the source is still writing; if it lasts, copy the file again",
        )


def _refuse_half_written(found: Sequence[StoredFile], manifest: Manifest) -> None:
    newest = max(file.modified for file in found)
    if manifest.file.modified < newest > datetime.now(UTC) - _WRITING:
        raise SourceError(
            f"{manifest.period} is being written: its files are newer than its manifest",
            where=manifest.file.name,
            fix="run again when the source has written the manifest, within the hour",
        )


def _strangers(files: Sequence[StoredFile], manifests: Sequence[Manifest]) -> list[SourceError]:
    """Find data that no manifest accounts for and that is not an older version's either."""
    if not manifests:
        return []
    periods = {manifest.period for manifest in manifests}
    errors: list[SourceError] = []
    named = {part.name.rpartition("/")[2] for manifest in manifests for part in manifest.named}
    for file in files:
        folder = folder_of(file.name)
        if not has_format(file.name) or _is_status(file.name):
            continue
        if folder is not None and folder.period not in periods:
            errors.append(
                SourceError(
                    f"{folder.period} has files but no manifest",
                    where=file.name,
                    fix="usually the source is still writing the first version; if it lasts, copy "
                    "the manifests too",
                )
            )
            periods.add(folder.period)
        elif folder is None and file.name.rpartition("/")[2] not in named:
            errors.append(
                SourceError(
                    "a file lies beside an export with manifests, and no manifest names it",
                    where=file.name,
                    fix="move it to a folder of its own, and give that a connector",
                )
            )
    return errors


def _is_status(name: str) -> bool:
    """Tell whether a file is the table that AWS keeps for Athena on its own progress."""
    return "cost_and_usage_data_status" in name


def plain_deliveries(
    table: str,
    store: Store,
    files: Sequence[StoredFile],
    known: Known,
    *,
    one_tree: bool,
) -> Iterator[Delivery]:
    """Yield the units of a root without manifests that are not known, in the order of names.

    `one_tree` refuses two period folders for one month, and takes JSON for lines: nothing there
    can be a manifest. Raises: SourceError, after all that can be delivered, for a unit whose files
    may be two versions of the same bill.
    """
    units: dict[str, list[StoredFile]] = {}
    for file in files:
        if has_format(file.name, or_json=one_tree) and not _is_status(file.name):
            units.setdefault(unit_of(file.name), []).append(file)
    if not units:
        kinds = f"CSV, gzipped CSV{', JSON lines' * one_tree} or Parquet"
        raise SourceError(
            f"there is no bill here: no {kinds} file",
            where=store.root,
            fix="check `root`; a new export takes up to a day to deliver its first files",
        )
    errors: list[SourceError] = []
    for unit, members in sorted(units.items()):
        version = fingerprint(members)
        try:
            _refuse_two_versions(unit, members, one_tree=one_tree)
            for file in members:
                _check_file(file, NamedFile(file.name))
        except SourceError as error:
            errors.append(error)
            continue
        if not known.has(table, unit, version):
            yield Delivery(table, unit, version, datetime.now(UTC), members, is_plain=True)
    raise_all(errors)


def _refuse_two_versions(unit: str, members: Sequence[StoredFile], *, one_tree: bool) -> None:
    stems: dict[str, str] = {}
    places: dict[str, set[str]] = {}
    for file in members:
        other = stems.setdefault(stem_of(file.name), file.name)
        if other != file.name:
            raise _two_versions(unit, (other, file.name))
        folder = folder_of(file.name)
        tree = "" if one_tree else (folder.path if folder else "")
        if folder is not None:
            places.setdefault(tree, set()).add(file.name.rpartition("/")[0])
    for found in places.values():
        if len(found) > 1:
            raise _two_versions(unit, sorted(found)[:2])


def _two_versions(unit: str, places: Sequence[str]) -> SourceError:
    return SourceError(
        f"{unit} lies here twice, and no manifest says which counts: {' and '.join(places)}",
        where=places[0],
        fix="copy the manifests of the export too, or leave one of the two",
    )
