"""S3 Inventory and S3 access logs: what is landed, what is refused, what staging makes of it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from connectors.base import Connector, SourceError
from connectors.s3_access_logs import S3AccessLogs
from connectors.s3_inventory import S3Inventory
from queries.catalog import HOME, read_model
from queries.checks import check_model
from queries.engines.duckdb import Connection, Limits, connect, create_macros
from queries.landed import Landed, LandedFile
from queries.raw import create_raw_view
from tests.connectors.known import Memory
from tests.servers.moto import client, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from connectors.base import Delivery

DAY = date(2026, 10, 3)
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, StorageClass"
ROWS = [
    ("images/a%2Bb/x+1.bin", "true", "false", "1000", "STANDARD"),
    ("images/a%2Bb/y.bin", "true", "false", "1000", "STANDARD_IA"),
    ("images/a%2Bb/y.bin", "false", "false", "300000", "STANDARD_IA"),
    ("images/gone.bin", "true", "true", "", ""),
    ("top.bin", "true", "false", "5", "STANDARD"),
]


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    create_macros(connection, {"user": [], "team": [], "project": []})
    yield connection
    connection.close()


def packed_csv(rows: Sequence[tuple[str, ...]]) -> bytes:
    lines = [
        ",".join(f'"{value}"' for value in ("data", key, "v1", latest, marker, size, "", kind))
        for key, latest, marker, size, kind in rows
    ]
    return gzip.compress("".join(f"{line}\n" for line in lines).encode())


def write_inventory(
    root: Path, content: bytes, ending: str, config: str = "all", **more: object
) -> Path:
    """Write one inventory of the bucket `data` as AWS lays it out; return its manifest."""
    folder = root / "inv" / "data" / config
    part = folder / "data" / f"part-1.{ending}"
    part.parent.mkdir(parents=True)
    part.write_bytes(content)
    made = datetime(DAY.year, DAY.month, DAY.day, 1, tzinfo=UTC)
    manifest = {
        "sourceBucket": "data",
        "destinationBucket": "arn:aws:s3:::lists",
        "version": "2016-11-30",
        "creationTimestamp": str(int(made.timestamp() * 1000)),
        "fileFormat": "Parquet" if ending == "parquet" else "CSV",
        "fileSchema": SCHEMA,
        "files": [
            {
                "key": f"lists/inv/data/{config}/data/{part.name}",
                "size": len(content),
                "MD5checksum": hashlib.md5(content, usedforsecurity=False).hexdigest(),
            }
        ],
    } | more
    path = folder / "2026-10-03T01-00Z" / "manifest.json"
    path.parent.mkdir(parents=True)
    text = json.dumps(manifest).encode()
    path.write_bytes(text)
    digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
    path.with_name("manifest.checksum").write_text(f"{digest}\n", encoding="ascii")
    return path


def land(con: Connection, folder: Path, connector: Connector) -> list[Delivery]:
    """Read every file of every delivery whole, and make the raw view over them."""
    found = list(connector.deliveries(Memory()))
    landed = []
    for row in found:
        files = []
        for file in row.files:
            path = folder / f"{hashlib.sha256((row.unit + file.name).encode()).hexdigest()}.raw"
            with file.open() as stream:
                path.write_bytes(stream.read())
            assert file.size in (None, path.stat().st_size)
            files.append(LandedFile(path, file.name, file.format, "0"))
        at = row.version_at.replace(tzinfo=None)
        name = connector.name
        landed.append(Landed(name, name, row.table, row.unit, row.version, at, tuple(files), at))
    create_raw_view(con, connector.name, connector.tables[0], landed)
    return found


def staged(con: Connection, name: str, depth: int = 6) -> list[tuple[Any, ...]]:
    """Run a staging model, check what it promises, and return its rows in order."""
    model = read_model(HOME / "staging" / f"{name}.sql")
    con.execute("create schema if not exists staging")
    sql = model.sql.replace("$prefix_depth", str(depth))
    con.execute(f"create or replace table {model.name} as {sql}")
    check_model(con, model)
    return con.execute(f"from {model.name} order by all").fetchall()


def read_all(connector: Connector) -> None:
    for row in connector.deliveries(Memory()):
        for file in row.files:
            with file.open() as stream:
                stream.read()


def refusal(connector: Connector) -> str:
    """Have a connector refuse its input while it is listed or read; return all that it says."""
    with pytest.raises(SourceError) as caught:
        read_all(connector)
    return "\n".join([str(caught.value), *caught.value.__notes__])


LISTED = [
    (DAY, "data", "", "STANDARD", 5, 1, True),
    (DAY, "data", "images", "STANDARD", 0, 0, False),
    (DAY, "data", "images/a+b", "STANDARD", 1000, 1, True),
    (DAY, "data", "images/a+b", "STANDARD_IA", 131072, 1, True),
    (DAY, "data", "images/a+b", "STANDARD_IA", 300000, 1, False),
]


def test_an_inventory_in_csv_is_landed_behind_its_header_and_summed_by_folder(
    con: Connection, tmp_path: Path
) -> None:
    """Keys are decoded, least sizes billed; old versions and delete markers are not current."""
    content = packed_csv(ROWS)
    write_inventory(tmp_path, content, "csv.gz")
    (found,) = land(con, tmp_path, S3Inventory(str(tmp_path / "inv")))
    with found.files[0].open() as stream:
        assert stream.read().endswith(content)
    assert staged(con, "s3_inventory__objects") == LISTED


def test_an_inventory_in_parquet_gives_the_same_and_its_keys_are_as_they_are(
    con: Connection, tmp_path: Path
) -> None:
    keys = ["images/a+b/x 1.bin", "images/a+b/y.bin", "images/a+b/y.bin", "images/gone.bin", "top"]
    frame = pl.DataFrame(
        {
            "bucket": ["data"] * 5,
            "key": keys,
            "is_latest": [row[1] == "true" for row in ROWS],
            "is_delete_marker": [row[2] == "true" for row in ROWS],
            "size": [int(row[3]) if row[3] else None for row in ROWS],
            "storage_class": [row[4] or None for row in ROWS],
        }
    )
    packed = io.BytesIO()
    frame.write_parquet(packed)
    write_inventory(tmp_path, packed.getvalue(), "parquet")
    land(con, tmp_path, S3Inventory(str(tmp_path)))
    assert staged(con, "s3_inventory__objects") == LISTED


def test_folders_are_kept_to_a_depth_and_what_is_no_utf_8_stays(
    con: Connection, tmp_path: Path
) -> None:
    rows = [("a/b/c/d.bin", "", "", "1", "STANDARD"), ("%FF/x", "", "", "2", "STANDARD")]
    write_inventory(tmp_path, packed_csv(rows), "csv.gz")
    land(con, tmp_path, S3Inventory(str(tmp_path)))
    rows_of = staged(con, "s3_inventory__objects", depth=2)
    assert [(row[2], row[4]) for row in rows_of] == [("%FF", 2), ("a/b", 1)]


def test_a_damaged_inventory_is_refused(tmp_path: Path) -> None:
    good = packed_csv(ROWS)
    orc = refusal_of(tmp_path / "orc", good, fileFormat="ORC")
    assert "is written as ORC" in orc
    assert "fix: set the output format" in orc
    entry = {"key": "lists/inv/data/all/data/part-1.csv.gz"}
    assert "has" in refusal_of(tmp_path / "size", good, files=[entry | {"size": 3}])
    wrong = refusal_of(tmp_path / "md5", good, files=[entry | {"MD5checksum": "0" * 32}])
    assert "states the MD5 of" in wrong
    gone = refusal_of(tmp_path / "gone", good, files=[{"key": "lists/none.csv.gz"}])
    assert "is not there: lists/none.csv.gz" in gone
    assert "cannot be read" in refusal_of(tmp_path / "time", good, creationTimestamp="soon")
    path = write_inventory(tmp_path / "cut", good, "csv.gz")
    path.write_bytes(path.read_bytes()[:-9])
    assert "manifest.checksum is of" in refusal(S3Inventory(str(tmp_path / "cut")))
    (tmp_path / "empty").mkdir()
    assert "no manifest.json" in refusal(S3Inventory(str(tmp_path / "empty")))


def refusal_of(root: Path, content: bytes, **more: object) -> str:
    write_inventory(root, content, "csv.gz", **more)  # type: ignore[arg-type]
    return refusal(S3Inventory(str(root)))


def test_two_configurations_of_a_bucket_are_refused_until_one_is_named(tmp_path: Path) -> None:
    for config in ("all", "current"):
        write_inventory(tmp_path, packed_csv(ROWS), "csv.gz", config)
    assert "2 inventories list the bucket data" in refusal(S3Inventory(str(tmp_path)))
    (found,) = S3Inventory(str(tmp_path), configurations=("all",)).deliveries(Memory())
    assert found.unit == "data/all/2026-10-03"


def record(  # noqa: PLR0913  (the fields of a record)
    key: str,
    sent: str = "100",
    *,
    operation: str = "REST.GET.OBJECT",
    status: str = "200",
    address: str = "52.1.2.3",
    requester: str = "arn:aws:iam::1:user/ada",
    at: str = "03/Oct/2026:23:59:59",
    agent: str = '"aws-cli"',
    tail: str = "",
) -> str:
    """Return a line of an access log as AWS writes it."""
    return (
        f"79a59df900b949e5 data [{at} +0000] {address} {requester} 3E57427F3EXAMPLE {operation} "
        f'{key} "GET /data/{key}?x="y" HTTP/1.1" {status} - {sent} 3462 7 6 "-" {agent} - '
        f"s9lzHYrFp76= SigV4 ECDHE-RSA AuthHeader data.s3.amazonaws.com TLSv1.2 - -{tail}"
    )


LOG = "2026-10-04-00-10-00-0123456789ABCDEF"


def write_log(root: Path, *lines: str, name: str = LOG) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_reads_that_succeeded_count_by_folder_requester_and_day(
    con: Connection, tmp_path: Path
) -> None:
    """Quotes in agents, new fields, keys encoded twice, records of the day before, no bytes."""
    root = tmp_path / "logs"
    write_log(
        root,
        record("images/a%252Bb/x%2520y.bin", agent='"odd "quoted" 404 - 7 agent"'),
        record("images/a%252Bb/z", "7", status="206", tail=" new-field Yes"),
        record("images/a%252Bb/z", "-", status="304"),
        record("images/a%252Bb/z", "9", status="403"),
        record("images/a%252Bb/z", "9", operation="REST.HEAD.OBJECT"),
        record("images/a%252Bb/z", "-", address="10.0.0.7"),
        record("top", "5", requester="-", at="04/Oct/2026:00:00:00"),
    )
    (found,) = land(con, tmp_path, S3AccessLogs(str(root)))
    assert found.unit == "written-2026-10-04"
    ada = "arn:aws:iam::1:user/ada"
    assert [row[1:] for row in staged(con, "s3_access_logs__lines")] == [
        (DAY, "data", "images/a+b", ada, "same", 1, 0),
        (DAY, "data", "images/a+b", ada, None, 2, 107),
        (date(2026, 10, 4), "data", "", None, None, 1, 5),
    ]


def test_a_late_file_makes_a_new_version_of_its_day_of_writing(tmp_path: Path) -> None:
    write_log(tmp_path, record("a"))
    memory = Memory()
    (first,) = S3AccessLogs(str(tmp_path)).deliveries(memory)
    memory.land(first)
    assert list(S3AccessLogs(str(tmp_path)).deliveries(memory)) == []
    write_log(tmp_path, record("b"), name=LOG.replace("F", "0"))
    (second,) = S3AccessLogs(str(tmp_path)).deliveries(memory)
    assert (second.unit, second.version == first.version) == (first.unit, False)


def test_a_log_that_was_cut_or_is_none_is_refused_by_file_and_line(tmp_path: Path) -> None:
    write_log(tmp_path / "cut", record("a"), record("b")[:150])
    said = refusal(S3AccessLogs(str(tmp_path / "cut")))
    assert "line 2 is no record" in said
    assert LOG in said
    write_log(tmp_path / "none", "a,b", name="other.csv")
    assert "no access log here" in refusal(S3AccessLogs(str(tmp_path / "none")))


@pytest.mark.servers
def test_both_are_read_from_s3(
    con: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inventory(tmp_path, packed_csv(ROWS), "csv.gz")
    write_log(tmp_path / "logs", *[record("images/x")] * 3)
    with s3_server(tmp_path) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
        s3 = client("s3")
        s3.create_bucket(Bucket="lists")
        for top in ("inv", "logs"):
            for path in (tmp_path / top).rglob("*"):
                if path.is_file():
                    key = path.relative_to(tmp_path).as_posix()
                    s3.put_object(Bucket="lists", Key=key, Body=path.read_bytes())
        land(con, tmp_path, S3Inventory("s3://lists/inv"))
        land(con, tmp_path, S3AccessLogs("s3://lists/logs"))
    assert staged(con, "s3_inventory__objects") == LISTED
    assert [row[-2:] for row in staged(con, "s3_access_logs__lines")] == [(3, 300)]
