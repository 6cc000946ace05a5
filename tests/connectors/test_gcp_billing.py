"""Google Cloud bills: which partitions and files are read, and that each is read whole."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from connectors.base import Delivery, SourceError
from connectors.gcp_billing import GcpBilling
from connectors.tally import counting
from queries.totals import raw_totals
from tests.connectors.gcp_lines import FIELDS, Line, credit, line
from tests.connectors.known import Memory
from tests.queries.bills import DATA, stage_rows
from tests.queries.test_gcp_staging import SCHEMA
from tests.servers.bigquery import NOWHERE, Warehouse, serving, storing, utc, write_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

KIND, TABLE = "gcp_billing", "gcp_billing__line_items"
LEAST = 10 * 1024 * 1024


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    with serving(Warehouse(FIELDS)) as it:
        key = write_key(tmp_path / "key.json", it.address)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
        yield it


def source(warehouse: Warehouse, **changes: Any) -> GcpBilling:
    return GcpBilling(table=warehouse.table, endpoint_url=warehouse.address, **changes)


def arrow(rows: list[Line]) -> Any:
    """Return lines as BigQuery keeps them."""
    return pl.DataFrame(rows, schema_overrides=dict(SCHEMA)).to_arrow()


def land(found: Sequence[Delivery], folder: Path) -> list[Path]:
    """Copy what deliveries hold."""
    paths = []
    for number, delivery in enumerate(found):
        (file,) = delivery.files
        path = folder / f"{number}-{delivery.unit}.parquet"
        with file.open() as stream:
            path.write_bytes(stream.read())
        paths.append(path)
    return paths


def take(connector: GcpBilling, memory: Memory) -> list[Delivery]:
    """Read a night's deliveries, and remember them."""
    found = list(connector.deliveries(memory))
    for delivery in found:
        memory.land(delivery)
    return found


