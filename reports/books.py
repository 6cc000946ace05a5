"""The books: the proof by month, every source's lines, which rule attributed what, freshness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.base import Page, Read
from reports.board import ZERO
from reports.figures import bar, exact, member_name, moment, money, percent, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reports.base import Frames, Meta, Span

_NOBODYS = (None, "unattributed", "lost_telemetry")
COLUMNS = ("billed", "attributed", "idle", "shared", "unattributed")
PROOFS = {
    measure: Read("books_proof", {"measure": measure, "dimension": "user"})
    for measure in ("effective_cost", "billed_cost")
}
BOOKS = Read("books", {"dimension": "user"})
COVERED = ("user", "team", "project", "model", "dataset")
FRESHNESS = Read("freshness")
RESTATED = Read("restatements")
INVOICES = Read("invoices")
CONVERSIONS = Read("conversions")
SOURCES = Read("source_coverage")
CAUSES = {
    "late_lines": "lines came late",
    "credits": "credits or corrections: more lines, less cost",
    "fewer_lines": "lines were taken out",
    "repriced": "the same lines at another cost",
    "finalised": "the same lines at another cost, after the period was over",
}
MEASURES = {"effective_cost": "Effective cost", "billed_cost": "Billed cost"}


def coverage_read(dimension: str) -> Read:
    """Return the read of which rule attributed what."""
    return Read("coverage", {"dimension": dimension})


@dataclass(frozen=True, slots=True)
class Books:
    """The report on the books."""

    name: str = "books"
    title: str = "Books"

    def reads(self, span: Span) -> Sequence[Read]:  # noqa: ARG002 - books are whole months
        """Return every query the page needs."""
        return [
            *PROOFS.values(),
            BOOKS,
            *(coverage_read(name) for name in COVERED),
            FRESHNESS,
            RESTATED,
            INVOICES,
            CONVERSIONS,
            SOURCES,
        ]

    def pages(self, frames: Frames, meta: Meta) -> Iterator[Page]:  # noqa: ARG002 - as above
        """Yield the one page."""
        lines = frames.records(BOOKS)
        yield Page(
            path="books.html",
            title=self.title,
            template="books.html",
            context={
                "closes": not any(line["difference"] for line in lines),
                "line_count": len(lines),
                "proofs": [
                    {
                        "measure": MEASURES[measure],
                        "rows": [_line(record) for record in _newest_first(frames.records(read))],
                        "read": read,
                    }
                    for measure, read in PROOFS.items()
                ],
                "lines": [_line(record) for record in _newest_first(lines)],
                "books_read": BOOKS,
                "coverages": [
                    {
                        "dimension": name,
                        "currencies": coverage_rows(frames.records(coverage_read(name))),
                        "read": coverage_read(name),
                    }
                    for name in COVERED
                ],
                "restatements": [restated_row(record) for record in frames.records(RESTATED)],
                "restatements_read": RESTATED,
                "invoices": [invoice_row(record) for record in frames.records(INVOICES)],
                "invoices_read": INVOICES,
                "conversions": [conversion_row(one) for one in frames.records(CONVERSIONS)],
                "conversions_read": CONVERSIONS,
                "sources": [source_row(record) for record in frames.records(SOURCES)],
                "sources_read": SOURCES,
                "freshness": freshness_rows(frames.records(FRESHNESS)),
                "freshness_read": FRESHNESS,
            },
        )


BOOKS_REPORT = Books()


def _newest_first(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(records, key=lambda record: record["charge_month"], reverse=True)


def _line(record: dict[str, Any]) -> dict[str, Any]:
    currency = record["billing_currency"]
    line: dict[str, Any] = {
        "month": f"{record['charge_month']:%b %Y}",
        "month_value": record["charge_month"].isoformat(),
        "currency": visible(currency),
        "amounts": [
            {
                "cost": money(record[column], currency),
                "exact": exact(record[column], currency),
            }
            for column in COLUMNS
        ],
        "difference": f"{record['difference']:.12f}",
        "closes": not record["difference"],
    }
    if "source" in record:
        line["source"] = visible(record["source"])
        line["period"] = f"{record['billing_period']:%b %Y}"
        line["measure"] = MEASURES.get(record["measure"], visible(record["measure"]))
        line["beyond"] = _shortest(str(record["beyond_12_places"] or "0"))
    return line


def _shortest(digits: str) -> str:
    """Return a number without the zeros at its end, which most are all of."""
    return visible(digits.rstrip("0").rstrip(".") if "." in digits else digits)


def restated_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return a change of a bill as a table shows it."""
    currency = record["billing_currency"]
    return {
        "at": moment(record["restated_at"]),
        "source": visible(record["source"]),
        "unit": visible(record["unit"]),
        "month": f"{record['charge_month']:%b %Y}",
        "currency": visible(currency),
        "amounts": [
            {"cost": money(record[column], currency), "exact": exact(record[column], currency)}
            for column in ("cost_before", "cost_after", "cost_change")
        ],
        "state": "open" if record["was_open"] else "over",
        "cause": CAUSES.get(record["cause"], visible(record["cause"])),
    }


