"""The manifests that AWS writes beside a bill: Data Exports and the older Cost and Usage Reports.

The manifest is written after the files it names, so it is the mark that a version is whole. There
are four layouts, two of each product. *Overwrite* keeps one manifest per period; *create new* keeps
a folder and a manifest for each version, and the older product repeats the newest of them in the
period's own folder, where it points at the version that counts.

Source: https://docs.aws.amazon.com/cur/latest/userguide/dataexports-export-delivery.html
Source: https://docs.aws.amazon.com/cur/latest/userguide/understanding-report-versions.html
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError
from connectors.billing_files import Manifest, NamedFile, folder_of
from connectors.stored import fingerprint, read_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.stored import StoredFile

_SUFFIX = "-Manifest.json"
_START = re.compile(r"^(20\d\d)(0[1-9]|1[0-2])\d\dT")
_WRITTEN = re.compile(r"^(20\d\d)-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)")


def find_manifests(files: Sequence[StoredFile]) -> list[Manifest]:
    """Read every manifest under the root.

    Raises: SourceError for one of a shape that AWS is not known to write.
    """
    return [_read(file) for file in files if file.name.endswith(_SUFFIX)]


def _read(file: StoredFile) -> Manifest:
    try:
        content = json.loads(read_whole(file))
    except ValueError as error:
        raise _unknown(file, "it is not JSON") from error
    if not isinstance(content, dict):
        raise _unknown(file, "it is not an object")
    if _is_texts(content.get("reportKeys")):
        return _report(file, content)
    if _is_texts(content.get("dataFiles")):
        return _data_export(file, content)
    raise _unknown(file, "it lists neither `dataFiles` nor `reportKeys`")


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) for entry in value)


def _unknown(file: StoredFile, why: str) -> SourceError:
    return SourceError(
        f"a manifest is of no shape that mlspend knows: {why}",
        where=file.name,
        fix="nothing is read, because leftovers would count twice; report the shape as a fault",
    )


def _report(file: StoredFile, content: dict[str, Any]) -> Manifest:
    """Read the manifest of a Cost and Usage Report."""
    billing_period = content.get("billingPeriod")
    start = billing_period.get("start") if isinstance(billing_period, dict) else None
    match = _START.match(str(start))
    if match is None:
        raise _unknown(file, "it states no `billingPeriod.start`")
    assembly = str(content.get("assemblyId", ""))
    folder = file.name.split("/")[:-1]
    keys: list[str] = content["reportKeys"]
    return Manifest(
        file=file,
        export=_export_of(file),
        period=f"{match[1]}-{match[2]}",
        version=assembly or fingerprint([file])[:12],
        written_at=file.modified,
        depth=len(folder),
        named=tuple(NamedFile(key) for key in keys),
        is_pointer=not assembly or folder[-1:] != [assembly],
        overwrites=not any(assembly and f"/{assembly}/" in key for key in keys),
    )


def _data_export(file: StoredFile, content: dict[str, Any]) -> Manifest:
    """Read the manifest of a Data Export: CUR 2.0 or FOCUS."""
    named = [_key_of(address) for address in content["dataFiles"]]
    folders = [folder_of(name) for name in (file.name, *named)]
    period = next((folder.period for folder in folders if folder is not None), None)
    if period is None:
        raise _unknown(file, "neither it nor its files lie in a folder BILLING_PERIOD=YYYY-MM")
    own = folders[0]
    above = file.name.rpartition("/")[0]
    execution = above.removeprefix(own.path).strip("/") if own is not None else ""
    return Manifest(
        file=file,
        export=_export_of(file),
        period=period,
        version=str(content.get("executionId", "")) or execution or fingerprint([file])[:12],
        written_at=_written_at(execution) or file.modified,
        depth=file.name.count("/"),
        named=tuple(NamedFile(name) for name in named),
        overwrites=not execution,
    )


def _key_of(address: str) -> str:
    """Return the key in `s3://bucket/key`; a bare key as it is."""
    if address.startswith("s3://"):
        return address.removeprefix("s3://").partition("/")[2]
    return address


def _written_at(execution: str) -> datetime | None:
    """Return the time that the folder of a version begins with."""
    match = _WRITTEN.match(execution)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _export_of(file: StoredFile) -> str:
    """Return the export's own folder and name."""
    *folders, name = file.name.split("/")
    own = folder_of(file.name)
    if own is not None:
        folders = own.path.split("/")[:-1]
    if folders and folders[-1] == "metadata":
        folders.pop()
    return "/".join([*folders, name.removesuffix(_SUFFIX)])
