"""`mlspend sources --ask`: whether each source can be read, and what its provider says it billed.

Each source is asked for what is new, as the doctor asks it; one that refuses is named with the
permission that it wants. Nothing lands.

The provider's figure is no input: bills come from deliveries alone. A difference in an open month
is usually the hours since the last export; one that stays in a closed month means that the export
lacks something, such as a subscription that it is not of.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

from connectors.base import SourceError, Telling
from jobs.errors import describe
from jobs.journal import Journal
from queries.answers import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.config import Config, Source
    from jobs.ledger import Entry

Sums = dict[tuple[str, str], Decimal]
"""Billing period, currency -> billed cost."""


def print_reach(config: Config, out: TextIO) -> int:
    """Write whether each source can be read now, and what it wants; return the exit code."""
    from jobs.operations.checks.sources import check_sources  # noqa: PLC0415  (loads clients)

    code = 0
    for finding in check_sources(config):
        fix = f" (fix: {visible(finding.fix)})" if finding.fix else ""
        out.write(f"reach: {finding.check.removeprefix('source ')}: {visible(finding.told)}{fix}\n")
        code = max(code, int(finding.verdict == "wrong"))
    return code


def print_stated(config: Config, out: TextIO) -> int:
    """Write a line for each month and currency, then the exports; return the exit code."""
    landed = _landed(config)
    code = 0
    for source in config.sources:
        if isinstance(source.connector, Telling):
            try:
                _print_source(source, landed.get(source.name, {}), out)
            except SourceError as error:
                out.write(f"{describe(error)}\n")
                code = 1
    return code


def _print_source(source: Source, landed: Sums, out: TextIO) -> None:
    """Write what one source's provider says, beside what landed; a month it is silent of is 0."""
    assert isinstance(source.connector, Telling)  # noqa: S101  (asked by the caller)
    stated: Sums = {}
    for row in source.connector.stated(sorted({period for period, _ in landed})):
        key = (row.billing_period, row.billing_currency)
        stated[key] = stated.get(key, Decimal(0)) + row.billed_cost
    exports = source.connector.exports()
    first = min((period for period, _ in stated), default=None)
    for period, currency in sorted(stated.keys() | landed.keys()):
        if first is not None and period >= first:
            ours = landed.get((period, currency), Decimal(0))
            theirs = stated.get((period, currency), Decimal(0))
            out.write(
                f"billed: {source.name} {period}: {_money(ours)} {currency} landed, "
                f"{_money(theirs)} stated, difference {_money(ours - theirs)}\n"
            )
    out.writelines(f"export: {source.name}: {visible(line)}\n" for line in exports)
    if not stated and not exports:
        out.write(
            f"billed: {source.name}: its provider says nothing of it (fix: set `scope`, as "
            "config.example.toml tells)\n"
        )


def _money(amount: Decimal) -> str:
    return f"{amount:,.12f}".rstrip("0").rstrip(".")


def _landed(config: Config) -> Mapping[str, Sums]:
    """Return source -> what the newest good delivery of each unit bills."""
    path = config.state_dir / "journal.sqlite"
    sums: dict[str, Sums] = {}
    if not path.exists():
        return sums
    with Journal(path) as journal:
        newest: dict[tuple[str, str, str], Entry] = {}
        for entry in sorted(journal.deliveries(), key=lambda entry: entry.order):
            if entry.state == "landed":
                newest[entry.unit_key] = entry
        for entry in newest.values():
            of_source = sums.setdefault(entry.source, {})
            for total in journal.totals_of(entry.id):
                if total.measure == "billed_cost":
                    key = (total.billing_period, total.billing_currency)
                    of_source[key] = of_source.get(key, Decimal(0)) + total.amount + total.beyond
    return sums
