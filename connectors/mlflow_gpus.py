"""How busy GPUs were, as MLflow's own monitor logs it with a run (`log_system_metrics`).

It is for machines that no other telemetry watches. A UTC day is delivered once, when it is over:
who logs later is not heard. Every run that was alive on the day and is seen by the night is asked
for the points since the last one that was delivered.

Source: MLflow 3.17, mlflow/system_metrics/metrics/gpu_monitor.py
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from connectors.base import Delivery, Table
from connectors.records import ParquetParts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.mlflow_records import Backend, Run

GPU_METRICS = Table(
    name="gpu_metrics",
    columns={
        "run_id": "text",
        "key": "text",
        "timestamp": "integer",
        "value": "text",
        "instance_id": "text",
        "node": "text",
        "pod": "text",
    },
)
"""A point, beside what the run's tags `finops.*` said of its places when it was read."""
KEY_LIKE = "system/%gpu%utilization_percentage"
_KEY = re.compile(r"system/(?:.+/)?gpu_\d+_utilization_percentage")
_DAYS = 14
"""Days to look back on the first night: no detector looks further."""
_LAG = timedelta(hours=1)
_PLACES = ("finops.instance_id", "finops.node", "finops.pod")

Steps = dict[str, dict[str, int]]
"""Run -> key -> the last step that was delivered."""


class Point(NamedTuple):
    """One value of one metric of a run."""

    run_id: str
    key: str
    timestamp: int
    """ms since 1970."""
    value: float
    step: int


def is_gpu_key(key: str) -> bool:
    """Tell whether a metric is how busy a GPU was, in percent."""
    return _KEY.fullmatch(key) is not None


@dataclass(slots=True)
class GpuDays:
    """The days that are to be delivered, and the runs that were alive in them."""

    at: datetime
    begin: date
    """The first of the days; the last is the one before `end`."""
    end: date
    steps: Steps
    runs: list[Run] = field(default_factory=list)

    @classmethod
    def of(cls, cursor: str | None, at: datetime) -> GpuDays:
        """Return the days since those that the cursor has, as of a time of extraction."""
        end = (at.astimezone(UTC) - _LAG).date()
        first = end - timedelta(_DAYS)
        if not cursor:
            return cls(at, first, end, {})
        held = json.loads(cursor)
        return cls(at, max(first, date.fromisoformat(held["until"])), end, held["steps"])

    def note(self, run: Run) -> None:
        """Remember a run, if it was alive in these days."""
        has_begun = self.begin < self.end and (run.start_time or 0) < _ms(self.end)
        if has_begun and (run.end_time is None or run.end_time >= _ms(self.begin)):
            self.runs.append(run)

    def deliveries(self, backend: Backend) -> Iterator[Delivery]:
        """Yield each day of which there are points, oldest first."""
        if not self.runs:
            return
        places = {run.run_id: _places(dict(run.tags)) for run in self.runs}
        parts: dict[date, ParquetParts] = {}
        last: dict[date, Steps] = {}
        for point in backend.gpu_points(self.runs, _ms(self.begin), _ms(self.end), self.steps):
            day = datetime.fromtimestamp(point.timestamp / 1000, UTC).date()
            row = (point.run_id, point.key, point.timestamp, repr(point.value))
            parts.setdefault(day, ParquetParts(GPU_METRICS)).add((*row, *places[point.run_id]))
            of_run = last.setdefault(day, {}).setdefault(point.run_id, {})
            of_run[point.key] = max(point.step, of_run.get(point.key, 0))
        alive = {run.run_id for run in self.runs}
        steps = {run_id: held for run_id, held in self.steps.items() if run_id in alive}
        for day in sorted(parts):
            for run_id, held in last[day].items():
                steps[run_id] = {**steps.get(run_id, {}), **held}
            yield self._delivery(day, parts[day], steps)

    def _delivery(self, day: date, parts: ParquetParts, steps: Steps) -> Delivery:
        files = parts.files()
        version = hashlib.sha256(b"".join(file.content for file in files)).hexdigest()
        return Delivery(
            table=GPU_METRICS.name,
            unit=day.isoformat(),
            version=version[:32],
            version_at=self.at,
            files=files,
            cursor=json.dumps({"until": (day + timedelta(1)).isoformat(), "steps": steps}),
            stated_rows=parts.row_count,
        )


def _places(tags: Mapping[str, str]) -> Sequence[str | None]:
    return [tags.get(key) or None for key in _PLACES]


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
