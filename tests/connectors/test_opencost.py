"""OpenCost: hours as shares of machines, asked day by day; spoiled answers are refused."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from copy import deepcopy
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
from queries.raw import Landed, LandedFile, create_raw_view
from queries.stage import check_feed
from tests.connectors.telemetry import Ledger
from tests.queries.bills import DATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from connectors.base import Delivery

DOCUMENTED = DATA / "opencost" / "2023-01-19.json"
DAY = date(2026, 10, 5)
AT = datetime(2026, 10, 6, 3, tzinfo=UTC)
GIB = 2**30
ABSENT = "MLSPEND_NO_SUCH"
Json = dict[str, Any]


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


def at_hour(day: date, hour: float) -> str:
    time = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)
    return time.isoformat().replace("+00:00", "Z")


def allocation(  # noqa: PLR0913 - what an allocation is made of
    pod: str,
    *,
    hour: int = 0,
    start: float | None = None,
    end: float | None = None,
    gpu: float = 0,
    cpu: float = 0,
    gib: float = 0,
    container: str = "main",
    day: date = DAY,
    hours: int = 1,
    **labels: str,
) -> tuple[str, Json]:
    """Return a container's allocation in a window of `hours`, by its name there."""
    facts = {
        "cluster": "cluster-one",
        "node": "node-a",
        "namespace": "vision",
        "pod": pod,
        "container": container,
        "providerID": "aws:///us-east-1a/i-0AB",
        "labels": labels,
    }
    return f"cluster-one/node-a/vision/{pod}/{container}", {
        "properties": facts,
        "window": {"start": at_hour(day, hour), "end": at_hour(day, hour + hours)},
        "start": at_hour(day, hour if start is None else start),
        "end": at_hour(day, hour + hours if end is None else end),
        "cpuCoreHours": cpu,
        "gpuHours": gpu,
        "ramByteHours": gib * GIB,
        "totalCost": 123.45,
    }


def answer(*sets: Iterable[tuple[str, Json]]) -> Json:
    return {"code": 200, "status": "success", "data": [dict(each) for each in sets]}


GOOD = answer(
    [
        allocation("train-1", gpu=4, cpu=16, gib=64, user="alice", mlflow_run_id="r1"),
        allocation("train-1", container="sidecar", start=0.5, end=1, cpu=0.5, gib=1),
        ("__idle__", {"properties": {"cluster": "cluster-one"}, "cpuCoreHours": 3}),
    ],
    [allocation("train-1", hour=1, start=1, end=1.25, gpu=1, cpu=4, gib=16)],
    [],
)


def save(folder: Path, content: Any, name: str = f"{DAY}.json") -> Opencost:
    folder.mkdir(exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, encoding="utf-8")
    return Opencost(root=str(folder))


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


def spoil(change: Callable[[Json], Any]) -> Json:
    """Return the good answer, its first allocation changed."""
    content = deepcopy(GOOD)
    change(next(iter(content["data"][0].values())))
    return content


def put(*path: str, value: Any) -> Callable[[Json], None]:
    def change(it: Json) -> None:
        for key in path[:-1]:
            it = it[key]
        it[path[-1]] = value

    return change


def drop(*path: str) -> Callable[[Json], None]:
    def change(it: Json) -> None:
        for key in path[:-1]:
            it = it[key]
        del it[path[-1]]

    return change


