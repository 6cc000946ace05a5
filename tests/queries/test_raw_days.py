"""A bill delivered again: only the days whose raw lines differ are staged, and all is right."""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import connector_class
from queries.catalog import HOME, canonical_columns, models, read_model
from queries.engines.duckdb import Connection, Limits, connect, create_macros, create_seeds
from queries.manifest import StagedGroup
from queries.raw import create_raw_view, show_raw
from queries.raw_days import day_of, gathering, only_days
from queries.stage import DeliveryError, Stager
from tests.queries.bills import DATA, land, staged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from queries.landed import Landed

COLUMNS = (
    "bill_payer_account_id",
    "bill_billing_period_start_date",
    "line_item_usage_start_date",
    "line_item_line_item_type",
    "line_item_unblended_cost",
    "line_item_net_unblended_cost",
    "reservation_unused_recurring_fee",
)
Line = tuple[str, ...]
LINES = st.tuples(
    st.sampled_from(["1", "2", ""]),
    st.sampled_from(["2026-10-01", "2026-10-01", ""]),
    st.sampled_from(["2026-10-01T01:00:00Z", "2026-10-02", "2026-10-03", "2026-11-01"]),
    st.sampled_from(["Usage", "Usage", "Usage", "RIFee", "EdpDiscount", "Tax"]),
    st.sampled_from(["1", "2", "-1", ""]),
    st.sampled_from(["0.5", ""]),
    st.sampled_from(["3", ""]),
)
DATED = [model for model in models() if model.dated]
SAMPLES = [
    ("aws_cur", "line_items", DATA / "aws_cur/keboola/keboola_cur1.csv"),
    ("aws_cur", "line_items", DATA / "aws_cur/sbroenne/sbroenne_cur20.csv"),
    ("focus", "cost_and_usage", next((DATA / "focus/sample_1_0").rglob("*.csv"))),
    ("focus", "cost_and_usage", next((DATA / "focus/spec_1_4").rglob("*.csv"))),
    ("azure_cost", "cost_details", next((DATA / "azure_cost/koku").rglob("*.csv"))),
    ("azure_cost", "cost_details", next((DATA / "azure_cost/finops_toolkit").rglob("*.csv"))),
]


@dataclass
class Bill:
    """A month of AWS's, delivered again and again."""

    con: Connection
    folder: Path
    groups: dict[str, StagedGroup] = field(default_factory=dict)
    count: int = 0
    is_text: bool = True
    superseded: list[Landed] = field(default_factory=list)
    """Every delivery there was, for a stager to look at."""

    def stage(self, *parts: Sequence[Line], night: bool = True) -> list[object]:
        """Stage the month as it is now; return its rows. No `night`: as if for the first time."""
        self.count += 1
        paths = [self._write(part, lines) for part, lines in enumerate(parts)]
        return self.stage_files(*paths, night=night)

    def stage_files(self, *paths: Path, night: bool = True) -> list[object]:
        """Stage the month from files."""
        model = read_model(HOME / "staging" / "aws_cur__line_items.sql")
        table = connector_class("aws_cur").tables[0]
        lake = self.folder / ("lake" if night else "another lake")
        older = tuple(self.superseded)
        stager = Stager(self.con, model, model.sql, "aws_cur", table, lake, lambda _: None, older)
        landed = land("aws_cur", paths)
        groups = stager.stage([landed], self.groups if night else {})
        if night:
            self.groups = groups
            self.superseded.append(landed)
        (group,) = groups.values()
        scan = group.table.scan(lake)
        columns = ", ".join(canonical_columns()["staging.cost_lines"])
        query = f"select {columns} from ({scan}) order by all"
        return list(self.con.execute(query).fetchall()) if scan else []

    def written(self) -> list[set[str]]:
        """Return the days of each file that counts, in the order in which they were written."""
        (group,) = self.groups.values()
        return [file.days for file in group.table.files]

    def _write(self, part: int, lines: Sequence[Line]) -> Path:
        path = self.folder / f"{self.count}-{part}.{'csv' if self.is_text else 'parquet'}"
        if not self.is_text:
            values = [[value or None for value in row] for row in lines]
            schema = dict.fromkeys(COLUMNS, pl.String)
            pl.DataFrame(values, schema, orient="row").write_parquet(path)
            return path
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *lines])
        return path


@pytest.fixture
def bill(tmp_path: Path) -> Iterator[Bill]:
    con = opened()
    yield Bill(con, tmp_path)
    con.close()


def opened() -> Connection:
    con = connect(Limits(threads=1))
    create_macros(con, {})
    create_seeds(con)
    return con


