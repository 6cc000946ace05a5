"""Which pods held which machines, as OpenCost (or Kubecost) says, or as answers of its saved.

For clusters that are watched by OpenCost and by no Prometheus that mlspend may ask. Its hours of
cores, GPUs and memory are taken as shares of the machines' own bill; its dollars are not.

A day is asked for once it has settled, in steps of an hour, and again for some nights, because
OpenCost fills gaps late. Saved answers lie as `<root>/<UTC day>.json` (or .json.gz) and hold what
`/allocation` answered for that day, whole.

A day without a pod is not delivered: what OpenCost has lost does not replace what it said before.

Source: https://opencost.io/docs/integrations/api
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit, urlunsplit

from connectors.base import Delivery, SourceError, Table
from connectors.local import FrameFile
from connectors.opencost_answers import HOURS, rows_of
from connectors.secrets import as_bearer, secret_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known
    from connectors.http import JsonService
    from connectors.opencost_answers import Json, Row

_log = logging.getLogger(__name__)
_WHERE = "[connectors.opencost]"

_OWNERS = ("owner_run", "owner_user", "owner_team", "owner_project", "owner_model")
_TIMES = ("window_start", "window_end", "started_at", "ended_at")
_TEXTS = ("cluster", "node", "namespace", "pod", "container", "provider_id", *_OWNERS)


@dataclass(frozen=True, slots=True)
class Opencost:
    """One OpenCost, or a folder of its answers."""

    url: str = field(default="", repr=False)
    """`http://opencost.example:9003`, or Kubecost's `.../model`; either this or `root`."""
    root: str = ""
    """A folder of saved answers."""
    token_env: str = ""
    """Environment variable that holds a bearer token."""
    cluster: str = ""
    """A name for the cluster, instead of the one that OpenCost gives it."""
    user_label: str = "user"
    """The label of pods that names the user; empty: none does."""
    team_label: str = "team"
    """The label that names the team."""
    project_label: str = "project"
    """The label that names the project."""
    run_label: str = "mlflow_run_id"
    """The label that holds the tracker's run id."""
    model_label: str = "model"
    """The label of serving pods that names the model."""
    backfill_days: int = 14
    """Days to ask for on the first night; OpenCost keeps 15 unless told otherwise."""
    overlap_days: int = 3
    """Days, the newest one known among them, that are asked for again."""
    settle_minutes: int = 60
    """Minutes after a day's end before it is asked for."""
    timeout_seconds: int = 300
    """How long one request may take."""

    name: ClassVar[str] = "opencost"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "allocations",
            {
                **dict.fromkeys(_TIMES, "time"),
                **dict.fromkeys(_TEXTS, "text"),
                **dict.fromkeys(HOURS.values(), "text"),
            },
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each day that is new or differs from what was delivered.

        Raises: SourceError
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        self.check()
        yield from self._saved(known) if self.root else self._asked(known, at)

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        if bool(self.url) == bool(self.root):
            raise _misuse(
                "url and root: give one of them", "url asks a server, root reads a folder"
            )
        parts = urlsplit(self.url)
        if self.url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise _misuse("url is no address of a server", "begin it with https:// or http://")
        if parts.username or parts.password:
            raise _misuse("url holds credentials", "put a token into the environment: token_env")
        if min(self.backfill_days, self.overlap_days) < 1 or self.settle_minutes < 0:
            raise _misuse("days are 1 or more, minutes 0 or more", "mend the numbers")

    @property
    def _owners(self) -> Mapping[str, str]:
        """The column that a label fills -> the label."""
        labels = (
            self.run_label,
            self.user_label,
            self.team_label,
            self.project_label,
            self.model_label,
        )
        return dict(zip(_OWNERS, labels, strict=True))

    def _asked(self, known: Known, at: datetime) -> Iterator[Delivery]:
        from connectors.http import JsonService  # noqa: PLC0415 - loads an HTTP client

        last = (at - timedelta(minutes=self.settle_minutes)).date() - timedelta(days=1)
        cursor = known.cursor("allocations")
        newest = date.fromisoformat(cursor) if cursor else None
        back = self.overlap_days if newest else self.backfill_days
        day = (newest or last) - timedelta(days=back - 1)
        where = urlunsplit(urlsplit(self.url)._replace(query="", fragment=""))
        with JsonService.at(
            "OpenCost",
            where,
            headers=lambda: as_bearer(secret_of(self.token_env, where=_WHERE)),
            timeout_seconds=self.timeout_seconds,
        ) as service:
            while day <= last:
                rows = self._rows(_ask(service, day), day, f"{where}, {day}")
                if rows:
                    newest = max(newest or day, day)
                    yield from self._delivery(rows, day, at, known, newest.isoformat())
                elif day == last:
                    raise _no_pods(day, where)
                else:
                    _log.info("opencost: no pods on %s", day)
                day += timedelta(days=1)

    def _saved(self, known: Known) -> Iterator[Delivery]:
        """Yield the days of a folder; one that cannot be read does not hold up the others."""
        paths = sorted(Path(self.root).glob("[0-9]*-[0-9]*-[0-9]*.json*"))
        if not paths:
            raise SourceError(
                "there are no saved answers, in files named by day",
                where=self.root,
                fix="mend `root`, or save answers as <root>/2026-10-03.json",
            )
        errors: list[SourceError] = []
        seen: set[date] = set()
        for path in paths:
            try:
                day = _day_of(path, seen)
                seen.add(day)
                rows = self._rows(_unpack(path), day, str(path))
                if not rows:
                    raise _no_pods(day, str(path))
                at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield from self._delivery(rows, day, at, known, None)
            except SourceError as error:
                errors.append(error)
        if errors:
            if len(errors) > 1:
                errors[0].add_note(f"and so for {len(errors) - 1} more days")
            raise errors[0]

    def _rows(self, answer: Json, day: date, where: str) -> list[Row]:
        rows = rows_of(answer, day=day, owners=self._owners, where=where)
        for row in rows:
            row["cluster"] = self.cluster or row["cluster"] or "default"
        return sorted(rows, key=repr)

    def _delivery(
        self, rows: Sequence[Row], day: date, at: datetime, known: Known, cursor: str | None
    ) -> Iterator[Delivery]:
        version = hashlib.sha256(repr(rows).encode()).hexdigest()
        if known.has("allocations", day.isoformat(), version):
            return
        import polars as pl  # noqa: PLC0415  (slow to import; most nights bring a few days)

        frame = pl.DataFrame(rows, schema=dict.fromkeys(self.tables[0].columns, pl.String))
        files = [FrameFile(f"allocations of {day}", frame)]
        yield Delivery(
            "allocations", day.isoformat(), version, at, files, cursor, stated_rows=len(rows)
        )


