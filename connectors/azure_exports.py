"""The manifests that Azure Cost Management writes beside an export.

Without "overwrite" every daily run leaves a whole copy of the month to date, in a folder of its
own: the newest run of each month counts, and no other.

Source: https://learn.microsoft.com/azure/cost-management-billing/costs/tutorial-improved-exports
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from connectors.base import SourceError
from connectors.billing_files import Manifest, NamedFile, folder_of
from connectors.stored import fingerprint, has_format, read_whole, stem_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.store import Store
    from connectors.stored import StoredFile

MANIFEST = "manifest.json"
_RUN = re.compile(r"(?i)^(.*_)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""A file of an export without a manifest: `<export>_<run>`."""


def find_manifests(files: Sequence[StoredFile], kind: str) -> list[Manifest]:
    """Read every manifest under the root; `kind` is the export type wanted, such as FocusCost.

    Raises: SourceError for one of an unknown shape, or of another type.
    """
    return [_read(file, kind) for file in files if file.name.rpartition("/")[2] == MANIFEST]


@dataclass(frozen=True, slots=True)
class NewestCopies:
    """A store of which, where it has no manifests, the newest copy of each export counts alone.

    Each run of an export without a manifest leaves a file `<export>_<run>.csv`, a whole copy of the
    month to date. Only a container tells when a file was written: in a folder of this machine two
    copies are refused.
    """

    store: Store

    @property
    def root(self) -> str:
        """The root as configured."""
        return self.store.root

    @property
    def keeps_times(self) -> bool:
        """Whether `modified` is when the source wrote a file."""
        return self.store.keeps_times

    def files(self) -> Sequence[StoredFile]:
        """List the files that count.

        Raises: SourceError for two copies of which none is known to be newer.
        """
        files = self.store.files()
        if any(file.name.rpartition("/")[2] == MANIFEST for file in files):
            return files
        runs: dict[str, list[StoredFile]] = {}
        for file in files:
            run = _RUN.match(stem_of(file.name)) if has_format(file.name) else None
            runs.setdefault(run[1] if run else f"/{file.name}", []).append(file)
        return [self._newest(copies) for copies in runs.values()]

    def _newest(self, copies: list[StoredFile]) -> StoredFile:
        if len(copies) > 1 and not self.keeps_times:
            raise SourceError(
                f"{len(copies)} runs of an export lie in one folder, each a whole copy of the "
                f"month: {copies[0].name} and {copies[1].name}",
                where=self.root,
                fix="leave the newest alone, or export with file partitioning, which writes "
                "manifests",
            )
        return max(copies, key=lambda file: (file.modified, file.name))


def _read(file: StoredFile, kind: str) -> Manifest:
    content = _content_of(file)
    config = _object(content.get("exportConfig"))
    actual = str(config.get("type") or kind)
    if actual.lower() != kind.lower():
        raise SourceError(
            f"this export is of the type {actual}, not {kind}",
            where=file.name,
            fix=f"export the type {kind}, or mend `root`",
        )
    named = [
        NamedFile(blob["blobName"], blob.get("byteCount")) for blob in content.get("blobs", ())
    ]
    folder = folder_of(file.name) or next(filter(None, (folder_of(blob.name) for blob in named)))
    info = _object(content.get("runInfo"))
    rows = content.get("dataRowCount")
    return Manifest(
        file=file,
        export=str(config.get("exportName") or folder.path.rpartition("/")[0] or "export"),
        period=folder.period,
        version=str(info.get("runId") or fingerprint([file])[:12]),
        written_at=_time(info.get("submittedTime")) or file.modified,
        depth=file.name.count("/"),
        named=tuple(named),
        rows=rows if isinstance(rows, int) else None,
    )


def _content_of(file: StoredFile) -> dict[str, Any]:
    """Return a manifest that has blobs with names, in a folder that says the month."""
    try:
        content = json.loads(read_whole(file))
    except ValueError as error:
        raise _unknown(file, "it is not JSON") from error
    blobs = content.get("blobs") if isinstance(content, dict) else None
    if not isinstance(blobs, list) or not all(_object(blob).get("blobName") for blob in blobs):
        raise _unknown(file, "it lists no `blobs` with a `blobName`")
    if not any(map(folder_of, (file.name, *(blob["blobName"] for blob in blobs)))):
        raise _unknown(file, "neither it nor its blobs lie in a folder YYYYMMDD-YYYYMMDD")
    found: dict[str, Any] = content
    return found


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _unknown(file: StoredFile, why: str) -> SourceError:
    return SourceError(
        f"a manifest is of no shape that mlspend knows: {why}",
        where=file.name,
        fix="nothing is read, because older copies of the month would count twice; report the "
        "shape as a fault",
    )


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value[:19] + "+00:00")
    except ValueError:
        return None
    return time.astimezone(UTC)