def invoice_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return an invoice, or a month without one, as a table shows it."""
    currency = record["billing_currency"]
    period = record["billing_period"]
    return {
        "source": visible(record["source"] or record["provider"]),
        "account": visible(record["billing_account_id"] or ""),
        "period": f"{period:%b %Y}" if period else "",
        "period_value": period.isoformat() if period else "",
        "invoice": visible(record["invoice_id"] or "no id"),
        "currency": visible(currency),
        "amounts": [
            None
            if record[column] is None
            else {"cost": money(record[column], currency), "exact": exact(record[column], currency)}
            for column in ("billed_cost", "entered_amount", "compared_cost", "difference")
        ],
        "state": visible(record["state"] or ""),
        "verdict": visible(record["verdict"]),
        "is_off": record["verdict"] in ("differs", "no bill"),
    }


def conversion_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return a month of a bill as it was billed and as it is reported."""
    billed, reported = record["billing_currency"], record["reporting_currency"]
    missing = record["missing_days"]
    amounts = [(record["effective_cost"], billed), (record["reporting_cost"], reported)]
    return {
        "month": f"{record['charge_month']:%b %Y}",
        "month_value": record["charge_month"].isoformat(),
        "source": visible(record["source"]),
        "amounts": [
            None
            if cost is None
            else {"cost": money(cost, unit), "exact": exact(cost, unit), "unit": visible(unit)}
            for cost, unit in amounts
        ],
        "rates": visible(record["newest_rates"] or ("no rate" if missing else "the same currency")),
        "missing": f"{missing} of {record['day_count']} days lack a rate" if missing else "",
        "difference": f"{record['difference']:.12f}",
        "closes": not record["difference"],
    }


def source_row(record: dict[str, Any]) -> dict[str, Any]:
    """Return what the runs of one source explain; costs of several sources overlap."""
    currency = record["billing_currency"]
    return {
        "source": visible(record["source"]),
        "system": visible(record["system"]),
        "currency": visible(currency),
        "runs": f"{record['run_count']:,}",
        "amounts": [
            {"cost": money(cost, currency), "exact": exact(cost, currency)}
            for cost in (record["non_additive_cost"], record["alone_cost"])
        ],
        "share": f"{(record['cost_share'] or 0) * 100:.1f} %",
    }


def coverage_rows(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return, for each currency, the rules by what they attributed."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        tables.setdefault(record["billing_currency"], []).append(record)
    return [
        {"currency": visible(currency), "rows": _rules(rows, currency)}
        for currency, rows in tables.items()
    ]


def _rules(records: Sequence[dict[str, Any]], currency: str) -> list[dict[str, Any]]:
    total = sum((record["effective_cost"] for record in records), ZERO)
    most = max(record["effective_cost"] for record in records)
    return [
        {
            "rule": member_name(record["rule_id"] or "unattributed"),
            "kind": "unattributed" if record["rule_id"] in _NOBODYS else "member",
            "cost": money(record["effective_cost"], currency),
            "exact": exact(record["effective_cost"], currency),
            "share": percent(record["effective_cost"], total),
            "bar": bar(record["effective_cost"], most),
        }
        for record in records
    ]


def freshness_rows(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the sources as a table shows them, in the order given."""
    return [
        {
            "source": visible(record["source"]),
            "table": visible(record["table_name"]),
            "newest": moment(record["newest_data_at"]) if record["newest_data_at"] else "never",
            "delivered": moment(record["delivered_at"]) if record["delivered_at"] else "never",
            "is_stale": bool(record["is_stale"]),
            "note": visible(record["note"] or ""),
        }
        for record in records
    ]
