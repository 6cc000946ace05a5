"""S3 Inventory: every object and version of a bucket, as AWS lists it each day or week.

Two facts surprise. The CSV files have no header: their columns stand in the manifest alone, so each
file is landed behind a first line made from there, and the bytes that AWS wrote follow as they are.
And CSV has keys url-encoded, which Parquet has not. Uploads that never ended are in no inventory:
`IsMultipartUploaded` tells how a whole object came, not that a part of it is missing.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, cast

from connectors.base import Checksum, Delivery, Format, SourceError, Table
from connectors.billing_files import raise_all
from connectors.store import open_store
from connectors.stored import fingerprint, format_of, read_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known
    from connectors.stored import StoredFile

_MANIFEST = "manifest.json"
_FOLDERS_ABOVE = 2
_WORD = re.compile(r"(?<!^)(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class S3Inventory:
    """The inventories under one root, of any number of buckets."""

    root: str
    """Where the inventories are written: a folder, or `s3://bucket/prefix`."""
    configurations: tuple[str, ...] = ()
    """Names of the inventory configurations that count; empty: all, one of each bucket."""
    backfill_days: int = 35
    """How many days before a bucket's newest inventory older ones are read."""

    name: ClassVar[str] = "s3_inventory"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "objects",
            {
                "bucket": "text",
                "key": "text",
                "key_encoded": "text",
                "is_latest": "flag",
                "is_delete_marker": "flag",
                "size": "integer",
                "storage_class": "text",
            },
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each inventory that is not known, oldest first.

        Raises: SourceError, after all that can be delivered, for an inventory that cannot.
        """
        files = open_store(self.root).files()
        errors: list[SourceError] = []
        found: list[_Inventory] = []
        for file in files:
            if file.name.rpartition("/")[2] == _MANIFEST:
                try:
                    found.append(_read(file, files))
                except SourceError as error:
                    errors.append(error)
        if not found and not errors:
            raise SourceError(
                "there is no inventory here: no manifest.json",
                where=self.root,
                fix="check `root`; a new configuration takes up to two days to write its first",
            )
        for inventory in self._wanted(found):
            try:
                delivery = inventory.delivery(files)
            except SourceError as error:
                errors.append(error)
                continue
            if not known.has(delivery.table, delivery.unit, delivery.version):
                yield delivery
        raise_all(errors)

    def _wanted(self, found: Sequence[_Inventory]) -> list[_Inventory]:
        """Return the inventories that count, the last of each day.

        Raises: SourceError where two configurations list one bucket, which would count it twice.
        """
        wanted: list[_Inventory] = []
        for bucket in sorted({one.bucket for one in found}):
            of_bucket = [
                one
                for one in found
                if one.bucket == bucket
                and (not self.configurations or one.configuration in self.configurations)
            ]
            names = sorted({one.configuration for one in of_bucket})
            if len(names) > 1:
                raise SourceError(
                    f"{len(names)} inventories list the bucket {bucket}: {', '.join(names)}",
                    where=self.root,
                    fix="name the one that counts in `configurations`",
                )
            last = {one.unit: one for one in sorted(of_bucket, key=lambda one: one.made_at)}
            newest = max((one.made_at for one in of_bucket), default=datetime.now(UTC))
            oldest = newest - timedelta(days=self.backfill_days)
            wanted += [one for one in last.values() if one.made_at >= oldest]
        return sorted(wanted, key=lambda one: (one.made_at, one.unit))


@dataclass(frozen=True, slots=True)
class _Inventory:
    """One manifest, read."""

    manifest: StoredFile
    bucket: str
    configuration: str
    made_at: datetime
    header: bytes
    """The first line of each CSV file; none for Parquet."""
    named: Sequence[dict[str, Any]]

    @property
    def unit(self) -> str:
        return f"{self.bucket}/{self.configuration}/{self.made_at:%Y-%m-%d}"

    def delivery(self, files: Sequence[StoredFile]) -> Delivery:
        there = {file.name: file for file in files}
        found = [self._file(entry, there) for entry in self.named]
        version = fingerprint([self.manifest, *(file.file for file in found)])
        return Delivery("objects", self.unit, version, self.made_at, found)

    def _file(self, entry: dict[str, Any], there: dict[str, StoredFile]) -> _InventoryFile:
        """Return a named file; the root may begin anywhere in its key."""
        parts = str(entry["key"]).strip("/").split("/")
        names = ("/".join(parts[cut:]) for cut in range(len(parts)))
        file = next((there[name] for name in names if name in there), None)
        if file is None:
            raise SourceError(
                f"the manifest names a file that is not there: {entry['key']}",
                where=self.manifest.name,
                fix="copy it too; if it is gone, the last good inventory stays in force",
            )
        size = entry.get("size")
        if size is not None and file.size != size:
            raise SourceError(
                f"a file has {file.size} bytes where its manifest states {size}",
                where=file.name,
                fix="copy the file again; the last good inventory stays in force",
            )
        return _InventoryFile(file, self.header, str(entry.get("MD5checksum", "")).lower())


@dataclass(frozen=True, slots=True)
class _InventoryFile:
    """A file of an inventory, behind the line that says what its columns are."""

    file: StoredFile = field(repr=False)
    header: bytes
    md5: str
    checksum: Checksum | None = None

    @property
    def name(self) -> str:
        return self.file.name

    @property
    def format(self) -> Format:
        return format_of(self.file.name)

    @property
    def size(self) -> int | None:
        size = self.file.size
        return None if size is None else size + len(self.header)

    def open(self) -> BinaryIO:
        return cast("BinaryIO", io.BufferedReader(_Headed(self), 1 << 20))


class _Headed(io.RawIOBase):
    """Reads the header, then the file; at its end the MD5 must be the manifest's."""

    def __init__(self, file: _InventoryFile) -> None:
        self._file = file
        self._header = io.BytesIO(file.header)
        self._body = file.file.open()
        self._md5 = hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._header.read(len(buffer))
        if not chunk:
            chunk = self._body.read(len(buffer))
            self._md5.update(chunk)
            if not chunk and self._file.md5 and self._md5.hexdigest() != self._file.md5:
                raise SourceError(
                    "the bytes of a file are not those that its manifest states the MD5 of",
                    where=self._file.name,
                    fix="copy the file again; the last good inventory stays in force",
                )
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()


