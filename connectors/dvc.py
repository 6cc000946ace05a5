"""DVC: data that a repository tracks, its versions and places, and what its pipelines made of what.

A checked-out folder is read: the `*.dvc` files, each `dvc.yaml` with its `dvc.lock`, the addresses
of remotes. A night delivers the repository as it is, if that has changed; what earlier nights had
stays known. DVC writes no times, owners or places of a stage's run: it counts where a metrics file,
a recorded parameter or the stage's `meta` names another system's run, such as `mlflow_run_id`.
`meta` with `owner` (or `user`), `team` and `project` says whose data is, in a `*.dvc` file or a
stage. Commands, other parameters and metrics are not copied, nor credentials of remotes.

Verified against what DVC 3.67 itself writes. Source: https://dvc.org/doc/user-guide/project-structure
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery
from connectors.dvc_files import FILES, STAGES, read_repository
from connectors.records import ParquetParts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known, Table


@dataclass(frozen=True, slots=True)
class Dvc:
    """One repository with data that DVC tracks."""

    root: str
    """The folder that it is checked out in, the one that holds `.dvc`."""
    repository: str = ""
    """What datasets are called after, as in `lab/data/images`; empty: the folder's name."""

    name: ClassVar[str] = "dvc"
    tables: ClassVar[Sequence[Table]] = (FILES, STAGES)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the repository as it is, if that is news.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield deliveries as of a time of extraction, whose unit they carry."""
        files, stages = read_repository(self.root, self.repository)
        version = hashlib.sha256(json.dumps([files, stages]).encode()).hexdigest()[:32]
        unit = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for table, rows in ((FILES, files), (STAGES, stages)):
            if not rows or known.cursor(table.name) == version:
                continue
            parts = ParquetParts(table)
            for row in rows:
                parts.add(row)
            yield Delivery(
                table=table.name,
                unit=unit,
                version=version,
                version_at=at,
                files=parts.files(),
                cursor=version,
                stated_rows=parts.row_count,
            )
