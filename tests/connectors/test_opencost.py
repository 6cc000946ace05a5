"""OpenCost: hours as shares of machines, asked day by day; spoiled answers are refused."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.base import SourceError
from connectors.opencost import Opencost
from queries.catalog import HOME, read_model
from queries.checks import check_model
from queries.engines.duckdb import Connection, Limits, connect, create_macros
from queries.landed import Landed, LandedFile
from queries.raw import create_raw_view
from queries.stage import check_feed
from tests.connectors.opencost_cluster import DAY, GIB, GOOD, Json, allocation, answer, save
from tests.connectors.telemetry import Ledger
from tests.queries.bills import DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from connectors.base import Delivery

DOCUMENTED = DATA / "opencost" / "2023-01-19.json"
AT = datetime(2026, 10, 6, 3, tzinfo=UTC)
ABSENT = "MLSPEND_NO_SUCH"


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    create_macros(connection, {})
    yield connection
    connection.close()


def stage(con: Connection, folder: Path, deliveries: Iterable[Delivery]) -> None:
    """Land deliveries, run both staging models on them, and check what they promise."""
    landed = []
    for delivery in deliveries:
        (file,) = delivery.files
        path = folder / f"{delivery.unit}.parquet"
        with file.open() as stream:
            path.write_bytes(stream.read())
        digest = sha256(path.read_bytes()).hexdigest()
        files = (LandedFile(path, file.name, "parquet", digest),)
        at = delivery.version_at.replace(tzinfo=None)
        unit = delivery.unit
        landed.append(Landed("k8s", "opencost", "allocations", unit, "v", at, files, at))
    create_raw_view(con, "opencost", Opencost.tables[0], landed)
    con.execute("create schema if not exists staging")
    for name in ("pod_hours", "node_hours"):
        model = read_model(HOME / "staging" / f"opencost__{name}.sql")
        con.execute(f"create or replace table {model.name} as {model.sql}")
        check_model(con, model)
        check_feed(con, model, model.name)


def test_the_documented_answer_is_hours_of_pods_and_machines(
    con: Connection, tmp_path: Path
) -> None:
    source = Opencost(root=str(DOCUMENTED.parent))
    (delivery,) = source.deliveries(Ledger())
    assert (delivery.unit, delivery.stated_rows) == ("2023-01-19", 2)  # __unallocated__ is nobody's
    stage(con, tmp_path, [delivery])
    rows = con.execute(
        "select count(*), sum(held_seconds), sum(cpu_cores * held_seconds) / 3600, "
        "sum(memory_gib * held_seconds) / 3600, min(pod_uid) from staging.opencost__pod_hours "
        "where namespace = 'opencost'"
    ).fetchone()
    assert rows is not None
    assert rows[:2] == (7, 376 * 60)
    assert float(rows[2]) == pytest.approx(0.125333, rel=1e-4)
    assert float(rows[3]) == pytest.approx(689333333.333 / GIB, rel=1e-4)
    assert rows[4] == "opencost/opencost-75dc7dcc49-xdx5t"
    machines = con.execute(
        "select instance_id, sum(up_seconds) from staging.opencost__node_hours group by all "
        "order by 1"
    ).fetchall()
    assert machines == [("i-064548f89b9d35c11", 22560), ("i-06555520a3af0b7f2", 22560)]


def test_containers_of_a_pod_add_up_and_labels_say_whose_it_is(
    con: Connection, tmp_path: Path
) -> None:
    stage(con, tmp_path, save(tmp_path / "answers", GOOD).deliveries(Ledger()))
    rows = con.execute(
        "select hour(charge_hour), held_seconds, gpu_units::double, cpu_cores::double, "
        "memory_gib::double, user_raw, run_native_id from staging.opencost__pod_hours order by 1"
    ).fetchall()
    assert rows == [
        (0, 3600, 4.0, 16.5, 65.0, "alice", "r1"),
        (1, 900, 4.0, 16.0, 64.0, None, None),
    ]
    node = con.execute(
        "select hour(charge_hour), instance_id, up_seconds from staging.opencost__node_hours "
        "order by 1"
    ).fetchall()
    assert node == [(0, "i-0AB", 3600), (1, "i-0AB", 900)]


def test_no_dollar_is_delivered(tmp_path: Path) -> None:
    (delivery,) = save(tmp_path / "answers", GOOD).deliveries(Ledger())
    with delivery.files[0].open() as stream:
        assert b"123.45" not in stream.read()
    assert not any("cost" in column.lower() for column in Opencost.tables[0].columns)
    assert not Opencost.tables[0].is_bill


def test_a_day_in_one_window_is_spread_over_the_hours_that_it_ran(
    con: Connection, tmp_path: Path
) -> None:
    whole = answer([allocation("p", hours=24, start=1.5, end=4, gpu=5)])
    stage(con, tmp_path, save(tmp_path / "answers", whole).deliveries(Ledger()))
    rows = con.execute(
        "select hour(charge_hour), held_seconds, gpu_units::double "
        "from staging.opencost__pod_hours order by 1"
    ).fetchall()
    assert rows == [(1, 1800, 2.0), (2, 3600, 2.0), (3, 3600, 2.0)]


@contextmanager
def serving(reply: Callable[[date], tuple[int, Any]]) -> Iterator[tuple[str, list[Json]]]:
    """Run an OpenCost that answers a day's window so; yield its address and what was asked."""
    asked: list[Json] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            form = {key: values[0] for key, values in parse_qs(parts.query).items()}
            asked.append(
                form | {"path": parts.path, "authorization": self.headers.get("authorization")}
            )
            status, content = reply(date.fromisoformat(form["window"][:10]))
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def of_day(day: date, gpu: float = 1) -> tuple[int, Any]:
    return 200, answer([allocation("p", day=day, gpu=gpu)])