HOURS = ("cpuCoreHours", "gpuHours", "ramByteHours")
BAD_NUMBERS: list[Any] = [None, "1", -1, True, [1], {}, float("nan"), float("inf")]
CHANGES: list[Callable[[Json], None]] = [
    *(drop(key) for key in (*HOURS, "window", "start", "end", "properties")),
    *(drop("window", key) for key in ("start", "end")),
    *(drop("properties", key) for key in ("pod", "namespace")),
    *(put(key, value=value) for key in HOURS for value in BAD_NUMBERS),
    *(
        put(key, value=value)
        for key in ("start", "end")
        for value in (
            *(None, 0, "", "noon", "2026-10-05T00:30:00", "2026-10-05", "2026-10-04T23:59:59Z"),
            *("2026-10-05T01:00:01Z", "2026-10-05T00:61:00Z"),
        )
    ),
    *(
        put("window", key, value=value)
        for key in ("start", "end")
        for value in (None, "2026-10-04T00:00:00Z", "2026-10-06T00:00:01Z", 1)
    ),
    put("end", value="2026-10-05T00:00:00Z"),  # four GPU-hours in no time
    put("properties", value="p"),
    put("properties", "pod", value=""),
    put("properties", "pod", value=7),
    put("properties", "namespace", value=None),
    put("properties", "node", value=["node-a"]),
    put("properties", "providerID", value=7),
    put("properties", "labels", value="user=alice"),
    put("properties", "labels", "user", value=["alice"]),
    put("window", value="1h"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_spoiled_allocation_is_refused_by_its_name(
    tmp_path: Path, change: Callable[[Json], None]
) -> None:
    with pytest.raises(SourceError) as caught:
        list(save(tmp_path / "a", spoil(change)).deliveries(Ledger()))
    assert "train-1/main' cannot be read" in str(caught.value)
    assert f"{DAY}.json" in caught.value.__notes__[0]


TEXT = json.dumps(GOOD)
SPOILED: dict[str, tuple[Any, str]] = {
    "broken off": (TEXT[:-20], "not a whole answer"),
    "empty": ("", "not a whole answer"),
    "a login page": ("<html></html>", "not a whole answer"),
    "two answers": (TEXT * 2, "not a whole answer"),
    "a list": ("[]", "no allocation"),
    "no data": ({"code": 200}, "no allocation: it has no sets"),
    "data as an object": ({"code": 200, "data": {}}, "no allocation"),
    "an error": ({"code": 400, "message": "bad window"}, "bad window"),
    "no code": ({"data": []}, "no allocation"),
    "a set as text": ({"code": 200, "data": ["x"]}, "set 1 holds no allocations"),
    "an allocation as text": ({"code": 200, "data": [{"p": "x"}]}, "'p' cannot be read"),
    "no allocation": ({"code": 200, "data": [{"p": None}]}, "'p' cannot be read"),
    "no sets": ({"code": 200, "data": []}, "there is no pod"),
    "empty sets": ({"code": 200, "data": [{}, None]}, "there is no pod"),
    "idle alone": ({"code": 200, "data": [{"__idle__": {}}]}, "there is no pod"),
    "by namespace": (
        answer([("vision", allocation("p")[1] | {"properties": {"namespace": "vision"}})]),
        "no pod's; do not aggregate",
    ),
    "a set twice": (answer([allocation("p")], [allocation("p")]), "two sets tell of"),
    "hours and their day": (
        answer([allocation("p")], [allocation("p", hours=24)]),
        "two sets tell of",
    ),
    "a pod twice": (
        answer([("a", allocation("p")[1]), ("b", allocation("p")[1])]),
        "vision/p is there twice",
    ),
}


@pytest.mark.parametrize(("content", "said"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_answer_is_refused_by_its_file(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        list(save(tmp_path / "a", content).deliveries(Ledger()))
    assert said in str(caught.value)
    assert f"{DAY}.json" in caught.value.__notes__[0]


def test_packed_answers_are_read_and_a_day_twice_is_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "a", GOOD)
    packed = tmp_path / "a" / f"{DAY}.json.gz"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    with pytest.raises(SourceError, match="2026-10-05 is there twice"):
        list(source.deliveries(Ledger()))
    (tmp_path / "a" / f"{DAY}.json").unlink()
    assert len(list(source.deliveries(Ledger()))) == 1
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(SourceError, match="not a whole answer"):
        list(source.deliveries(Ledger()))


def test_a_spoiled_day_does_not_hold_up_the_others(tmp_path: Path) -> None:
    save(tmp_path / "a", "{", "2026-10-04.json")
    save(tmp_path / "a", "{", "2026-13-04.json")
    ledger = Ledger()
    with pytest.raises(SourceError) as caught:
        ledger.take(save(tmp_path / "a", GOOD).deliveries(ledger))
    assert list(ledger.seen) == [("allocations", "2026-10-05")]
    assert caught.value.__notes__[-1] == "and so for 1 more days"


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
