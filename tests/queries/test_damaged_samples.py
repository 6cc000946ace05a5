"""Real bills damaged at random, as each format is delivered: never quietly wrong.

A damaged file is refused with its name and a fix, or it is read, and then to what a reader of the
tests' own adds it up to. Where no reader can see the damage, such as a digit that is another, both
say the same. What is read without any cost says so itself, line by line (`blank`).
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from pyarrow import parquet

from connectors import connector_class
from connectors.stored import format_of
from jobs.integrity import DamageError, check_of
from queries import ModelError
from queries.catalog import HOME, read_model
from queries.engines.duckdb import Limits, connect, create_macros, create_seeds
from queries.plain import plain_totals
from queries.stage import DeliveryError, Stager
from queries.totals import raw_totals
from tests.connectors.test_damaged_gcp_bills import GOOD
from tests.queries.bills import DATA, land
from tests.queries.damage import damaged
from tests.queries.read_apart import EXACT, NotWholeError, Way, letters, read_apart
from tests.queries.test_gcp_staging import json_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from queries.engines.duckdb import Connection
    from queries.totals import RawTotal
    from tests.queries.read_apart import Cells

    Sums = dict[str, Decimal]

FILES = 60
"""Damaged files of each kind."""
LINES = 12


def is_bought(cells: Cells) -> bool:
    """Tell whether a line of Azure's ActualCost is what a commitment cost."""
    kind, model = (str(cells.get(key) or "").lower() for key in ("chargetype", "pricingmodel"))
    is_committed = (
        model.replace(" ", "") in ("reservation", "savingsplan")
        if model
        else bool(cells.get("reservationid") or cells.get("benefitid"))
    )
    return is_committed and kind in ("purchase", "refund")


@dataclass(frozen=True)
class Sample:
    """A real bill, and how it is read apart."""

    kind: str
    path: str
    way: Way
    folder: str = "amortized"
    """Azure's half; no other bill minds."""


FOCUS_NULLS = frozenset(("", "NULL", "null", "(null)", "None", "''"))
SAMPLES = {
    "FOCUS 1.0": Sample(
        "focus",
        "focus/sample_1_0/focus_sample.csv",
        Way("billedcost", "billingcurrency", "billed_cost", FOCUS_NULLS),
    ),
    "FOCUS 1.0, effective": Sample(
        "focus",
        "focus/sample_1_0/focus_sample.csv",
        Way("effectivecost", "billingcurrency", "effective_cost", FOCUS_NULLS),
    ),
    "FOCUS 1.2": Sample(
        "focus",
        "focus/spec_1_2/commitment_discount_usage_scenario_2.csv",
        Way("effectivecost", "billingcurrency", "effective_cost", FOCUS_NULLS),
    ),
    "FOCUS 1.4": Sample(
        "focus",
        "focus/spec_1_4/closed-billing-period__scenario_3_itemized_cost_only_ledger.csv",
        Way("billedcost", "billingcurrency", "billed_cost", FOCUS_NULLS),
    ),
    "AWS legacy": Sample(
        "aws_cur",
        "aws_cur/legacy_sample/sample-anonymous-aws-export-dataset.csv",
        Way("lineitem/unblendedcost", "lineitem/currencycode", "billed_cost"),
    ),
    "AWS CUR 2.0": Sample(
        "aws_cur",
        "aws_cur/keboola/keboola_cur2.csv",
        Way("lineitemunblendedcost", "lineitemcurrencycode", "billed_cost"),
    ),
    "Azure amortised": Sample(
        "azure_cost",
        "azure_cost/finops_toolkit/amortized/EA_AmortizedCost_Small.csv",
        Way("cost", "billingcurrency", "effective_cost"),
    ),
    "Azure actual": Sample(
        "azure_cost",
        "azure_cost/finops_toolkit/actual/EA_ActualCost_Small.csv",
        Way(
            *("cost", "billingcurrency", "billed_cost"),
            counts=is_bought,
            also=("chargetype", "pricingmodel", "reservationid", "benefitid"),
        ),
        "actual",
    ),
    "Google": Sample(
        "gcp_billing",
        "gcp_billing/koku/gcp_2022-08-01_5.csv",
        Way("cost", "currency", "billed_cost", credits="credits"),
    ),
    "Alibaba": Sample(
        "alibaba_bill",
        "alibaba_bill/1234567890123456_InstanceDetailMonthly_202610.csv",
        Way("pretaxamount", "currency", "billed_cost", frozenset(("", "NULL", "null", "-"))),
    ),
    "Alibaba split": Sample(
        "alibaba_bill",
        "alibaba_bill/1234567890123456_SplitItemDetailDaily_20261103.csv",
        Way("应付金额", "币种", "billed_cost", frozenset(("", "NULL", "null", "-"))),
    ),
}
CASES = [
    (name, ending)
    for name, sample in SAMPLES.items()
    for ending in ("csv", "csv.gz", "parquet", "json", "json.gz")
    if ending.startswith("csv")
    or (ending == "parquet" and sample.kind != "alibaba_bill")
    or (ending.startswith("json") and name == "Google")
]