def _ask(service: JsonService, day: date) -> Json:
    start, end = f"{day}T00:00:00Z", f"{day + timedelta(days=1)}T00:00:00Z"
    asked = {
        "window": f"{start},{end}",
        "step": "1h",
        "accumulate": "false",
        "includeIdle": "false",
        "shareIdle": "false",
    }
    answer = service.ask("GET", "allocation", params=asked)
    if not answer.is_success:
        said = str(answer.json.get("message") or answer.json.get("error") or "")
        raise service.refusal(answer, "allocation", said=said, credentials="token_env")
    return answer.json


def _day_of(path: Path, seen: set[date]) -> date:
    text = path.name.removesuffix(".gz").removesuffix(".json")
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise SourceError(
            f"{path.name} is not named by a day", where=str(path), fix="name it 2026-10-03.json"
        ) from error
    if day in seen:
        raise SourceError(f"{day} is there twice", where=str(path), fix="keep one of them")
    return day


def _unpack(path: Path) -> Json:
    try:
        content = path.read_bytes()
        answer = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    except (OSError, EOFError, ValueError, RecursionError) as error:
        raise SourceError(
            f"{path.name} is not a whole answer: {error or type(error).__name__}",
            where=str(path),
            fix="save it again; the day's last good answer stays in force",
        ) from error
    return answer if isinstance(answer, dict) else {}


def _no_pods(day: date, where: str) -> SourceError:
    return SourceError(
        f"there is no pod on {day}",
        where=where,
        fix="see whether OpenCost reaches its Prometheus, and keeps that day",
    )


def _misuse(what: str, fix: str) -> SourceError:
    return SourceError(what, where=_WHERE, fix=fix)