def _read(file: StoredFile, files: Sequence[StoredFile]) -> _Inventory:
    """Read a manifest.

    Raises: SourceError for one that is damaged, or whose files are ORC.
    """
    text = read_whole(file)
    stated = [one for one in files if one.name == file.name.removesuffix("json") + "checksum"]
    digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
    if stated and read_whole(stated[0]).decode("ascii", "replace").strip().lower() != digest:
        raise _damaged(file, "it is not the one that manifest.checksum is of")
    try:
        content = json.loads(text)
        bucket, kind = str(content["sourceBucket"]), str(content["fileFormat"])
        made_at = datetime.fromtimestamp(int(content["creationTimestamp"]) / 1000, UTC)
        schema = str(content["fileSchema"])
        named = [{"key": str(entry["key"])} | entry for entry in content["files"]]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _damaged(file, f"{type(error).__name__} {error}") from error
    if kind not in ("CSV", "Parquet"):
        raise SourceError(
            f"the inventory of {bucket} is written as {kind}, which is not read",
            where=file.name,
            fix="set the output format of the inventory configuration to Parquet or CSV",
        )
    folders = file.name.split("/")[:-1]
    configuration = folders[-_FOLDERS_ABOVE] if len(folders) >= _FOLDERS_ABOVE else ""
    header = _header(schema) if kind == "CSV" else b""
    return _Inventory(file, bucket, configuration, made_at, header, named)


def _header(schema: str) -> bytes:
    """Return the line of column names, named as Parquet names them, but for the encoded key."""
    names = [_WORD.sub("_", name.strip()).lower() for name in schema.split(",")]
    line = ",".join("key_encoded" if name == "key" else name for name in names)
    return gzip.compress(f"{line}\n".encode(), mtime=0)


def _damaged(file: StoredFile, why: str) -> SourceError:
    return SourceError(
        f"a manifest of an inventory cannot be read: {why}",
        where=file.name,
        fix="copy it again; the last good inventory stays in force",
    )
