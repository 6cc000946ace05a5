"""Runs of any system, as files that somebody writes for mlspend: CSV or Parquet.

A file is called after its table: `runs.csv`, or with more behind a dash, `runs-2026-10-03.parquet`;
folders are looked into. Every table but `runs` may be absent. A run is known by `native_id` and
`attempt` (a whole number from 1; empty: 1), which every table has. Columns in brackets may be
absent.

    runs            native_id, status, [attempt, system, parent_native_id, kind, run_name,
                    experiment, user_raw, team_raw, project_raw, status_raw, started_at, ended_at,
                    last_seen_at, code_sha, code_is_dirty, gpu_count, cloud_job_arn]
    run_places      native_id, [attempt, cluster, namespace, pod, pod_uid, node, instance_id,
                    gpu_count, cpu_count, memory_gib, started_at, ended_at]; one of pod,
                    pod_uid, node, instance_id
    run_inputs      native_id, [attempt, dataset_uri, dataset_name, dataset_digest, context,
                    bytes_read]; one of dataset_uri and dataset_name
    run_outputs     native_id, dataset_uri, [attempt, dataset_digest]
    run_models      native_id, model_name, model_version, [attempt]
    run_references  native_id, resource_id, [attempt]
    run_mentions    native_id, mentioned_id, relation, [attempt, mentioned_system, evidence]

`status` is queued, running, succeeded, failed, cancelled, preempted or lost; a run that is over has
`started_at` and `ended_at`, one that runs has no end. `kind` is training, job, pipeline, notebook
or serving (empty: job). `relation` is same or parent. A time has its offset: 2026-10-03T01:00:00Z.

The file written last that tells of a run counts, in each table: there, what it says of the run
replaces what older files said. A run that no file tells of any more stays: it was paid for. One
left `running` that was last seen a day before the newest file was written is lost, and ended then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError
from connectors.records import ParquetFile
from connectors.runs_file_rows import TABLES, check
from connectors.store import open_store
from connectors.stored import fingerprint, has_format, read_whole, stem_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known, Table
    from connectors.stored import StoredFile


@dataclass(frozen=True, slots=True)
class RunsFile:
    """Runs that somebody writes down."""

    root: str
    """A folder, or s3://bucket/prefix."""

    name: ClassVar[str] = "runs_file"
    tables: ClassVar[Sequence[Table]] = TABLES

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each file that has changed, oldest first; those without a mistake before any error.

        Raises: SourceError that lists every mistake of the first wrong file.
        """
        wrong = None
        for table, file in self._files():
            unit = f"{stem_of(file.name)}@{file.modified:%Y-%m-%dT%H:%M:%S.%fZ}"
            version = fingerprint([file])
            if known.has(table.name, unit, version):
                continue
            content = read_whole(file)
            try:
                check(table, file, content, self.root)
            except SourceError as error:
                wrong = wrong or error
                continue
            held = ParquetFile(file.name, content, file.format)
            yield Delivery(table.name, unit, version, file.modified, [held])
        if wrong:
            raise wrong

    def _files(self) -> list[tuple[Table, StoredFile]]:
        found = [file for file in open_store(self.root).files() if has_format(file.name)]
        if not found:
            raise SourceError(
                "there is no CSV or Parquet file",
                where=self.root,
                fix="mend `root`, or put a runs.csv there",
            )
        stems = [stem_of(file.name) for file in found]
        for file, stem in zip(found, stems, strict=True):
            if stems.count(stem) > 1:
                raise SourceError(
                    f"{stem} is there in two formats", where=self.root, fix="keep one of them"
                )
            if file.format == "csv.gz":
                raise SourceError(
                    f"{file.name} is compressed", where=self.root, fix="write CSV or Parquet"
                )
        oldest_first = sorted(found, key=lambda file: (file.modified, file.name))
        return [(self._table(file.name), file) for file in oldest_first]

    def _table(self, name: str) -> Table:
        beginning = stem_of(name).rpartition("/")[2].partition("-")[0]
        for table in TABLES:
            if table.name == beginning:
                return table
        names = ", ".join(table.name for table in TABLES)
        raise SourceError(
            f"{name} is not called after a table",
            where=self.root,
            fix=f"name it after one of {names}, with more behind a dash, or move it away",
        )
