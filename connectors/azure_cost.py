"""Azure bills: the ActualCost and AmortizedCost exports of Cost Management, read as one pair.

Both halves hold all usage, so they are never added: the amortised half counts whole, and of the
actual half only what commitments cost when they were bought or given back (see the staging model).
A period is one delivery of both halves, landed whole or not at all.

The two exports run apart from each other. A period is taken when its halves are of one age: their
newest runs lie within a day, or both were made when the month was final. Until then it waits for
the older half, and the last good pair stays in force. The version names both runs, and is as old
as the middle between them: that grows whichever half is newer, so a late pair never wins.

Halves are paired by the month of their folder or name, whatever their exports are called; where a
path says none, by being called alike, else by the month that the first line of CSV bills.

Source: https://learn.microsoft.com/azure/cost-management-billing/automate/understand-usage-details-fields
Source: https://learn.microsoft.com/azure/cost-management-billing/dataset-schema/cost-usage-details-ea
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from connectors.azure_exports import NewestCopies, find_manifests
from connectors.azure_months import MONTH, month_within
from connectors.base import ColumnType, Delivery, SourceError, Table
from connectors.billing_files import bill_deliveries, raise_all
from connectors.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

    from connectors.azure_query import CostManagement
    from connectors.base import Checksum, Format, Known, SourceFile, Stated
    from connectors.billing_files import Manifest
    from connectors.stored import StoredFile

_TEXTS = (
    "availability_zone",
    "benefit_id",
    "billing_account_id",
    "billing_account_name",
    "billing_currency",
    "billing_profile_id",
    "billing_profile_name",
    "charge_type",
    "consumed_service",
    "frequency",
    "half",
    "invoice_id",
    "meter_category",
    "meter_id",
    "meter_name",
    "meter_sub_category",
    "part_number",
    "pricing_model",
    "product_id",
    "product_name",
    "publisher_name",
    "publisher_type",
    "reservation_id",
    "resource_id",
    "resource_location",
    "resource_name",
    "resource_type",
    "service_family",
    "subscription_id",
    "subscription_name",
    "unit_of_measure",
)
_NUMBERS = (
    "cost_in_billing_currency",
    "pay_g_price",
    "payg_cost_in_billing_currency",
    "quantity",
    "unit_price",
)
_COLUMNS: Mapping[str, ColumnType] = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(_NUMBERS, "number"),
    **dict.fromkeys(("billing_period_start_date", "date"), "time"),
    **dict.fromkeys(("additional_info", "tags"), "tags"),
}
_ALIASES: Mapping[str, Sequence[str]] = {
    "billing_currency": ("BillingCurrencyCode", "Currency"),
    "cost_in_billing_currency": ("Cost", "PreTaxCost"),
    "date": ("UsageDateTime", "UsageDate"),
    "product_name": ("Product",),
    "quantity": ("UsageQuantity", "ConsumedQuantity"),
    # the first exports of new billing accounts called a resource's id its name
    "resource_id": ("InstanceId", "InstanceName"),
    "subscription_id": ("SubscriptionGuid",),
}
_BY_LETTERS = {column.replace("_", ""): column for column in _COLUMNS}
_LAST_BRACKETS = re.compile(r"\(([^()]+)\)\s*$")
_ONE_AGE = timedelta(days=1)
_FINAL_AFTER = timedelta(days=5)


def declared_name(header: str) -> str:
    """Return the declared name of a header; the header's own letters where it is not declared.

    In other languages Azure writes the English name behind its translation, in brackets.
    """
    if bracketed := _LAST_BRACKETS.search(header):
        header = bracketed[1]
    letters = header.strip().lower().replace("_", "")
    return _BY_LETTERS.get(letters, letters)


_OTHERS: Mapping[str, Sequence[str]] = {
    column: [declared_name(other) for other in others] for column, others in _ALIASES.items()
}


def half_of(name: str) -> str:
    """Return which export a file of a delivery comes from: actual or amortized."""
    return name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class AzureCost:
    """One billing account's or subscription's ActualCost and AmortizedCost exports."""

    actual_root: str
    """Where the ActualCost export lands: a folder, or `az://account/container/prefix`."""
    amortized_root: str
    """Where the AmortizedCost export of the same scope lands."""
    credential_env: str = ""
    """A variable with a connection string or a SAS of Azure's storage; empty: as the machine is."""
    scope: str = ""
    """What the exports are of, such as `subscriptions/<id>`: asked by `mlspend sources --ask`."""
    management_url: str = ""
    """Where to ask; empty: Azure's public cloud."""

    name: ClassVar[str] = "azure_cost"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            name="cost_details",
            columns=_COLUMNS,
            rename=declared_name,
            aliases=_OTHERS,
            of_file={"half": half_of},
            month_first=True,
            is_bill=True,
        ),
    )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each billing period of which a pair is new or changed, oldest first.

        Raises: SourceError for a period that is not whole, or waits for a half, after the others.
        """
        table = self.tables[0].name
        actual = self._read_half("ActualCost", self.actual_root)
        amortized = self._read_half("AmortizedCost", self.amortized_root)
        actual, amortized = _by_month(actual, amortized), _by_month(amortized, actual)
        errors = [half.error for half in (actual, amortized) if half.error is not None]
        for period in sorted(actual.runs.keys() | amortized.runs.keys()):
            missing = [half for half in (actual, amortized) if period not in half.runs]
            try:
                if missing:
                    raise _alone(period, *missing)
                delivery = _pair(table, period, actual, amortized)
            except SourceError as error:
                if not any(half.error for half in missing):
                    errors.append(error)
                continue
            if not known.has(table, delivery.unit, delivery.version):
                yield delivery
        raise_all(errors)

    def stated(self, periods: Sequence[str]) -> Sequence[Stated]:
        """Return what Cost Management says was billed; nothing where no scope is configured.

        Raises: SourceError where it cannot be asked.
        """
        return self._service().billed(periods) if self.scope else ()

    def exports(self) -> Sequence[str]:
        """Return a line about each export of the scope; nothing where none is configured.

        Raises: SourceError where it cannot be asked.
        """
        return self._service().exports() if self.scope else ()

    def _service(self) -> CostManagement:
        from connectors.azure_query import CostManagement  # noqa: PLC0415  (slow to load)

        return CostManagement(self.scope.strip("/"), self.management_url)

    def _read_half(self, kind: str, root: str) -> _Half:
        def manifests(files: Sequence[StoredFile]) -> list[Manifest]:
            return find_manifests(files, kind)

        table = self.tables[0].name
        runs: dict[str, Delivery] = {}
        try:
            store = NewestCopies(open_store(root, self.credential_env))
            for delivery in bill_deliveries(table, store, manifests, _Nothing(), one_tree=True):
                runs[delivery.unit] = delivery
        except SourceError as error:
            return _Half(root, kind, runs, error)
        return _Half(root, kind, runs, None)


class _Half(NamedTuple):
    """What one of the two exports holds."""

    root: str
    kind: str
    runs: Mapping[str, Delivery]
    """Period -> its newest run."""
    error: SourceError | None
    """What is wrong with the periods that are not among them."""


class _Nothing:
    """Knows of nothing: every period of a half is looked at, for the sake of the other half."""

    def has(self, table: str, unit: str, version: str) -> bool:  # noqa: ARG002
        return False

    def cursor(self, table: str) -> str | None:  # noqa: ARG002
        return None


def _by_month(half: _Half, other: _Half) -> _Half:
    """Return a half of which what the other has by no such name goes by the month that it bills.

    That of two such files which bill one month, or one that the half has already, keeps its name.
    """
    lone = [unit for unit in half.runs if unit not in other.runs and not MONTH.match(unit)]
    months = {unit: _month_within(half.runs[unit]) for unit in lone}
    count = Counter([*half.runs, *filter(None, months.values())])
    called = {unit: month for unit, month in months.items() if month and count[month] == 1}
    runs = {
        called.get(unit, unit): replace(run, unit=called.get(unit, unit))
        for unit, run in half.runs.items()
    }
    return half._replace(runs=runs)


def _month_within(run: Delivery) -> str | None:
    """Return the month that all files of a run bill; none where one does not say, or another."""
    months = {month_within(file, _named) for file in run.files}
    return months.pop() if len(months) == 1 else None


def _named(header: str) -> str:
    """Return a header's declared name, whichever of its names is written."""
    found = declared_name(header)
    return next((column for column, others in _OTHERS.items() if found in others), found)