def test_days_are_asked_one_by_one_and_the_last_three_again(monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENCOST_TOKEN", "canary-5d1")
    ledger = Ledger()
    late: dict[date, float] = {}
    token: dict[str, Any] = {"token_env": "OPENCOST_TOKEN"}
    with serving(lambda day: of_day(day, late.get(day, 1))) as (address, asked):
        source = Opencost(url=f"{address}/model", **token, backfill_days=5)
        first = ledger.take(source.deliveries_at(ledger, AT))
        assert [each.unit for each in first] == [f"2026-10-0{day}" for day in range(1, 6)]
        assert asked[0]["window"] == "2026-10-01T00:00:00Z,2026-10-02T00:00:00Z"
        assert (asked[0]["step"], asked[0]["path"]) == ("1h", "/model/allocation")
        assert asked[0]["authorization"] == "Bearer canary-5d1"
        asked.clear()
        late[date(2026, 10, 4)] = 2
        second = ledger.take(source.deliveries_at(ledger, AT + timedelta(days=1)))
    assert [each.unit for each in second] == ["2026-10-04", "2026-10-06"]
    assert [form["window"][:10] for form in asked] == [f"2026-10-0{day}" for day in range(3, 7)]
    assert "canary" not in repr(source)


def test_a_bad_moment_is_waited_out() -> None:
    replies = iter([(503, {}), (429, "slow down"), (200, "<html>login</html>"), of_day(DAY)])
    with serving(lambda _: next(replies)) as (address, asked):
        (delivery,) = Opencost(url=address, backfill_days=1).deliveries_at(Ledger(), AT)
    assert delivery.unit == "2026-10-05"
    assert len(asked) == 4


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((403, {"message": "who are you"}), "answers 403 who are you"),
        ((404, {}), "answers 404"),
        ((200, {"code": 500, "message": "no Prometheus"}), "no allocation: no Prometheus"),
        ((200, answer([])), "there is no pod on 2026-10-05"),
    ],
)
def test_what_is_no_answer_is_an_error(reply: tuple[int, Any], said: str) -> None:
    with (
        serving(lambda _: reply) as (address, _),
        pytest.raises(SourceError, match=said),
    ):
        list(Opencost(url=address, backfill_days=1).deliveries_at(Ledger(), AT))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Opencost(), "give one of them"),
        (Opencost(url="http://a", root="b"), "give one of them"),
        (Opencost(url="opencost:9003"), "no address"),
        (Opencost(url="http://u:p@a"), "holds credentials"),
        (Opencost(url="http://a", overlap_days=0), "days are 1 or more"),
        (Opencost(url="http://a", token_env=ABSENT), "MLSPEND_NO_SUCH is not set"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(source: Opencost, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        list(source.deliveries(Ledger()))