@pytest.mark.servers
def test_each_partition_is_read_whole_once_and_again_when_it_grows(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.page_rows = 3
    warehouse.write("20260517", [line(cost=0.1)] * 8, utc(2026, 5, 18, 2))
    warehouse.write("20260518", [line(credits=[credit("PROMOTION", -0.5)])], utc(2026, 5, 18, 9))
    warehouse.write("__UNPARTITIONED__", [line(cost=99.0)], utc(2026, 5, 18, 9))
    memory, connector = Memory(), source(warehouse)
    found = take(connector, memory)
    assert [(each.unit, each.stated_rows) for each in found] == [
        ("partition-2026-05-17", 8),
        ("partition-2026-05-18", 1),
    ]
    paths = land(found, tmp_path)
    rows = stage_rows(KIND, paths)
    assert sum(Decimal(str(row["billed_cost"])) for row in rows) == Decimal("1.3")
    assert {each.amount for each in raw_totals(TABLE, paths)} == {Decimal("1.3")}
    assert rows[0]["tags"] == {"tag/env": "prod", "project-label/team": "platform"}
    warehouse.queries.clear()
    with counting() as tally:
        assert take(source(warehouse), memory) == []
    assert len(warehouse.queries) == 1, "nothing but the list of partitions is asked for"
    assert 2 <= tally.requests <= 5, "the table, the query, its state and its page"
    warehouse.write("20260517", [line(cost=7.0)], utc(2026, 5, 30))
    (again,) = take(connector, memory)
    assert (again.unit, again.stated_rows) == ("partition-2026-05-17", 9)
    assert again.version_at == utc(2026, 5, 30)
    assert sum("select *" in query for query in warehouse.queries) == 1


@pytest.mark.servers
@pytest.mark.filterwarnings("ignore:Retrieving Arrow:PendingDeprecationWarning")
def test_rows_come_alike_by_the_storage_api(warehouse: Warehouse, tmp_path: Path) -> None:
    """REST's text and Arrow's own bytes: the same lines, to the last digit."""
    warehouse.page_rows = 3
    lines = [
        line(cost=0.1 * number, credits=[credit("PROMOTION", -0.01 * number)] * (number % 3))
        for number in range(10)
    ]
    warehouse.write("20260517", lines, utc(2026, 5, 18))
    by_rest = land(take(source(warehouse), Memory()), tmp_path)
    with storing(warehouse, arrow) as address:
        fast = source(warehouse, storage_api=True, storage_endpoint=address)
        with counting() as tally:
            found = take(fast, Memory())
            (tmp_path / "fast").mkdir()
            asked = tally.requests
            by_storage = land(found, tmp_path / "fast")
        assert tally.requests >= asked + 2, "a session and its stream"
        assert warehouse.queries[-1] == "storage session of 1 streams"
        assert stage_rows(KIND, by_storage) == stage_rows(KIND, by_rest)
        assert raw_totals(TABLE, by_storage) == raw_totals(TABLE, by_rest)
        (again,) = take(fast, Memory())
        warehouse.denied = True
        with pytest.raises(SourceError, match="denied") as caught:
            again.files[0].open()
    assert "Read Session User" in caught.value.__notes__[1]


@pytest.mark.servers
def test_a_partition_without_rows_is_read_as_one(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.write("20260517", [], utc(2026, 5, 18))
    found = take(source(warehouse), Memory())
    assert [each.stated_rows for each in found] == [0]
    paths = land(found, tmp_path)
    assert stage_rows(KIND, paths) == []
    assert raw_totals(TABLE, paths) == []


@pytest.mark.servers
def test_what_a_night_bills_is_capped_kept_and_said(warehouse: Warehouse) -> None:
    for day in range(10, 20):
        warehouse.write(f"202605{day}", [line()] * 30, utc(2026, 5, day))
    memory = Memory()
    landed: list[Delivery] = []
    capped = source(warehouse, maximum_bytes_billed=100_000_000)
    with pytest.raises(SourceError, match="may not bill more") as caught:
        landed.extend(each for each in capped.deliveries(memory))
    for delivery in landed:
        memory.land(delivery)
    assert "maximum_bytes_billed" in caught.value.__notes__[1]
    assert [each.unit for each in landed] == ["partition-2026-05-10", "partition-2026-05-11"]
    assert landed[0].note == "30.0 MB billed by BigQuery"
    assert landed[0].cursor == "30000000 bytes billed"
    assert sum(warehouse.billed) == LEAST + 60_000_000 <= 100_000_000
    rest = take(source(warehouse), memory)
    assert len(landed) + len(rest) == 10


@pytest.mark.servers
def test_the_first_day_may_be_chosen(warehouse: Warehouse) -> None:
    for day in ("20260430", "20260501", "20260502"):
        warehouse.write(day, [line()], utc(2026, 5, 3))
    found = take(source(warehouse, since="2026-05-01"), Memory())
    assert [each.unit for each in found] == ["partition-2026-05-01", "partition-2026-05-02"]


@pytest.mark.servers
def test_a_busy_server_is_asked_again(warehouse: Warehouse) -> None:
    warehouse.write("20260517", [line()], utc(2026, 5, 18))
    warehouse.busy = 2
    assert len(take(source(warehouse), Memory())) == 1
    assert warehouse.busy == 0


@pytest.mark.servers
def test_rows_that_a_page_lacks_are_missed(warehouse: Warehouse, tmp_path: Path) -> None:
    """The raw store compares what came with what was stated."""
    warehouse.write("20260517", [line()] * 5, utc(2026, 5, 18))
    warehouse.lost_rows = 1
    (delivery,) = take(source(warehouse), Memory())
    (total, _) = raw_totals(TABLE, land([delivery], tmp_path))
    assert (delivery.stated_rows, total.rows) == (5, 4)


@pytest.mark.servers
@pytest.mark.parametrize(
    ("spoil", "what", "fix"),
    [
        (lambda it: setattr(it, "denied", True), "refuses: .*Access Denied", "Data Viewer"),
        (lambda it: setattr(it, "partitioning", None), "not partitioned by day", "itself"),
        (
            lambda it: setattr(it, "partitioning", {"type": "MONTH"}),
            "not partitioned by day",
            "itself",
        ),
        (lambda it: setattr(it, "table", "acme.billing.other"), "refuses: .*Not found", "table"),
    ],
)
def test_what_google_refuses_says_what_to_do(
    warehouse: Warehouse, spoil: Any, what: str, fix: str
) -> None:
    connector = source(warehouse)
    spoil(warehouse)
    with pytest.raises(SourceError, match=what) as caught:
        list(connector.deliveries(Memory()))
    assert fix in caught.value.__notes__[1]


@pytest.mark.servers
def test_a_key_that_nobody_knows_is_told(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text("{}", "utf-8")
    with pytest.raises(SourceError, match="does not know us") as caught:
        list(source(warehouse).deliveries(Memory()))
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.__notes__[1]


@pytest.mark.servers
def test_the_order_in_which_partitions_come_makes_no_difference(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    chance = random.Random(5)  # noqa: S311
    for day in range(10, 16):
        lines = [
            line(
                cost=chance.random() * 10,
                usage_start_time=utc(2026, 5, chance.randint(1, day)),
                usage_end_time=utc(2026, 5, 31),
                credits=[credit(chance.choice(["PROMOTION", "DISCOUNT"]), -chance.random())],
            )
            for _ in range(chance.randint(1, 9))
        ]
        warehouse.write(f"202605{day}", lines, utc(2026, 5, day))
    paths = land(take(source(warehouse), Memory()), tmp_path)
    rows, totals = stage_rows(KIND, paths), raw_totals(TABLE, paths)
    for _ in range(4):
        chance.shuffle(paths)
        assert stage_rows(KIND, paths) == rows
        assert raw_totals(TABLE, paths) == totals


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, "either `table` or `root`"),
        ({"table": "a.b.c", "root": "x"}, "either `table` or `root`"),
        ({"table": "billing"}, "is not a table"),
        ({"table": "a.b.`c` where true --"}, "is not a table"),
        ({"table": "a.b.c", "since": "May"}, "is no day"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, str], what: str) -> None:
    with pytest.raises(SourceError, match=what):
        list(GcpBilling(**fields).deliveries(Memory()))  # type: ignore[arg-type]


def test_exported_files_are_units_by_their_months() -> None:
    root = str(DATA / "gcp_billing" / "koku")
    memory = Memory()
    assert [each.unit for each in take(GcpBilling(root=root), memory)] == ["2020-11", "2022-08"]
    assert take(GcpBilling(root=root), memory) == []