def line(day: int, cost: str, kind: str = "Usage", net: str = "") -> Line:
    return ("1", "2026-10-01", f"2026-10-{day:02}", kind, cost, net, "")


def test_models_of_big_bills_say_which_day_a_line_is_of() -> None:
    assert {model.name.partition("__")[0].partition(".")[2] for model in DATED} >= {
        "aws_cur",
        "azure_cost",
        "focus",
    }


@pytest.mark.parametrize(("kind", "records", "path"), SAMPLES, ids=lambda part: str(part)[-40:])
def test_each_day_staged_alone_is_as_it_is_in_the_whole_month(
    kind: str, records: str, path: Path
) -> None:
    """So the header says truly which day a line is of, and what else its rows depend on."""
    (model,) = [model for model in DATED if model.name == f"staging.{kind}__{records}"]
    table = connector_class(kind).tables[0]
    by_day = "select charge_date, count(*), bit_xor(hash(line)) from staged as line group by all"
    with staged(kind, [path]) as con:
        whole = sorted(con.execute(by_day).fetchall())
        raw = create_raw_view(con, kind, table, [land(kind, [path])])
        view = f"raw.{kind}__{records}"
        days = con.execute(f"select distinct {day_of(model)} from {view}").fetchall()
        alone = []
        for (day,) in days:
            query = only_days(raw, model, [day.isoformat()], is_reaching=False)
            show_raw(con, kind, table, query)
            alone += con.execute(by_day).fetchall()
    assert whole
    assert sorted(alone) == whole


@pytest.mark.parametrize(("kind", "records", "path"), SAMPLES, ids=lambda part: str(part)[-40:])
def test_lines_that_are_gathered_first_are_staged_alike(
    kind: str, records: str, path: Path
) -> None:
    (model,) = [model for model in DATED if model.name == f"staging.{kind}__{records}"]
    table = connector_class(kind).tables[0]
    told = "select count(*), bit_xor(hash(line)), sum(hash(line)::hugeint) from ({}) as line"
    with staged(kind, [path]) as con:
        stager = Stager(con, model, model.sql, kind, table, Path(), lambda _: None)
        columns = sorted(stager._columns_read())  # noqa: SLF001
        gathered = gathering(model.sql, f"raw.{kind}__{records}", columns)
        assert f"from raw.{kind}__{records})" in gathered
        assert gathered.count(f"raw.{kind}__{records}") == 1, "they are read once"
        assert (
            con.execute(told.format(gathered)).fetchall()
            == con.execute(told.format(model.sql + "\n")).fetchall()
        )


@settings(max_examples=25, deadline=None)
@given(
    first=st.lists(LINES, max_size=8),
    changes=st.lists(
        st.tuples(st.lists(LINES, max_size=3), st.integers(0, 7), st.integers(0, 7)),
        min_size=2,
        max_size=4,
    ),
    is_text=st.booleans(),
)
def test_a_month_delivered_again_is_staged_as_if_it_came_alone(
    first: list[Line],
    changes: list[tuple[list[Line], int, int]],
    *,
    is_text: bool,
) -> None:
    """Lines come and go, discounts among them, which decide how lines of other days are read."""
    with tempfile.TemporaryDirectory() as folder:
        con = opened()
        bill, lines = Bill(con, Path(folder), is_text=is_text), first
        bill.stage(lines)
        for added, start, cut in changes:
            lines = lines[:start] + lines[start + cut :] + added
            found = bill.stage(lines[::2], lines[1::2])
            assert found == bill.stage(lines, night=False)
        con.close()


def test_only_the_day_that_differs_is_written(bill: Bill) -> None:
    days = {f"2026-10-{day:02}" for day in (1, 2, 3)}
    for cost in ("1", "2", "3"):
        bill.stage([line(1, "1"), line(2, cost), line(3, "1")])
        assert bill.written()[0] == days if cost == "1" else days - {"2026-10-02"}
        assert bill.written()[1:] == ([] if cost == "1" else [{"2026-10-02"}])


def test_the_first_time_it_comes_again_the_files_before_are_asked(bill: Bill) -> None:
    """Of text they are not: rows that are staged are compared, which takes less."""
    for is_text in (False, True):
        bill.is_text, bill.groups = is_text, {}
        for cost in ("1", "2"):
            bill.stage([line(1, "1"), line(2, cost)])
        assert bill.written() == [{"2026-10-01"}, {"2026-10-02"}]
        (group,) = bill.groups.values()
        assert bool(group.hashes) == is_text