def written(sample: Sample, ending: str, folder: Path) -> bytes:
    """Return some lines of a sample, from all over it, as a source would write them."""
    if ending.startswith("json"):
        content = json_lines(folder / "good.json", GOOD).read_bytes()
        return gzip.compress(content, mtime=0) if ending.endswith(".gz") else content
    text = (DATA / sample.path).read_text(encoding="utf-8-sig")
    header, *lines = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    rows = lines[:: max(1, len(lines) // LINES)][:LINES]
    if ending == "parquet":
        return as_parquet(sample, header, rows)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    content = out.getvalue().encode()
    return gzip.compress(content, mtime=0) if ending == "csv.gz" else content


def as_parquet(sample: Sample, header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return lines as Parquet in which the cost is a number, in pages that are not packed.

    Nothing but its reader can see what is wrong with a page that is neither packed nor summed.
    """
    columns = {}
    for place, column in enumerate(header):
        cells = [None if row[place] in sample.way.nulls else row[place] for row in rows]
        columns[column] = pa.array(cells, pa.string())
        if letters(column) == sample.way.cost:
            numbers = [None if cell is None else float(cell) for cell in cells]
            columns[column] = pa.array(numbers, pa.float64())
    out = io.BytesIO()
    parquet.write_table(pa.table(columns), out, compression="none", store_schema=False)
    return out.getvalue()


@dataclass
class Night:
    """What a night does with one file of a bill: it lands, is summed, and staged."""

    con: Connection
    sample: Sample
    lake: Path
    ends: Counter[str] = field(default_factory=Counter)

    def take(self, path: Path) -> None:
        """Take a damaged file, and count how that ended.

        Raises: AssertionError where it is read wrongly, or refused without its name and a fix.
        """
        end = self._refusal(path)
        if end is None:
            self._compare(path)
        self.ends[end or "read"] += 1

    def _refusal(self, path: Path) -> str | None:
        try:
            check = check_of(format_of(path.name))
            check.feed(path.read_bytes())
            check.finish()
            self.totals = self._totals(path)
            self.staged = self._staged(path)
        except DamageError:
            return "refused where it lands"
        except ModelError as error:
            assert_told(error, path)
            return "refused by its sum"
        except DeliveryError as error:
            assert_told(error.error, path)
            return "refused by its lines"
        return None if self._closes() else "books that do not close"

    def _totals(self, path: Path) -> list[RawTotal]:
        table = connector_class(self.sample.kind).tables[0].name
        self.table = f"{self.sample.kind}__{table}"
        return raw_totals(self.table, [path], [f"{path.parent.name}/{path.name}"])

    def _staged(self, path: Path) -> str | None:
        table = connector_class(self.sample.kind).tables[0]
        model = read_model(HOME / "staging" / f"{self.table}.sql")
        stager = Stager(
            self.con, model, model.sql, self.sample.kind, table, self.lake, lambda _: None
        )
        (group,) = stager.stage([land(self.sample.kind, [path])], {}).values()
        return group.table.scan(self.lake)

    def _closes(self) -> bool:
        return all(
            self._sums(each) == self._lines(each) for each in ("billed_cost", "effective_cost")
        )

    def _sums(self, measure: str, *, is_whole: bool = False) -> Sums:
        found: Sums = {}
        for total in self.totals:
            if total.measure == measure:
                amount = EXACT.add(total.amount, total.beyond) if is_whole else total.amount
                before = found.get(total.billing_currency, Decimal(0))
                found[total.billing_currency] = EXACT.add(before, amount)
        return {key: value for key, value in found.items() if value}

    def _lines(self, measure: str) -> Sums:
        if self.staged is None:
            return {}
        query = f"select billing_currency, sum({measure}) from ({self.staged}) group by all"
        rows = self.con.execute(query).fetchall()
        return {str(row[0]): Decimal(str(row[1])) for row in rows if row[1]}

    def _compare(self, path: Path) -> None:
        """Compare what was read with a reader apart from it, and with the plain one."""
        way = self.sample.way
        wanted = read_apart(path, way)
        of_measure = [total for total in self.totals if total.measure == way.measure]
        assert self._sums(way.measure, is_whole=True) == wanted.sums
        assert sum(total.rows for total in of_measure) == wanted.rows
        assert wanted.has_cost or not wanted.rows or any(total.blank for total in of_measure)
        plain, _ = plain_totals(self.table, [(path, f"{path.parent.name}/{path.name}")])
        for measure in ("billed_cost", "effective_cost"):
            found = {key[0]: EXACT.add(*pair) for key, pair in plain.items() if key[1] == measure}
            whole = {key: value for key, value in found.items() if value}
            assert whole == self._sums(measure, is_whole=True)


def assert_told(error: ModelError, path: Path) -> None:
    where, fix = error.__notes__[:2]
    assert where.startswith("in: ")
    assert path.name in where
    assert fix.startswith("fix: ")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "ending"), CASES)
def test_a_damaged_bill_is_refused_or_read_right(tmp_path: Path, name: str, ending: str) -> None:
    sample = SAMPLES[name]
    good = written(sample, ending, tmp_path)
    with closing(connect(Limits(threads=1))) as con:
        create_macros(con, {})
        create_seeds(con)
        night = Night(con, sample, tmp_path / "lake")
        for number in range(FILES + 1):
            path = tmp_path / str(number) / sample.folder / f"bill.{ending}"
            path.parent.mkdir(parents=True)
            random = Random(f"{name} {ending} {number}")  # noqa: S311 - to damage, not to hide
            is_text = ending in ("csv", "json")
            path.write_bytes(damaged(good, random, is_text=is_text) if number else good)
            try:
                night.take(path)
            except NotWholeError as error:
                pytest.fail(f"{path} was read and is not whole: {error}")
            if number == 0:
                assert night.ends == {"read": 1}
    assert night.ends.total() == FILES + 1
    assert night.ends["read"] < FILES / 2
    assert night.ends["books that do not close"] <= FILES / 20
