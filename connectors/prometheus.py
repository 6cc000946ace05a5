"""Kubernetes and GPU telemetry from Prometheus, or from answers of its that were saved.

A day is asked for once its last hour has settled, 24 points for each series, and asked for again on
the next nights as long as it may still change. Saved answers lie as

    <root>/<UTC day>/<query>.json      or .json.gz

and hold what `query_range` answered, as it came; the queries are those of `promql.py`.
VictoriaMetrics speaks the same API.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from connectors.base import Delivery, SourceError, Table
from connectors.http import JsonService
from connectors.local import FrameFile
from connectors.promql import QUERIES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known

Json = dict[str, Any]

_LABELS = pl.List(pl.Struct({"key": pl.String(), "value": pl.String()}))
_COLUMNS = ("cluster", "namespace", "pod", "uid", "node", "resource")
"""Labels that nearly every series has, as columns: five times faster to read than from the map."""
_SERIES = pl.Schema(
    {
        "query": pl.String(),
        **dict.fromkeys(_COLUMNS, pl.String()),
        "labels": _LABELS,
        "sampled_at": pl.List(pl.Int64()),
        "value": pl.List(pl.Float64()),
    }
)
_SCHEMA = pl.Schema(
    {
        "query": pl.String(),
        **dict.fromkeys(_COLUMNS, pl.String()),
        "labels": _LABELS,
        "sampled_at": pl.Datetime("us"),
        "value": pl.Float64(),
        "scrape_seconds": pl.Int64(),
    }
)


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One Prometheus, or a folder of its answers."""

    url: str = ""
    """`https://prometheus.example`; either this or `root`."""
    root: str = ""
    """A folder of saved answers."""
    token_env: str = ""
    """Environment variable that holds a bearer token."""
    cluster: str = "default"
    """A name for the cluster that it watches."""
    scrape_seconds: int = 60
    """How often Prometheus scrapes kube-state-metrics and the GPUs."""
    user_label: str = "label_user"
    """The label of kube_pod_labels that names the user."""
    team_label: str = "label_team"
    """The label that names the team."""
    project_label: str = "label_project"
    """The label that names the project."""
    run_label: str = "label_mlflow_run_id"
    """The label that holds the tracker's run id."""
    model_label: str = "label_model"
    """The label of serving pods that names the model."""
    backfill_days: int = 35
    """Days to ask for on the first night."""
    overlap_days: int = 2
    """Days before the newest one known that are asked for again."""
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
                **dict.fromkeys(_COLUMNS, "text"),
                "labels": "tags",
                "sampled_at": "time",
                "value": "number",
                "scrape_seconds": "integer",
            },
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each day that is new or differs from what was delivered.

        Raises: SourceError
        """
        if bool(self.url) == bool(self.root):
            raise SourceError(
                "either url or root must be given",
                where="[connectors.prometheus]",
                fix="url for a server, root for a folder of saved answers",
            )
        if self.root:
            yield from self._saved(known)
        else:
            yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield the days of a server that have settled at a time."""
        last = (at - timedelta(minutes=self.settle_minutes)).date() - timedelta(days=1)
        first, newest = self._reach(known, last)
        headers = {}
        if self.token_env:
            headers["authorization"] = f"Bearer {_secret(self.token_env)}"
        with JsonService.at(
            "Prometheus", self.url, headers=headers, timeout_seconds=self.timeout_seconds
        ) as service:
            start = max(first, newest - timedelta(days=self.overlap_days - 1))
            for number in range((last - start).days + 1):
                day = start + timedelta(days=number)
                answers = {name: self._ask(service, name, day) for name in QUERIES}
                version = _digest(answers)
                if not known.has("samples", day.isoformat(), version):
                    newest = max(newest, day)
                    reach = f"{first}/{newest}"
                    yield self._delivery(day, version, at, answers, reach)

    def _reach(self, known: Known, last: date) -> tuple[date, date]:
        """Return the first and the newest day asked for so far, or to begin with."""
        cursor = known.cursor("samples")
        if cursor is None:
            first = last - timedelta(days=self.backfill_days - 1)
            return first, first
        first, newest = (date.fromisoformat(day) for day in cursor.split("/"))
        return first, newest

    def _ask(self, service: JsonService, query: str, day: date) -> Json:
        labels = (
            self.user_label,
            self.team_label,
            self.project_label,
            self.run_label,
            self.model_label,
        )
        start = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        form = {
            "query": QUERIES[query].replace("%(labels)s", ", ".join(labels)),
            "start": f"{start + 3600:.0f}",
            "end": f"{start + 86400:.0f}",
            "step": "3600",
        }
        answer = service.ask("POST", "api/v1/query_range", data=form)
        if not answer.is_success:
            said = str(answer.json.get("error", ""))
            raise service.refusal(answer, query, said=said, credentials="token_env")
        return answer.json

    def _saved(self, known: Known) -> Iterator[Delivery]:
        folder = Path(self.root)
        if not folder.is_dir():
            raise SourceError(
                "there is no such folder", where=self.root, fix="mend `root`, or make the folder"
            )
        for of_day in sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]")):
            files = {path.name.partition(".")[0]: path for path in sorted(of_day.glob("*.json*"))}
            files = {name: path for name, path in files.items() if name in QUERIES}
            packed = {name: path.read_bytes() for name, path in files.items()}
            digest = hashlib.sha256()
            for name, content in sorted(packed.items()):
                digest.update(f"{name} {len(content)} ".encode() + content)
            if known.has("samples", of_day.name, digest.hexdigest()):
                continue
            answers = {name: _unpack(files[name], content) for name, content in packed.items()}
            newest = max((path.stat().st_mtime for path in files.values()), default=0.0)
            at = datetime.fromtimestamp(newest, UTC)
            yield self._delivery(date.fromisoformat(of_day.name), digest.hexdigest(), at, answers)

    def _delivery(
        self,
        day: date,
        version: str,
        at: datetime,
        answers: Mapping[str, Json],
        cursor: str | None = None,
    ) -> Delivery:
        frames = [self._frame(name, answer, day) for name, answer in sorted(answers.items())]
        frame = pl.concat([pl.DataFrame(schema=_SCHEMA), *frames])
        return Delivery(
            table="samples",
            unit=day.isoformat(),
            version=version,
            version_at=at,
            files=[FrameFile(f"samples of {day}", frame)],
            cursor=cursor,
        )

    def _frame(self, query: str, answer: Json, day: date) -> pl.DataFrame:
        data = answer.get("data", {})
        if answer.get("status") != "success" or data.get("resultType") != "matrix":
            raise SourceError(
                f"the answer to {query} is not a matrix: {str(answer.get('error', ''))[:200]}",
                where=f"{self.url or self.root}, {day}",
                fix="save what /api/v1/query_range answers, whole",
            )
        rows = [self._row(query, one) for one in data.get("result", ())]
        series = pl.DataFrame(rows, schema=_SERIES, orient="row")
        return (
            series.explode("sampled_at", "value")
            .with_columns(
                pl.from_epoch(pl.col("sampled_at"), time_unit="s").cast(pl.Datetime("us")),
                pl.lit(self.scrape_seconds, dtype=pl.Int64).alias("scrape_seconds"),
            )
            .select(_SCHEMA.names())
        )

    def _row(self, query: str, one: Json) -> tuple[object, ...]:
        """Return one series: query, columns, other labels, seconds since the epoch, values."""
        metric = {"cluster": self.cluster} | one.get("metric", {})
        labels = [
            {"key": self._label(key), "value": value}
            for key, value in sorted(metric.items())
            if key not in _COLUMNS
        ]
        values = one.get("values", ())
        return (
            query,
            *(metric.get(column) for column in _COLUMNS),
            labels,
            [int(at) for at, _ in values],
            [_finite(text) for _, text in values],
        )

    def _label(self, key: str) -> str:
        """Return the name that staging reads a configured label by."""
        owners = {
            self.user_label: "owner_user",
            self.team_label: "owner_team",
            self.project_label: "owner_project",
            self.run_label: "owner_run",
            self.model_label: "owner_model",
        }
        return owners.get(key, key)


def _finite(text: str) -> float | None:
    """Read a value; NaN and infinities, which Prometheus knows, are no measurement."""
    value = float(text)
    return value if math.isfinite(value) else None


def _digest(answers: Mapping[str, Json]) -> str:
    """Return a digest of answers' series, whatever order they came in."""
    found = {
        name: sorted(
            json.dumps(one, sort_keys=True) for one in answer.get("data", {}).get("result", ())
        )
        for name, answer in answers.items()
    }
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _unpack(path: Path, content: bytes) -> Json:
    try:
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        answer = json.loads(text)
    except (OSError, EOFError, ValueError) as error:
        raise SourceError(
            f"{path.name} is not a whole answer: {error}",
            where=str(path),
            fix="save it again; the day's last good answers stay in force",
        ) from error
    if not isinstance(answer, dict):
        answer = {}
    return answer


def _secret(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise SourceError(
            f"the environment variable {variable} is not set",
            where="[connectors.prometheus] token_env",
            fix=f"set {variable}, or name another",
        )
    return value