def test_files_before_that_cannot_be_asked_are_not_needed(bill: Bill) -> None:
    bill.is_text = False
    bill.stage([line(1, "1"), line(2, "1")])
    (file,) = bill.superseded[0].files
    file.path.write_bytes(file.path.read_bytes()[:-9])
    found = bill.stage([line(1, "1"), line(2, "2")])
    assert bill.written() == [{"2026-10-01"}, {"2026-10-02"}]
    bill.groups = {}
    bill.stage([line(1, "1"), line(2, "1")])
    bill.superseded = []
    assert bill.stage([line(1, "1"), line(2, "2")]) == found


def test_files_of_another_version_are_not_taken_for_those_that_are_staged(bill: Bill) -> None:
    bill.is_text = False
    bill.stage([line(1, "1"), line(2, "1")])
    lines = [line(1, "1"), line(2, "2")]
    bill.groups = {}
    bill.stage([line(1, "9"), line(2, "2")])
    bill.superseded = bill.superseded[:1]
    assert bill.stage(lines) == bill.stage(lines, night=False)
    (group,) = bill.groups.values()
    assert group.hashes


@pytest.mark.parametrize("changed", [1, 2])
def test_of_a_whole_month_few_days_are_staged_as_many(bill: Bill, changed: int) -> None:
    for cost in ("1", "2", "3"):
        lines = [line(day, cost if day <= changed else "1") for day in range(1, 31)]
        assert bill.stage(lines) == bill.stage(lines, night=False)
    assert len(bill.written()[0]) == 30 - changed
    assert bill.written()[1:] == [{f"2026-10-{day:02}" for day in range(1, changed + 1)}]


def test_days_come_and_go(bill: Bill) -> None:
    for days in ([1, 2], [1, 2, 3], [1, 3], [3, 1]):
        rows = bill.stage([line(day, "1") for day in days])
        assert len(rows) == len(days)
        assert set().union(*bill.written()) == {f"2026-10-{day:02}" for day in days}


def test_a_delivery_that_says_again_what_an_older_one_said_takes_nothing_from_it(
    bill: Bill,
) -> None:
    first = bill.stage([line(1, "1"), line(2, "1")])
    for cost in ("2", "3"):
        bill.stage([line(1, "1"), line(2, cost)])
    assert bill.stage([line(1, "1"), line(2, "1")]) == first


def test_the_first_line_of_a_discount_changes_every_day(bill: Bill) -> None:
    lines = [line(1, "10", net="9"), line(2, "10", net="9")]
    discount = line(3, "-2", "EdpDiscount")
    bill.stage(lines)
    bill.stage([*lines, line(3, "1")])
    bill.stage([*lines, discount])
    assert bill.written() == [{"2026-10-01", "2026-10-02", "2026-10-03"}]
    bill.stage([*lines, line(3, "-3", "EdpDiscount")])
    assert bill.written()[1:] == [{"2026-10-03"}], "that there is one is all that other days need"


def test_tags_that_are_empty_are_not_tags_that_are_absent(bill: Bill) -> None:
    frame = pl.DataFrame(
        {column: value or None for column, value in zip(COLUMNS, line(1, "1"), strict=True)}
    )
    paths = []
    for number, tags in enumerate(["map {'a': 'b'}", "null::map(varchar, varchar)", "map {}"]):
        source, path = bill.folder / f"{number}.source", bill.folder / f"{number}.parquet"
        frame.write_parquet(source)
        bill.con.execute(
            f"copy (select *, cast({tags} as map(varchar, varchar)) as resource_tags "
            f"from read_parquet('{source}')) to '{path}' (format parquet)"
        )
        paths.append(path)
    found = [bill.stage_files(path) for path in paths]
    assert found == [bill.stage_files(path, night=False) for path in paths]
    assert found[1] != found[2]


def test_lines_without_a_day_are_told_and_the_last_good_delivery_stays(bill: Bill) -> None:
    bill.stage([line(1, "1")])
    for _ in range(2):
        with pytest.raises(DeliveryError, match="there are lines without a day"):
            bill.stage([line(1, "1"), ("1", "", "", "Usage", "1", "", "")])
        bill.stage([line(1, "2")])


def test_what_was_read_is_remembered_with_the_generation(bill: Bill) -> None:
    for cost in ("1", "2"):
        bill.stage([line(1, cost), line(2, "1")])
    (group,) = bill.groups.values()
    assert set(group.raw_days) == {"2026-10-01", "2026-10-02"}
    assert StagedGroup.from_json(group.as_json()) == group
