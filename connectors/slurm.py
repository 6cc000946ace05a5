"""Slurm: its jobs as sacct tells them, by running it or from outputs that were saved.

A job that is requeued keeps its id and gets a second record; sacct hides the first unless it is
asked with -D, although it held GPUs all the same. A night reads every job that ran since the day
before the last one, and by its id what was still open then; once a week those of the last month,
because comments and records that were mended late move no time.

Saved outputs lie as `<root>/<UTC day>*.txt`, or .txt.gz, and are whatever

    TZ=UTC sacct -a -X -D -P -S <start> -E <end> -o JobIDRaw,DBIndex,User,Account,State,...

printed, with its header. The file whose name comes last counts for a job. Which nodes there are, so
that those without work are known to be idle, lies in `<root>/nodes/<UTC day>*.txt`, as
`sinfo -a -N -h -o '%N|%T'` printed it.

Source: https://slurm.schedmd.com/sacct.html
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import re
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError
from connectors.local import digest_of, written_at
from connectors.records import ParquetParts
from connectors.seen import Days, Night
from connectors.slurm_nodes import NODES, SINFO, nodes_of
from connectors.slurm_records import (
    FIELDS,
    JOBS,
    SEPARATOR,
    check_zone,
    is_open,
    is_over_before,
    jobs_of,
    key_of,
    row_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connectors.base import Known, Table

_log = logging.getLogger(__name__)

_WHERE = "[connectors.slurm]"
_STEP = timedelta(days=31)
"""How much is asked for at once: slurmdbd may limit it (MaxQueryTimeRange)."""
_IDS = 500


@dataclass(frozen=True, slots=True)
class Slurm:
    """The accounting of one cluster."""

    root: str = ""
    """A folder of saved outputs; empty: sacct is run."""
    command: tuple[str, ...] = ()
    """What to put before sacct, such as `["ssh", "login1"]`."""
    cluster: str = ""
    """The cluster to read, where one slurmdbd keeps several."""
    nodes: bool = False
    """Whether to ask sinfo, too, which nodes there are: those without work are idle then."""
    time_zone: str = "UTC"
    """The zone of times in saved outputs; sacct is run in UTC."""
    backfill_days: int = 400
    """Days to look back on the first night."""
    overlap_days: int = 1
    """Jobs that ran in the days before the last extraction are read again."""
    rescan_days: int = 35
    """How far back late edits are looked for."""
    rescan_every_days: int = 7
    """How often that is done; 0: every night."""
    timeout_seconds: int = 600
    """How long one sacct may take."""

    name: ClassVar[str] = "slurm"
    tables: ClassVar[Sequence[Table]] = (JOBS, NODES)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield the jobs that are new or changed since the last delivery.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        self.check()
        yield from self._saved(known) if self.root else self._asked(known, at.astimezone(UTC))

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        check_zone(self.time_zone, _WHERE)
        days = (self.backfill_days, self.overlap_days, self.rescan_days)
        if min(days) < 1 or self.rescan_every_days < 0:
            raise SourceError("days are 1 or more", where=_WHERE, fix="mend the numbers")
        if self.root and self.command:
            raise SourceError(
                "root and command: give one of them",
                where=_WHERE,
                fix="root reads a folder, command runs sacct",
            )

    def _asked(self, known: Known, at: datetime) -> Iterator[Delivery]:
        days = Days(self.backfill_days, self.overlap_days, self.rescan_days, self.rescan_every_days)
        night = Night.begin(JOBS, known.cursor(JOBS.name), at, days)
        runs, start = 0, night.since
        while start < at:
            end = min(start + _STEP, at)
            # what runs now ends "now", a moment after `at`
            words = ["-S", _as_time(start), "-E", _as_time(end) if end < at else "now"]
            self._read(night, words)
            runs, start = runs + 1, end
        unread = sorted(night.before.open_ids - {key.partition(" ")[0] for key in night.read})
        for first in range(0, len(unread), _IDS):
            self._read(night, ["-j", ",".join(unread[first : first + _IDS])])
            runs += 1
        _log.info("slurm: sacct run %d times, %d jobs read", runs, len(night.read))
        yield from night.delivery()
        if self.nodes:
            chosen = ["-M", self.cluster] if self.cluster else []
            with self._run([*self.command, *SINFO, *chosen]) as lines:
                found = nodes_of(lines, f"{_WHERE} sinfo")
            yield from _listing(found, at.date().isoformat(), at, known)

    def _read(self, night: Night, words: Sequence[str]) -> None:
        chosen = ["-M", self.cluster] if self.cluster else []
        asked = ["sacct", "-a", "-X", "-D", "-P", f"--delimiter={SEPARATOR}", *chosen, *words]
        asked += ["-o", ",".join(FIELDS)]
        with self._run([*self.command, "env", "TZ=UTC", "SLURM_TIME_FORMAT=%s", *asked]) as lines:
            where = f"{_WHERE} sacct {' '.join(words)}"
            for job in jobs_of(lines, where=where, time_zone="UTC", cluster=self.cluster):
                open_id = (job["job_id_raw"] or "") if is_open(job) else ""
                is_past = is_over_before(job, night.floor)
                night.take(key_of(job), row_of(job), open_id=open_id, is_past=is_past)

    @contextmanager
    def _run(self, words: Sequence[str]) -> Iterator[IO[str]]:
        """Run a command, and yield what it wrote.

        Raises: SourceError
        """
        tool = "sinfo" if SINFO[0] in words else "sacct"
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            try:
                done = subprocess.run(  # noqa: S603 - the config's own command
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    check=False,
                    timeout=self.timeout_seconds,
                    text=True,
                    errors="replace",
                )
            except OSError as error:
                raise _no_sacct(f"{words[0]} cannot be run: {error.strerror}") from error
            except subprocess.TimeoutExpired as error:
                raise _no_sacct(f"{tool} takes more than {self.timeout_seconds} s") from error
            if done.returncode != 0:
                said = " ".join(done.stderr.split())[-300:]
                raise _no_sacct(f"{tool} ended with {done.returncode}: {said}")
            output.seek(0)
            yield output

    def _saved(self, known: Known) -> Iterator[Delivery]:
        """Yield the files of a folder; one that cannot be read does not hold up the others."""
        paths = sorted(path for path in Path(self.root).glob("*.txt*") if path.is_file())
        if not paths:
            raise SourceError(
                "there are no saved outputs of sacct",
                where=self.root,
                fix="mend `root`, or save them as <root>/2026-10-03.txt",
            )
        errors: list[SourceError] = []
        for path in paths:
            try:
                yield from self._saved_file(path, known)
            except SourceError as error:
                errors.append(error)
        for path in sorted((Path(self.root) / "nodes").glob("*.txt")):
            try:
                yield from _saved_nodes(path, known)
            except SourceError as error:
                errors.append(error)
        if errors:
            if len(errors) > 1:
                errors[0].add_note(f"and so for {len(errors) - 1} more files")
            raise errors[0]

    def _saved_file(self, path: Path, known: Known) -> Iterator[Delivery]:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d.*\.txt(\.gz)?", path.name):
            raise SourceError(
                f"{path.name} does not begin with a day",
                where=str(path),
                fix="name it 2026-10-03.txt: of several files that have a job, the last counts",
            )
        version = f"{digest_of(path)[:32]} {self.time_zone} {self.cluster}".rstrip()
        if known.has(JOBS.name, path.name, version):
            return
        parts = ParquetParts(JOBS)
        try:
            opened = gzip.open if path.suffix == ".gz" else Path.open
            with opened(path, "rt", encoding="utf-8", errors="replace") as lines:
                for job in jobs_of(
                    lines, where=str(path), time_zone=self.time_zone, cluster=self.cluster
                ):
                    parts.add(row_of(job))
        except (OSError, EOFError) as error:
            raise SourceError(
                f"{path.name} cannot be read: {error}", where=str(path), fix="save it again, whole"
            ) from error
        files = parts.files()
        if files:
            yield Delivery(
                JOBS.name, path.name, version, written_at(path), files, stated_rows=parts.row_count
            )


def _saved_nodes(path: Path, known: Known) -> Iterator[Delivery]:
    try:
        unit = date.fromisoformat(path.name[:10]).isoformat()
        found = nodes_of(path.read_text(encoding="utf-8").splitlines(), str(path))
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{path.name} cannot be read: {error}",
            where=str(path),
            fix="save it again, and name it by its day: nodes/2026-10-03.txt",
        ) from error
    yield from _listing(found, unit, written_at(path), known)


def _listing(
    found: Sequence[tuple[str, str | None]], unit: str, at: datetime, known: Known
) -> Iterator[Delivery]:
    parts = ParquetParts(NODES)
    for row in found:
        parts.add(row)
    version = hashlib.sha256(repr(found).encode()).hexdigest()[:32]
    if not known.has(NODES.name, unit, version):
        yield Delivery(NODES.name, unit, version, at, parts.files(), stated_rows=parts.row_count)


def _as_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def _no_sacct(what: str) -> SourceError:
    return SourceError(
        what,
        where=_WHERE,
        fix='run mlspend where sacct runs, or write `command = ["ssh", "login1"]`, or save its '
        "outputs into a folder and name that in `root`",
    )
