"""Training jobs: which cost most, how long they take, how often they fail; the dearest runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.base import Page, Read
from reports.board import ZERO
from reports.figures import DASH, bar, exact, hours, member_name, money, percent, visible
from reports.members import run_row
from reports.views import choice_of, choice_reads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from reports.base import Frames, Meta, Range, Span
    from reports.views import Choice

ROWS = 25


def dearest_read(span: Span) -> Read:
    """Return the read of the experiments that cost most."""
    return Read("training_jobs_dearest", {"top": ROWS, **span.params})


def longest_read(span: Span) -> Read:
    """Return the read of the experiments that take longest."""
    return Read("training_jobs_longest", {"top": ROWS, **span.params})


def failing_read(span: Span) -> Read:
    """Return the read of how often experiments fail."""
    return Read("failure_rates", {"min_runs": 3, **span.params})


def runs_read(days: Range) -> Read:
    """Return the read of the dearest runs."""
    return Read("runs_dearest", {"top": ROWS, **days.params})


@dataclass(frozen=True, slots=True)
class Training:
    """The report on training jobs."""

    name: str = "training"
    title: str = "Training jobs"

    def reads(self, span: Span) -> Sequence[Read]:
        """Return every query the page needs."""
        runs = [runs_read(days) for days in span.ranges()]
        jobs = [dearest_read(span), longest_read(span), failing_read(span)]
        return [*jobs, *runs, *choice_reads(span)]

    def pages(self, frames: Frames, meta: Meta) -> Iterator[Page]:
        """Yield the one page."""
        span = meta.span
        ranges = span.ranges()
        runs = {days.key: frames.records(runs_read(days)) for days in ranges}
        choice = choice_of(frames, span)
        views = [
            choice.view(days, currency, {"runs": _runs(rows), "read": runs_read(days)})
            for days in ranges
            for currency in choice.currencies
            if (rows := [run for run in runs[days.key] if run["billing_currency"] == currency])
        ]
        yield Page(
            path="training.html",
            title=self.title,
            template="training.html",
            context={
                "choice": choice,
                "views": views,
                "dearest": _by_currency(
                    frames.records(dearest_read(span)), choice, "effective_cost"
                ),
                "dearest_read": dearest_read(span),
                "failing": _by_currency(frames.records(failing_read(span)), choice, "failed_cost"),
                "failing_read": failing_read(span),
                "longest": _longest(frames.records(longest_read(span))),
                "longest_read": longest_read(span),
            },
        )


TRAINING = Training()


def _runs(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    most = max(run["effective_cost"] for run in runs)
    return [run_row(run, most) for run in runs]


def _by_currency(
    records: Sequence[dict[str, Any]], choice: Choice, measure: str
) -> list[tuple[int, str, list[dict[str, Any]]]]:
    tables = []
    for number, currency in enumerate(choice.currencies):
        rows = [
            record
            for record in records
            if record["billing_currency"] == currency and record[measure]
        ][:ROWS]
        most = max((record[measure] for record in rows), default=ZERO)
        tables.append((number, currency, [_job(record, measure, most) for record in rows]))
    return tables


def _job(record: dict[str, Any], measure: str, most: Decimal) -> dict[str, Any]:
    currency = record["billing_currency"]
    job = _names(record)
    for column in ("effective_cost", "failed_cost", "dearest_run_cost"):
        if column in record:
            amount = record[column] or ZERO
            job[column] = money(amount, currency)
            job[f"{column}_exact"] = exact(amount, currency)
    if "failure_rate" in record:
        job["failure_rate"] = f"{record['failure_rate'] * 100:.0f}%"
        job["failed_count"] = record["failed_count"]
    job["failed_share"] = percent(record["failed_cost"] or ZERO, record["effective_cost"])
    job["dearest_run_id"] = visible(record.get("dearest_run_id") or DASH)
    job["bar"] = bar(record[measure] or ZERO, most)
    return job


def _names(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": visible(record["experiment"] or DASH),
        "project": member_name(record["project"] or "unattributed"),
        "team": member_name(record["team"] or "unattributed"),
        "run_count": record["run_count"],
    }


def _billed(record: dict[str, Any]) -> dict[str, Any]:
    """Return a job's cost; a dash where no bill shows its runs."""
    currency = record["billing_currency"]
    if currency is None:
        return {"currency": "", "cost": DASH, "exact": "no bill shows these runs"}
    cost = record["effective_cost"]
    return {"currency": currency, "cost": money(cost, currency), "exact": exact(cost, currency)}


def _longest(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    most = max((record["longest_hours"] or 0.0 for record in records), default=0.0)
    return [
        {
            **_names(record),
            "longest": f"{hours(record['longest_hours'])} h",
            "mean": f"{hours(record['mean_hours'])} h",
            **_billed(record),
            "bar": round((record["longest_hours"] or 0.0) / most * 100, 2) if most else 0,
        }
        for record in records
    ]
