"""Kubernetes and GPU telemetry from Prometheus, or from answers of its that were saved.

A day is asked for once its last hour has settled, 24 points for each series, and asked for again on
the next nights as long as it may still change. Saved answers lie as

    <root>/<UTC day>/<query>.json      or .json.gz

and hold what `query_range` answered, as it came, for the hours that end at 01:00 to 24:00; the
queries are those of `promql.py` and `serving_promql.py`. An answer without series need not be
saved, but for those of `pod_running` and `node_up`, without which a day would look idle.
VictoriaMetrics and Thanos speak the same API.

A day without any sample is not delivered: telemetry that a server has lost does not replace what
it said before.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit, urlunsplit

from connectors.base import Delivery, SourceError, Table
from connectors.local import FrameFile
from connectors.prometheus_answers import digest_of_series, series_of, unpack
from connectors.promql import COLUMNS, QUERIES, query_text
from connectors.secrets import as_bearer, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from connectors.base import Known
    from connectors.http import JsonService
    from connectors.prometheus_answers import Series

_log = logging.getLogger(__name__)
_WHERE = "[connectors.prometheus]"

_LABEL = re.compile(r"label_[a-zA-Z0-9_]+")
_OK = 200
_NEEDED = ("pod_running", "node_up")
_OWNERS = ("owner_run", "owner_user", "owner_team", "owner_project", "owner_model")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One Prometheus, or a folder of its answers."""

    url: str = field(default="", repr=False)
    """`https://prometheus.example`, without a password; either this or `root`."""
    root: str = ""
    """A folder of saved answers."""
    token_env: str = ""
    """Environment variable that holds a bearer token."""
    cluster: str = "default"
    """A name for the cluster that it watches."""
    scrape_seconds: int = 60
    """How often Prometheus scrapes kube-state-metrics and the GPUs."""
    user_label: str = "label_user"
    """The label of kube_pod_labels that names the user; empty: none does."""
    team_label: str = "label_team"
    """The label that names the team."""
    project_label: str = "label_project"
    """The label that names the project."""
    run_label: str = "label_mlflow_run_id"
    """The label that holds the tracker's run id."""
    model_label: str = "label_model"
    """The label of serving pods that names the model."""
    backfill_days: int = 35
    """Days to ask for on the first night; more later fetch the rest."""
    overlap_days: int = 2
    """Days, the newest one known among them, that are asked for again."""
    settle_minutes: int = 60
    """Minutes after a day's end before it is asked for."""
    timeout_seconds: int = 120
    """How long one request may take."""

    name: ClassVar[str] = "prometheus"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "samples",
            {
                "query": "text",
                "sampled_at": "time",
                "value": "text",
                "scrape_seconds": "integer",
                "cluster": "text",
                **dict.fromkeys(COLUMNS.values(), "text"),
                **dict.fromkeys(_OWNERS, "text"),
            },
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each day that is new or differs from what was delivered.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield the days that have settled at a time; of a folder, the days that are there."""
        self.check()
        if self.root:
            yield from self._saved(known)
        else:
            yield from self._asked(known, at.astimezone(UTC))

    def check(self) -> None:
        """Refuse settings that would give wrong figures.

        Raises: SourceError
        """
        if bool(self.url) == bool(self.root):
            raise _misuse("either url or root must be given", "url for a server, root for a folder")
        if not 1 <= self.scrape_seconds <= 600:  # noqa: PLR2004 - ten minutes
            raise _misuse(
                f"scrape_seconds is {self.scrape_seconds}",
                "write the scrape interval that Prometheus is configured with, 1 to 600",
            )
        if self.backfill_days < 1 or self.overlap_days < 1 or self.settle_minutes < 0:
            raise _misuse(
                "a number of days is less than 1, or settle_minutes less than 0", "mend it"
            )
        for column, label in self._owners.items():
            if label and not _LABEL.fullmatch(label):
                near = "label_" + re.sub(r"[^a-zA-Z0-9_]", "_", label)
                raise _misuse(
                    f"{column.removeprefix('owner_')}_label is {label!r}, no label of "
                    "kube_pod_labels",
                    f"write it as kube-state-metrics shows it: {near}",
                )
        parts = urlsplit(self.url)
        if self.url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise _misuse("url is no address of a server", "begin it with https:// or http://")
        if parts.username or parts.password:
            raise _misuse("url holds credentials", "put a token into the environment: token_env")

    @property
    def _owners(self) -> Mapping[str, str]:
        """The column that a configured label fills -> the label."""
        labels = (
            self.run_label,
            self.user_label,
            self.team_label,
            self.project_label,
            self.model_label,
        )
        return dict(zip(_OWNERS, labels, strict=True))

    def _asked(self, known: Known, at: datetime) -> Iterator[Delivery]:
        last = (at - timedelta(minutes=self.settle_minutes)).date() - timedelta(days=1)
        first, newest = self._reach(known, last)
        where = urlunsplit(urlsplit(self.url)._replace(query="", fragment=""))
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        with JsonService.at(
            "Prometheus",
            where,
            headers=lambda: as_bearer(secret_of(self.token_env, where=_WHERE)),
            timeout_seconds=self.timeout_seconds,
        ) as service:
            days = _days(max(first, newest - timedelta(days=self.overlap_days - 1)), last)
            wanted = last - timedelta(days=self.backfill_days - 1)
            # Deeper than before, backwards: whatever stops it, the cursor tells what is left.
            deeper = [] if known.cursor("samples") is None else _days(wanted, first)[-2::-1]
            for day in [*deeper, *days]:
                version, frames = self._ask_day(service, day)
                if not frames:
                    self._say_empty(day, where, is_newest=day == last)
                elif not known.has("samples", day.isoformat(), version):
                    first, newest = min(first, day), max(newest, day)
                    yield self._delivery(day, version, at, frames, f"{first}/{newest}")

    def _reach(self, known: Known, last: date) -> tuple[date, date]:
        """Return the first and the newest day asked for so far, or to begin with."""
        cursor = known.cursor("samples")
        if cursor is None:
            first = last - timedelta(days=self.backfill_days - 1)
            return first, first
        first, newest = (date.fromisoformat(day) for day in cursor.split("/"))
        return first, newest

    def _say_empty(self, day: date, where: str, *, is_newest: bool) -> None:
        if is_newest:
            raise SourceError(
                f"there is no sample of {day}, neither of kube-state-metrics nor of DCGM",
                where=where,
                fix="ask the server for kube_node_info: is it scraped, is it kept, is this the "
                "right server?",
            )
        _log.info("prometheus: no samples of %s", day)

    def _ask_day(self, service: JsonService, day: date) -> tuple[str, Sequence[pl.DataFrame]]:
        """Ask everything about a day; return a digest of the answers, and those with rows."""
        digest = hashlib.sha256(repr((self.cluster, self.scrape_seconds, self._owners)).encode())
        frames = []
        for query in QUERIES:
            found = self._ask(service, query, day)
            frames.append(self._frame(query, found, day, f"{service.where}, {day}"))
            digest.update(f"{query} {digest_of_series(found)} ".encode())
        return digest.hexdigest(), [frame for frame in frames if frame.height]

    def _ask(self, service: JsonService, query: str, day: date) -> Series:
        labels = [label for label in self._owners.values() if label]
        start = _seconds(day)
        form = {
            "query": query_text(query, labels=labels, scrape_seconds=self.scrape_seconds),
            "start": str(start + 3600),
            "end": str(start + 86400),
            "step": "3600",
            "partial_response": "false",  # Thanos
            "deny_partial_response": "1",  # VictoriaMetrics
        }
        answer = service.ask("POST", "api/v1/query_range", data=form)
        if not answer.is_success:
            is_odd = answer.status == _OK and not answer.json
            said = str(answer.json.get("error", "with what is no JSON object" if is_odd else ""))
            raise service.refusal(answer, query, said=said, credentials="token_env")
        return series_of(answer.json, query=query, where=f"{service.where}, {day}")

    def _saved(self, known: Known) -> Iterator[Delivery]:
        """Yield the days of a folder; one that cannot be read does not hold up the others."""
        folder = Path(self.root)
        days = sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"))
        if not days:
            raise SourceError(
                "there are no saved answers, in folders named by day",
                where=self.root,
                fix="mend `root`, or save answers as <root>/2026-10-03/<query>.json",
            )
        errors = []
        for of_day in days:
            try:
                yield from self._saved_day(of_day, known)
            except SourceError as error:
                errors.append(error)
        if errors:
            if len(errors) > 1:
                errors[0].add_note(f"and so for {len(errors) - 1} more days")
            raise errors[0]

    def _saved_day(self, of_day: Path, known: Known) -> Iterator[Delivery]:
        paths = _files_of(of_day)
        if not paths:
            _log.info("prometheus: no answers of %s", of_day.name)
            return
        digest = hashlib.sha256(repr((self.cluster, self.scrape_seconds, self._owners)).encode())
        for query, path in paths.items():
            digest.update(f"{query} {_digest_of_file(path)} ".encode())
        version = digest.hexdigest()
        if known.has("samples", of_day.name, version):
            return
        day = date.fromisoformat(of_day.name)
        frames = []
        for query, path in paths.items():
            found = series_of(unpack(path, path.read_bytes()), query=query, where=str(path))
            frames.append(self._frame(query, found, day, str(path)))
        frames = [frame for frame in frames if frame.height]
        if not frames:
            self._say_empty(day, str(of_day), is_newest=True)
        at = datetime.fromtimestamp(max(path.stat().st_mtime for path in paths.values()), UTC)
        yield self._delivery(day, version, at, frames)

    def _frame(self, query: str, found: Series, day: date, where: str) -> pl.DataFrame:
        from connectors.prometheus_frames import frame_of  # noqa: PLC0415  (loads polars)

        return frame_of(
            found, query=query, where=where, day_seconds=_seconds(day), owners=self._owners
        )

    def _delivery(
        self,
        day: date,
        version: str,
        at: datetime,
        frames: Sequence[pl.DataFrame],
        cursor: str | None = None,
    ) -> Delivery:
        """Return a day as five files at most: of pods, volumes, nodes, GPUs, served models."""
        from connectors.prometheus_frames import by_kind  # noqa: PLC0415  (loads polars)

        rows = by_kind(frames, scrape_seconds=self.scrape_seconds, cluster=self.cluster)
        files = [FrameFile(f"{kind} samples of {day}", frame) for kind, frame in rows.items()]
        return Delivery("samples", day.isoformat(), version, at, files, cursor)


def _days(first: date, last: date) -> list[date]:
    """Return the days from first to last, both inclusive; none where last comes first."""
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def _files_of(of_day: Path) -> Mapping[str, Path]:
    """Return the file of each query that has one, in the order of the queries.

    Raises: SourceError for a day that is not one, and for files that are too many or too few.
    """
    wrong = [] if _is_date(of_day.name) else ["there is no such day"]
    paths: dict[str, Path] = {}
    for path in sorted(of_day.iterdir()):
        query = path.name.removesuffix(".gz").removesuffix(".json")
        if not path.name.endswith((".json", ".json.gz")):
            continue
        if query not in QUERIES:
            near = get_close_matches(query, QUERIES, n=1)
            wrong.append(f"{path.name} is no query's" + (f"; is it {near[0]}?" if near else ""))
        elif query in paths:
            wrong.append(f"{query} is there twice")
        else:
            paths[query] = path
    if paths:
        wrong += [f"{query} is missing" for query in _NEEDED if query not in paths]
    if wrong:
        raise SourceError(
            f"the answers of {of_day.name} cannot be read as a day: {', '.join(wrong)}",
            where=str(of_day),
            fix="save the answers of a UTC day, once each, as <query>.json or <query>.json.gz",
        )
    return {query: paths[query] for query in QUERIES if query in paths}


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _digest_of_file(path: Path) -> str:
    try:
        # a night reads thousands of these, each small: file_digest would fill a buffer for each
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceError(
            f"{path.name} cannot be read: {error.strerror}",
            where=str(path),
            fix="let the user that runs mlspend read it",
        ) from error


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _misuse(what: str, fix: str) -> SourceError:
    return SourceError(what, where=_WHERE, fix=fix)