def _pair(table: str, period: str, actual: _Half, amortized: _Half) -> Delivery:
    """Return both halves of a period as one delivery.

    Raises: SourceError where they are not of one age.
    """
    one, other = actual.runs[period], amortized.runs[period]
    older, newer = sorted((one.version_at, other.version_at))
    if newer - older > _ONE_AGE and older < _final_at(period):
        raise _apart(period, actual, amortized)
    is_counted = one.stated_rows is not None and other.stated_rows is not None
    return Delivery(
        table=table,
        unit=period,
        version=f"{one.version}+{other.version}",
        version_at=older + (newer - older) / 2,
        files=[
            *(HalfFile("actual", file) for file in one.files),
            *(HalfFile("amortized", file) for file in other.files),
        ],
        stated_rows=(one.stated_rows or 0) + (other.stated_rows or 0) if is_counted else None,
        is_plain=one.is_plain or other.is_plain,
    )


def _alone(period: str, missing: _Half, *_: _Half) -> SourceError:
    if not MONTH.match(period):
        return SourceError(
            f"{period} says no month, and there is no {missing.kind} of its name; halves are "
            "paired by the month of their folder or name, or of the first line of CSV",
            where=missing.root,
            fix="lay the files of each month into a folder YYYYMMDD-YYYYMMDD, in both roots, and "
            "one copy of each month alone",
        )
    return SourceError(
        f"{period} waits for its other half: there is no {missing.kind} of it",
        where=missing.root,
        fix=f"usually {missing.kind} is still being written; else run that export for the month",
    )


