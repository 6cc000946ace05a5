"""Waste: what the detectors found, what it costs a month, whose it is, and how to end it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.base import Page, Read
from reports.board import ZERO
from reports.figures import (
    DASH,
    LONGEST_SENTENCE,
    bar,
    day,
    exact,
    member_name,
    money,
    percent,
    visible,
    whole_money,
)
from reports.views import choice_of, choice_reads

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from reports.base import Frames, Meta, Span

FINDINGS = Read("waste_findings")
SETTLED = Read("waste_settled")
TOTALS = {by: Read(f"waste_by_{by}") for by in ("detector", "team")}
TITLES = {"detector": "By kind", "team": "By team"}
MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class Waste:
    """The report on waste."""

    name: str = "waste"
    title: str = "Waste"

    def reads(self, span: Span) -> Sequence[Read]:
        """Return every query the page needs."""
        return [FINDINGS, SETTLED, *TOTALS.values(), *choice_reads(span)]

    def pages(self, frames: Frames, meta: Meta) -> Iterator[Page]:
        """Yield the one page."""
        choice = choice_of(frames, meta.span)
        settled = frames.records(SETTLED)
        yield Page(
            path="waste.html",
            title=self.title,
            template="waste.html",
            context={
                "choice": choice,
                "views": [
                    (number, currency, _content(frames, currency))
                    for number, currency in enumerate(choice.currencies)
                ],
                "findings_read": FINDINGS,
                "settled": [_settled(record) for record in settled[:MOST_ROWS]],
                "settled_count": len(settled),
                "settled_read": SETTLED,
            },
        )


WASTE = Waste()


def _content(frames: Frames, currency: str) -> dict[str, Any]:
    records = _of(frames.records(FINDINGS), currency)
    counted = [record["monthly_waste"] for record in records if record["is_counted"]]
    total = sum(counted, ZERO)
    most = max((record["monthly_waste"] for record in records), default=ZERO)
    return {
        "total": whole_money(total, currency),
        "exact": exact(total, currency),
        "count": len(records),
        "overlapping": len(records) - len(counted),
        "rows": [_finding(record, most) for record in records[:MOST_ROWS]],
        "totals": [
            {
                "by": by,
                "title": TITLES[by],
                "read": read,
                "rows": _total_rows(_of(frames.records(read), currency), by, total),
            }
            for by, read in TOTALS.items()
        ],
    }


def _of(records: Sequence[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    return [record for record in records if record["billing_currency"] == currency]


def _total_rows(records: Sequence[dict[str, Any]], by: str, total: Decimal) -> list[dict[str, Any]]:
    most = max((record["monthly_waste"] for record in records), default=ZERO)
    return [
        {
            "name": words(record[by]) if by == "detector" else member_name(record[by]),
            "count": record["finding_count"],
            "cost": money(record["monthly_waste"], record["billing_currency"]),
            "exact": exact(record["monthly_waste"], record["billing_currency"]),
            "share": percent(record["monthly_waste"], total),
            "bar": bar(record["monthly_waste"], most),
        }
        for record in records
    ]


def _finding(record: dict[str, Any], most: Decimal) -> dict[str, Any]:
    currency = record["billing_currency"]
    return {
        "what": words(record["detector"]),
        "name": visible(record["resource_name"] or record["resource_id"]),
        "id": visible(record["resource_id"]),
        "owner": visible(record["owner_name"] or DASH),
        "team": visible(record["owner_team"] or ""),
        "region": visible(record["region_id"] or DASH),
        "since": day(record["since"]) if record["since"] else DASH,
        "since_value": record["since"] or "",
        "cost": money(record["monthly_waste"], currency),
        "exact": exact(record["monthly_waste"], currency),
        "is_counted": record["is_counted"],
        "bar": bar(record["monthly_waste"], most),
        "confidence": visible(record["confidence"]),
        "evidence": visible(record["evidence"], LONGEST_SENTENCE),
        "fix": visible(record["fix"], LONGEST_SENTENCE),
    }


def _settled(record: dict[str, Any]) -> dict[str, Any]:
    currency = record["billing_currency"]
    saving = record["verified_monthly_saving"]
    return {
        "what": words(record["detector"]),
        "name": visible(record["resource_name"] or record["resource_id"]),
        "id": visible(record["resource_id"]),
        "team": visible(record["owner_team"] or DASH),
        "state": visible(record["state"]),
        "resolved": day(record["resolved_date"]) if record["resolved_date"] else DASH,
        "resolved_value": record["resolved_date"] or "",
        "currency": visible(currency),
        "cost": money(record["monthly_waste"], currency),
        "exact": exact(record["monthly_waste"], currency),
        "saving": DASH if saving is None else money(saving, currency),
        "saving_exact": "not shown by the bill yet" if saving is None else exact(saving, currency),
    }


def words(name: str) -> str:
    """Return a detector's name as words: `idle_gpus` reads `Idle GPUs`."""
    text = visible(name).replace("_", " ").replace("gpu", "GPU")
    return text[:1].upper() + text[1:]
