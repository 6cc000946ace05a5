"""The histories of the metrics that runs are for, of MLflow: those that the config names.

A night reads the points after the newest one that an earlier night delivered, of the runs that it
sees anyway; of a run that is over and has other points than were delivered, all of them. MLflow
tells with each run what the newest point of each metric is, so that an unchanged one is not asked
for. Points that a run logs again at earlier steps, after it was resumed, come once it is past its
old end.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from connectors.base import Delivery, SourceError, Table
from connectors.records import ParquetParts, digest_of
from connectors.seen import digests_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from typing import Self

    from connectors.mlflow_gpus import Point
    from connectors.mlflow_records import Backend, Run

OBJECTIVES = Table(
    name="objectives",
    columns={
        "run_id": "text",
        "metric": "text",
        "step": "integer",
        "timestamp": "integer",
        "value": "text",
    },
)
_FORMAT = 1
_INFINITE = 1.7976931348623157e308
"""What MLflow's databases hold for what is beyond all numbers."""


class Mark(NamedTuple):
    """Where a metric's newest point is."""

    step: int
    timestamp: int
    """ms since 1970."""


@dataclass(frozen=True, slots=True)
class Named:
    """The metrics that are asked for: names, in which `*` stands for anything and `?` for one."""

    patterns: Sequence[str]

    @classmethod
    def of(cls, patterns: Sequence[str], where: str) -> Self | None:
        """Return the metrics of a config; none where it names none.

        Raises: SourceError for a name without letters, which would be all metrics of the machine.
        """
        wanted = [one for one in patterns if one]
        for one in wanted:
            if not one.strip("*?"):
                raise SourceError(
                    f'objectives has "{one}", which names every metric there is',
                    where=where,
                    fix='name those that runs are for, such as "val_loss" or "val/*"',
                )
        return cls(wanted) if wanted else None

    def has(self, metric: str) -> bool:
        """Tell whether a metric is one of them."""
        return any(re.fullmatch(_regex(one), metric, re.DOTALL) for one in self.patterns)

    def likes(self) -> list[str]:
        """Return them as SQL's `like ... escape '!'` takes them."""
        return [
            re.sub("[!%_]", r"!\g<0>", one).replace("*", "%").replace("?", "_")
            for one in self.patterns
        ]


class Asked(NamedTuple):
    """A metric of a run whose history is asked for."""

    run: Run
    metric: str
    newest: Mark
    known: Mark | None
    """The newest point that was delivered; none: all are asked for."""


@dataclass(slots=True)
class _Memory:
    """What was delivered, as far back as it may still change: the cursor's text."""

    marks: dict[str, dict[str, Mark]] = field(default_factory=dict)
    """Run that was not over -> metric -> its newest point."""
    digests: dict[bytes, bytes] = field(default_factory=dict)
    """Digest of a run that was over and of a metric -> digest of its newest point."""

    @classmethod
    def of(cls, cursor: str | None) -> Self:
        """Read a cursor; empty on the first night, and where another format is begun anew."""
        held = json.loads(cursor) if cursor else {}
        if held.get("format") != _FORMAT:
            return cls()
        return cls(
            marks={
                run_id: {metric: Mark(*mark) for metric, mark in marks.items()}
                for run_id, marks in held["marks"].items()
            },
            digests=digests_of(held["digests"]),
        )

    def text(self) -> str:
        """Write the cursor."""
        digests = text_of(self.digests)
        return json.dumps({"format": _FORMAT, "marks": self.marks, "digests": digests})


@dataclass(slots=True)
class Histories:
    """One extraction: which runs have points that are news."""

    at: datetime
    before: _Memory
    after: _Memory
    asked: list[Asked] = field(default_factory=list)

    @classmethod
    def of(cls, cursor: str | None, at: datetime, *, scans: bool) -> Self:
        """Begin with what is known; with nothing where all runs are looked at again."""
        before = _Memory.of(cursor)
        return cls(at, before, _Memory(digests={} if scans else dict(before.digests)))

    def note(self, run: Run, *, is_kept: bool) -> None:
        """See whether a run has new points; `is_kept` where it may still come up again."""
        for metric, newest in run.objectives:
            key, content = digest_of([run.run_id, metric]), digest_of(newest)
            known = self.before.marks.get(run.run_id, {}).get(metric)
            if known != newest and (known or self.before.digests.get(key) != content):
                self.asked.append(Asked(run, metric, newest, known))
            if run.is_open:
                self.after.marks.setdefault(run.run_id, {})[metric] = newest
            if is_kept and not run.is_open:
                self.after.digests[key] = content
            else:
                self.after.digests.pop(key, None)

    def deliveries(self, backend: Backend) -> Iterator[Delivery]:
        """Yield the points that are new."""
        parts = ParquetParts(OBJECTIVES)
        for point in backend.histories(self.asked):
            value = repr(point.value)
            parts.add((point.run_id, point.key, point.step, point.timestamp, value))
        files = parts.files()
        if not files:
            return
        version = hashlib.sha256(b"".join(file.content for file in files)).hexdigest()
        yield Delivery(
            table=OBJECTIVES.name,
            unit=self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            version=version[:32],
            version_at=self.at,
            files=files,
            cursor=self.after.text(),
            stated_rows=parts.row_count,
        )


def is_news(point: Point, known: Mark | None) -> bool:
    """Tell whether a point comes after the newest one that was delivered."""
    return known is None or (point.step, point.timestamp) > known


def value_of(told: object, *, is_nan: bool = False) -> float:
    """Return a metric's value as the run logged it: a number, infinite or none."""
    value = math.nan if is_nan else float(str(told))
    return math.copysign(math.inf, value) if abs(value) >= _INFINITE else value


def _regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