def _apart(period: str, actual: _Half, amortized: _Half) -> SourceError:
    older, newer = sorted((actual, amortized), key=lambda half: half.runs[period].version_at)
    return SourceError(
        f"{period} waits for its other half: the newest {older.kind} is of "
        f"{older.runs[period].version_at:%Y-%m-%d %H:%M}, the newest {newer.kind} of "
        f"{newer.runs[period].version_at:%Y-%m-%d %H:%M}",
        where=older.root,
        fix=f"see why {older.kind} is not exported daily, or export the month again; the last good "
        "pair stays in force",
    )


def _final_at(period: str) -> datetime:
    """Return when a month's charges are final; a unit that is no month never waits."""
    try:
        first = datetime.strptime(period, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return (first + timedelta(days=31)).replace(day=1) + _FINAL_AFTER


@dataclass(frozen=True, slots=True)
class HalfFile:
    """A file of one half; its name begins with the half's."""

    half: str
    file: SourceFile

    @property
    def name(self) -> str:
        """The half, and the file as its export names it."""
        return f"{self.half}/{self.file.name}"

    @property
    def format(self) -> Format:
        """How the bytes are to be read."""
        return self.file.format

    @property
    def size(self) -> int | None:
        """Bytes, where the source states them."""
        return self.file.size

    @property
    def checksum(self) -> Checksum | None:
        """The digest that the source states, if it does."""
        return self.file.checksum

    def open(self) -> BinaryIO:
        """Open the bytes."""
        return self.file.open()
