"""`mlspend sources --ask`: whether each source can be read, and what its provider says it billed.

Each source is asked for what is new, as the doctor asks it; one that refuses is named with the
permission that it wants. Nothing lands.

The provider's figure is no input: bills come from deliveries alone. A difference in an open month
is usually the hours since the last export; one that stays in a closed month means that the export
lacks something, such as a subscription that it is not of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.base import SourceError, Telling
from jobs.errors import describe
from jobs.journal import Journal
from queries.answers import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobs.config import Config
    from jobs.ledger import Entry
    from jobs.operations.checks import Finding

Sums = dict[tuple[str, str], Decimal]
"""Billing period, currency -> billed cost."""


@dataclass(frozen=True, slots=True)
class Month:
    """What landed of a month in a currency, beside what the provider says."""

    billing_period: str
    billing_currency: str
    landed_cost: Decimal
    stated_cost: Decimal
    difference: Decimal
    """Landed less stated."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What the provider of a source says of it."""

    source: str
    months: list[Month] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    problem: str = ""
    """Why it could not be asked."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What all sources and their providers say."""

    reach: list[Finding]
    stated: list[Statement]

    @property
    def exit_code(self) -> int:
        """1 where a source cannot be read, or its provider cannot be asked."""
        is_wrong = any(finding.verdict == "wrong" for finding in self.reach)
        return int(is_wrong or any(statement.problem for statement in self.stated))


def ask(config: Config) -> Answers:
    """Ask every source whether it can be read now, and every provider what it billed."""
    from jobs.operations.checks.sources import check_sources  # noqa: PLC0415  (loads clients)

    reach = list(check_sources(config))
    landed = _landed(config)
    stated = [
        _statement(source.name, source.connector, landed.get(source.name, {}))
        for source in config.sources
        if isinstance(source.connector, Telling)
    ]
    return Answers(reach, stated)


def _statement(name: str, connector: Telling, landed: Sums) -> Statement:
    """Return what one source's provider says, beside what landed; a month it is silent of is 0."""
    stated: Sums = {}
    try:
        for row in connector.stated(sorted({period for period, _ in landed})):
            key = (row.billing_period, row.billing_currency)
            stated[key] = stated.get(key, Decimal(0)) + row.billed_cost
        exports = list(connector.exports())
    except SourceError as error:
        return Statement(name, problem=describe(error))
    first = min((period for period, _ in stated), default=None)
    months = []
    for period, currency in sorted(stated.keys() | landed.keys()):
        if first is not None and period >= first:
            ours = landed.get((period, currency), Decimal(0))
            theirs = stated.get((period, currency), Decimal(0))
            months.append(Month(period, currency, ours, theirs, ours - theirs))
    return Statement(name, months, exports)


def asked_lines(answers: Answers) -> Iterator[str]:
    """Yield a line for each source, then for each month and currency and each export."""
    for finding in answers.reach:
        fix = f" (fix: {visible(finding.fix)})" if finding.fix else ""
        yield f"reach: {finding.check.removeprefix('source ')}: {visible(finding.told)}{fix}"
    for statement in answers.stated:
        yield from _statement_lines(statement)


def _statement_lines(statement: Statement) -> Iterator[str]:
    if statement.problem:
        yield statement.problem
        return
    for month in statement.months:
        yield (
            f"billed: {statement.source} {month.billing_period}: {_money(month.landed_cost)} "
            f"{month.billing_currency} landed, {_money(month.stated_cost)} stated, difference "
            f"{_money(month.difference)}"
        )
    yield from (f"export: {statement.source}: {visible(line)}" for line in statement.exports)
    if not statement.months and not statement.exports:
        yield (
            f"billed: {statement.source}: its provider says nothing of it (fix: set `scope`, as "
            "config.example.toml tells)"
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
