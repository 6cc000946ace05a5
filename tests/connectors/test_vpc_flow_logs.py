"""VPC flow logs: what is landed, what is refused, what staging makes of it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from connectors.base import SourceError
from connectors.vpc_flow_logs import VpcFlowLogs
from queries.engines.duckdb import Connection, Limits, connect, create_macros
from tests.connectors.known import Memory
from tests.connectors.test_s3_reads import land, staged

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data" / "vpc_flow_logs"
FOLDER = "AWSLogs/123456789010/vpcflowlogs/us-east-1/2025/10/03"
NAME = "123456789010_vpcflowlogs_us-east-1_fl-{log}_20251003T0405Z_{hash}.log"
MODEL = "vpc_flow_logs__records"


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    create_macros(connection, {"user": [], "team": [], "project": []})
    yield connection
    connection.close()


def sample(name: str) -> bytes:
    return (DATA / f"{name}.log").read_bytes()


def put(
    root: Path, content: bytes, log: str = "0abc", digest: str = "1f", kind: str = "gz"
) -> Path:
    path = root / FOLDER / f"{NAME.format(log=log, hash=digest)}.{kind}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def as_parquet(root: Path, text: bytes) -> None:
    """Write a log as AWS writes Parquet: `_` for `-`, numbers as numbers, nothing as nothing."""
    head, *lines = text.decode().splitlines()
    names = head.replace("-", "_").split(" ")
    rows = [[None if cell == "-" else cell for cell in line.split(" ")] for line in lines]
    frame = pl.DataFrame(rows, dict.fromkeys(names, pl.String()), orient="row")
    long = [name for name in ("bytes", "start", "end") if name in names]
    short = [name for name in ("version", "traffic_path") if name in names]
    put(root, b"", kind="parquet")
    frame.with_columns(pl.col(long).cast(pl.Int64), pl.col(short).cast(pl.Int32)).write_parquet(
        root / FOLDER / f"{NAME.format(log='0abc', hash='1f')}.parquet"
    )


DEFAULT = [
    # hour, interface, machine, zone, local, remote, route, sent, bytes
    (
        4,
        "eni-1235b8ca123456789",
        None,
        None,
        "172.31.16.21",
        "172.31.16.139",
        "private",
        False,
        4249,
    ),
    (4, "eni-1235b8ca123456789", None, None, "172.31.16.21", None, "internet", False, 100),
    (4, "eni-1235b8ca123456789", None, None, "172.31.16.21", None, "internet", True, 336),
]
CUSTOM = [
    (4, "eni-0aaa", "i-0aaa", "use1-az1", "10.0.1.5", None, "internet", False, 5000),
    (4, "eni-0aaa", "i-0aaa", "use1-az1", "10.0.1.5", None, "nat", True, 1000),
    (4, "eni-0nat", None, "use1-az1", "10.0.0.220", None, "internet", True, 1000),
    (4, "eni-0nat", None, "use1-az1", "203.0.113.5", "10.0.1.5", "private", False, 1000),
    (5, "eni-0aaa", "i-0aaa", "use1-az1", "10.0.1.5", "10.0.2.9", "private", True, 700),
    (5, "eni-0aaa", "i-0aaa", "use1-az1", "10.0.1.5", None, "service", True, 90000),
    (5, "eni-0bbb", "i-0bbb", "use1-az2", "10.0.2.9", "10.0.1.5", "private", False, 700),
    (5, "eni-0bbb", "i-0bbb", "use1-az2", "10.0.2.9", None, "internet", True, 40),
]


@pytest.mark.parametrize(("name", "flows"), [("default", DEFAULT), ("custom", CUSTOM)])
@pytest.mark.parametrize("kind", ["gz", "parquet"])
def test_text_and_parquet_tell_the_same(
    con: Connection, tmp_path: Path, name: str, flows: list[tuple[object, ...]], kind: str
) -> None:
    """Rejected packets went nowhere; where two addresses may be the own one, nobody knows."""
    root = tmp_path / "logs"
    if kind == "gz":
        put(root, gzip.compress(sample(name)))
    else:
        as_parquet(root, sample(name))
    (delivery,) = land(con, tmp_path, VpcFlowLogs(str(root)))
    assert delivery.unit == "123456789010/us-east-1/2025-10-03"

    rows = staged(con, MODEL)
    assert {(row[0], str(row[1]), row[3]) for row in rows} == {
        ("vpc_flow_logs", "2025-10-03", "us-east-1")
    }
    found = [(row[2].hour, *row[4:]) for row in rows]
    assert sorted(found, key=repr) == sorted(flows, key=repr)


def test_two_logs_of_one_interface_count_once(con: Connection, tmp_path: Path) -> None:
    """One of the network and one of a part of it; files of one log add up."""
    root = tmp_path / "logs"
    text = sample("custom")
    put(root, gzip.compress(text))
    put(root, gzip.compress(text), digest="2e")
    put(root, gzip.compress(text), log="0def")
    land(con, tmp_path, VpcFlowLogs(str(root)))

    assert sum(row[-1] for row in staged(con, MODEL)) == 2 * sum(int(row[-1]) for row in CUSTOM)


def test_a_day_that_is_known_comes_again_with_new_files_alone(tmp_path: Path) -> None:
    known = Memory()
    put(tmp_path, gzip.compress(sample("default")))
    (first,) = VpcFlowLogs(str(tmp_path)).deliveries(known)
    known.land(first)
    assert list(VpcFlowLogs(str(tmp_path)).deliveries(known)) == []
    put(tmp_path, gzip.compress(sample("default")), digest="2e")
    (second,) = VpcFlowLogs(str(tmp_path)).deliveries(known)
    assert (second.unit, second.version != first.version) == (first.unit, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(sample("default"))[:-20], "it is no whole gzip file"),
        (b"no gzip at all", "it is no whole gzip file"),
        (gzip.compress(sample("default")[:-40]), "line 9 has not the 14 fields"),
        (gzip.compress(sample("default").partition(b"\n")[2]), "has no field interface-id"),
        (gzip.compress(b""), "has no field interface-id"),
        (gzip.compress(b"interface-id srcaddr dstaddr start\n"), "has no field bytes"),
    ],
)
def test_a_damaged_log_is_refused_with_its_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = put(tmp_path, content)
    (delivery,) = VpcFlowLogs(str(tmp_path)).deliveries(Memory())
    with pytest.raises(SourceError, match=said) as caught:
        delivery.files[0].open()
    assert path.name in caught.value.__notes__[0]


def test_a_log_without_records_is_empty(con: Connection, tmp_path: Path) -> None:
    root = tmp_path / "logs"
    put(root, gzip.compress(sample("custom").partition(b"\n")[0] + b"\n"))
    land(con, tmp_path, VpcFlowLogs(str(root)))
    assert staged(con, MODEL) == []


def test_a_folder_without_logs_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.log.gz").write_bytes(b"")
    with pytest.raises(SourceError, match="no flow log here"):
        list(VpcFlowLogs(str(tmp_path)).deliveries(Memory()))
