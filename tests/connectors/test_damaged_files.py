"""Damaged input: refused with the file, the place and the fix, or read right; never quietly wrong.

Each case spoils one thing of good input.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from connectors.base import Connector, SourceError, Table
from connectors.identities import Identities
from connectors.ownership import Ownership
from connectors.prometheus import Prometheus
from connectors.storage_inventory import StorageInventory
from queries.catalog import HOME, read_model
from queries.checks import check_model
from queries.engines.duckdb import Connection, Limits, connect
from queries.landed import Landed, LandedFile
from queries.raw import create_raw_view
from tests.connectors.telemetry import DAY, MIDNIGHT, Ledger, answer, save, stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def con() -> Iterator[Connection]:
    connection = connect(Limits(threads=1))
    yield connection
    connection.close()


def refusal(connector: Connector) -> tuple[str, str, str]:
    """Have a connector refuse its input; return what is wrong, where, and the fix."""
    with pytest.raises(SourceError) as caught:
        list(connector.deliveries(Ledger()))
    where, fix = caught.value.__notes__[:2]
    assert fix.removeprefix("fix: ")
    return str(caught.value), where, fix


# Saved answers of Prometheus

HELD = ({"namespace": "n", "pod": "p", "uid": "u"}, "60")
UP = ({"node": "a", "provider_id": "aws:///z/i-0a"}, "60")
GOOD = {"pod_running": answer(HELD), "node_up": answer(UP)}


def spoiled(change: Callable[[dict[str, Any]], None]) -> str:
    """Return the answer to `pod_running`, changed."""
    content: dict[str, Any] = json.loads(GOOD["pod_running"])
    change(content)
    return json.dumps(content)


def first(content: dict[str, Any]) -> dict[str, Any]:
    series: dict[str, Any] = content["data"]["result"][0]
    return series


SPOILED: dict[str, tuple[str, str]] = {
    "broken off": (GOOD["pod_running"][:-20], "not a whole answer"),
    "empty": ("", "not a whole answer"),
    "a login page": ("<html><body>Sign in</body></html>", "not a whole answer"),
    "two answers": (GOOD["pod_running"] * 2, "not a whole answer"),
    "a list": ("[]", "not a matrix"),
    "an error": ('{"status": "error", "error": "timed out"}', "not a matrix: timed out"),
    "no data": ('{"status": "success"}', "not a matrix"),
    "a vector": (spoiled(lambda it: it["data"].update(resultType="vector")), "not a matrix"),
    "no list": (spoiled(lambda it: it["data"].update(result={})), "not a matrix"),
    "a part": (spoiled(lambda it: it.update(warnings=["a store is down"])), "a store is down"),
    "no labels": (spoiled(lambda it: first(it).pop("metric")), "no series"),
    "labels as text": (spoiled(lambda it: first(it).update(metric="p")), "no series"),
    "a label as a list": (spoiled(lambda it: first(it)["metric"].update(pod=[1])), "no series"),
    "no values": (spoiled(lambda it: first(it).pop("values")), "no series"),
    "values of a vector": (spoiled(lambda it: first(it).update(values=[1, "2"])), "no series"),
    "a value with three parts": (
        spoiled(lambda it: first(it)["values"][0].append(1)),
        "no series",
    ),
    "a time as text": (spoiled(lambda it: first(it)["values"][0].insert(0, "x")), "no series"),
    "a word for a value": (
        spoiled(lambda it: first(it).update(values=[[MIDNIGHT + 3600, "much"]])),
        "'much', which is no number",
    ),
    "no value": (
        spoiled(lambda it: first(it).update(values=[[MIDNIGHT + 3600, None]])),
        "which is no number",
    ),
    "another day's": (
        spoiled(lambda it: first(it).update(values=[[MIDNIGHT, "60"]])),
        "not one of the hours of the day",
    ),
    "steps of a minute": (
        spoiled(
            lambda it: first(it).update(
                values=[[MIDNIGHT + 3600 + 60 * minute, "1"] for minute in range(60)]
            )
        ),
        "not one of the hours of the day",
    ),
    "milliseconds": (
        spoiled(lambda it: first(it).update(values=[[(MIDNIGHT + 3600) * 1000, "60"]])),
        "not one of the hours of the day",
    ),
    "an hour twice": (
        spoiled(lambda it: first(it).update(values=[[MIDNIGHT + 3600, "60"]] * 2)),
        "not one of the hours of the day",
    ),
}


@pytest.mark.parametrize(("text", "said"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_answer_is_refused_by_its_file(tmp_path: Path, text: str, said: str) -> None:
    what, where, _ = refusal(save(tmp_path, **GOOD | {"pod_running": text}))
    assert said in what
    assert "pod_running.json" in where


def test_packed_answers_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    saved = save(tmp_path, **GOOD)
    path = tmp_path / DAY.isoformat() / "pod_running.json"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    broken = {"cut": packed[:-12], "flipped": packed[:-6] + b"x" + packed[-5:], "plain": b"{}"}
    for content in broken.values():
        path.with_suffix(".json.gz").write_bytes(content)
        what, where, _ = refusal(saved)
        assert "not a whole answer" in what
        assert "pod_running.json.gz" in where
    path.with_suffix(".json.gz").write_bytes(packed)
    assert len(list(saved.deliveries(Ledger()))) == 1


def test_a_day_with_files_that_are_missing_misnamed_or_doubled_is_refused(tmp_path: Path) -> None:
    saved = save(tmp_path, **GOOD)
    of_day = tmp_path / DAY.isoformat()
    (of_day / "pod_running.json").rename(of_day / "pod_runing.json")
    what, where, _ = refusal(saved)
    assert "pod_runing.json is no query's; is it pod_running?" in what
    assert "pod_running is missing" in what
    assert DAY.isoformat() in where
    (of_day / "pod_runing.json").rename(of_day / "pod_running.json")
    (of_day / "gpu_sm.json.gz").write_bytes(gzip.compress(answer().encode()))
    assert "gpu_sm is there twice" in refusal(saved)[0]


def test_a_day_that_is_none_and_a_folder_without_days_are_refused(tmp_path: Path) -> None:
    assert "no such day" in refusal(save(tmp_path / "a", "2026-13-05", **GOOD))[0]
    assert "no saved answers" in refusal(Prometheus(root=str(tmp_path / "b")))[0]
    assert "no sample of 2026-10-05" in refusal(save(tmp_path / "c"))[0]


def test_a_spoiled_day_does_not_hold_up_the_others(tmp_path: Path) -> None:
    for day in ("2026-10-03", "2026-10-04", "2026-10-06"):
        shift = (date.fromisoformat(day) - DAY).days * 86400
        texts = {
            name: text.replace(str(MIDNIGHT + 3600), str(MIDNIGHT + 3600 + shift))
            for name, text in GOOD.items()
        }
        save(tmp_path, day, **texts)
    saved = save(tmp_path, node_up=GOOD["node_up"], pod_running="{")
    save(tmp_path, "2026-10-07", node_up="{", pod_running="{")
    ledger = Ledger()
    with pytest.raises(SourceError) as caught:
        ledger.take(saved.deliveries(ledger))
    assert [unit for _, unit in ledger.seen] == ["2026-10-03", "2026-10-04", "2026-10-06"]
    assert "2026-10-05" in caught.value.__notes__[0]
    assert caught.value.__notes__[-1] == "and so for 1 more days"


def test_what_is_odd_and_still_right_is_read_right(con: Connection, tmp_path: Path) -> None:
    texts = {
        # whole floats for times, numbers for values, labels nobody asked for, and labels in order
        "pod_running": spoiled(
            lambda it: first(it).update(
                metric={"zone": "z", "uid": "u", "pod": "p", "namespace": "n"},
                values=[[MIDNIGHT + 3600.0, 60], [MIDNIGHT + 7200, "3e1"]],
            )
        ),
        "pod_request": answer(
            ({"namespace": "n", "pod": "p", "uid": "u", "resource": "cpu"}, "NaN"),
            ({"namespace": "n", "pod": "p", "uid": "u", "resource": "memory"}, "+Inf"),
        ),
        "node_up": GOOD["node_up"],
    }
    saved = save(tmp_path / "answers", **texts)
    (tmp_path / "answers" / DAY.isoformat() / "notes.txt").write_text("saved by hand")
    (tmp_path / "answers" / DAY.isoformat() / "pod_running.json.tmp").write_text("{")
    (tmp_path / "answers" / "2026-10-09").mkdir()
    stage(con, tmp_path, saved.deliveries(Ledger()))
    rows = con.execute(
        "select pod, held_seconds, cpu_cores::double, memory_gib::double from staging.pod_hours "
        "order by charge_hour"
    )
    assert rows.fetchall() == [("p", 3600, 0.0, 0.0), ("p", 1800, 0.0, 0.0)]


def test_one_label_may_name_the_team_and_the_project_and_another_nobody(
    con: Connection, tmp_path: Path
) -> None:
    named = (
        {"namespace": "n", "pod": "p", "uid": "u", "label_unit": "nlp", "label_user": "x"},
        "1",
    )
    save(tmp_path / "answers", **GOOD, pod_labels=answer(named))
    saved = Prometheus(
        root=str(tmp_path / "answers"),
        team_label="label_unit",
        project_label="label_unit",
        user_label="",
    )
    stage(con, tmp_path, saved.deliveries(Ledger()))
    rows = con.execute("select team_raw, project_raw, user_raw from staging.pod_hours").fetchall()
    assert rows == [("nlp", "nlp", None)]


def test_answers_are_read_again_when_what_the_config_says_of_them_changes(tmp_path: Path) -> None:
    ledger = Ledger()
    assert len(ledger.take(save(tmp_path, **GOOD).deliveries(ledger))) == 1
    assert ledger.take(Prometheus(root=str(tmp_path), cluster="main").deliveries(ledger)) == []
    for setting in ({"scrape_seconds": 30}, {"team_label": "label_unit"}):
        other = Prometheus(root=str(tmp_path), cluster="main", **setting)
        assert len(list(other.deliveries(ledger))) == 1


# Files that people write


def land(con: Connection, folder: Path, connector: Connector, *versions: int) -> None:
    """Land what a connector yields into raw views, as of hours of a day, one for each version."""
    landed: dict[str, list[Landed]] = {}
    for hour in versions:
        for delivery in connector.deliveries(Ledger()):
            files = []
            for number, file in enumerate(delivery.files):
                path = folder / f"{delivery.table}-{delivery.unit}-{hour}-{number}.{file.format}"
                with file.open() as stream:
                    path.write_bytes(stream.read())
                files.append(LandedFile(path, file.name, file.format, "0"))
            at = datetime(2026, 10, 5, hour)  # noqa: DTZ001 - UTC, as all times in raw files
            row = Landed(
                connector.name,
                connector.name,
                delivery.table,
                delivery.unit,
                f"{delivery.version}{hour}",
                at,
                tuple(files),
                at,
            )
            landed.setdefault(delivery.table, []).append(row)
    for table in connector.tables:
        create_raw_view(con, connector.name, table, landed.get(table.name, []))


def staged(con: Connection, name: str) -> list[tuple[object, ...]]:
    """Run a staging model, check what it promises, and return its rows in order."""
    model = read_model(HOME / "staging" / f"{name}.sql")
    con.execute("create schema if not exists staging")
    con.execute(f"create or replace table {model.name} as {model.sql}")
    check_model(con, model)
    return con.execute(f"from {model.name} order by all").fetchall()


def folder_of(root: Path, **texts: str | bytes) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        content = text.encode() if isinstance(text, str) else text
        (root / f"{name}.csv").write_bytes(content)
    return root


PEOPLE = "user_id,user_name,email\njane,Jane Roe,jane@acme.example\njoe,Joe Doe,\n"
ALIASES = "alias,user_id,valid_from,valid_to\njr,jane,,2026-10-01\njr,joe,2026-10-01,\n"
SLIPS: dict[str, tuple[str, str | bytes, str]] = {
    "no header": ("people", "jane,Jane,\n", "line 1: the column user_id is missing"),
    "nobody": ("people", "user_id,user_name,email\n", "nobody stands below the header"),
    "semicolons": ("people", PEOPLE.replace(",", ";"), "the column user_id is missing"),
    "UTF-16": ("people", PEOPLE.encode("utf-16"), "not CSV in UTF-8"),
    "an open quote": ("people", PEOPLE + 'ann,"Ann', "not CSV in UTF-8"),
    "a column twice": (
        "people",
        "user_id,user_name,user_name\na,b,c\n",
        "user_name is there twice",
    ),
    "a space before": ("people", PEOPLE + " ann,Ann,\n", "line 4: user_id ' ann' begins or ends"),
    "a soft hyphen": ("people", PEOPLE + "an\u00adn,Ann,\n", "signs that cannot be seen"),
    "a space after": ("memberships", "user_id,team\njane,nlp \n", "line 2: team 'nlp ' begins"),
    "a near miss": ("memberships", "user_id,team\njanee,nlp\n", "did you mean jane?"),
    "no team": ("memberships", "user_id,team\njane,\n", "line 2: team is empty"),
    "a week": ("aliases", ALIASES.replace("2026-10-01", "2026-W40-4"), "is not a date"),
    "no hyphens": ("aliases", ALIASES.replace("2026-10-01", "20261001"), "is not a date"),
    "no such day": ("aliases", ALIASES.replace("2026-10-01", "2026-02-30"), "is not a date"),
    "a time": ("aliases", ALIASES.replace("2026-10-01", "2026-10-01T00:00"), "is not a date"),
    "no time at all": (
        "aliases",
        "alias,user_id,valid_from,valid_to\njr,jane,2026-10-01,2026-10-01\n",
        "is not after",
    ),
    "spans that touch twice": (
        "aliases",
        ALIASES + "JR,jane,2026-12-01,\n",
        "line 4: JR is joe's at the same time",
    ),
}


@pytest.mark.parametrize(("name", "text", "said"), SLIPS.values(), ids=SLIPS)
def test_a_slip_in_identities_is_refused_by_file_and_line(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    texts: dict[str, str | bytes] = {"people": PEOPLE, "aliases": ALIASES}
    what, where, _ = refusal(Identities(str(folder_of(tmp_path, **texts | {name: text}))))
    assert said in what
    assert f"{name}.csv" in where


@pytest.mark.parametrize(
    "people",
    [
        PEOPLE,
        "\ufeff" + PEOPLE,
        PEOPLE.replace("\n", "\r\n"),
        PEOPLE.removesuffix("\n"),
        'user_id,user_name,email\n"jane","Jane Roe",jane@acme.example\njoe,"Joe Doe",""\n',
        "email,user_name,user_id\njane@acme.example,Jane Roe,jane\n,Joe Doe,joe\n",
    ],
    ids=["plain", "byte order mark", "Windows", "no last newline", "quotes", "another order"],
)
def test_people_are_read_alike_however_their_file_is_written(
    con: Connection, tmp_path: Path, people: str
) -> None:
    root = folder_of(tmp_path / "in", people=people)
    land(con, tmp_path, Identities(str(root)), 1)
    assert staged(con, "identities__people") == [
        ("jane", "Jane Roe", "jane@acme.example", False, None),
        ("joe", "Joe Doe", None, False, None),
    ]


def test_what_is_deleted_from_a_file_is_gone_and_a_file_that_is_gone_is_missed(
    tmp_path: Path,
) -> None:
    root = folder_of(tmp_path / "in", people=PEOPLE, aliases=ALIASES)
    ledger, source = Ledger(), Identities(str(root))
    assert [row.table for row in ledger.take(source.deliveries(ledger))] == ["people", "aliases"]
    (root / "aliases.csv").unlink()
    with pytest.raises(SourceError, match="was there, and is gone") as caught:
        list(source.deliveries(ledger))
    assert "aliases.csv" in caught.value.__notes__[0]


@pytest.mark.parametrize("hours", [(1, 2), (1, 1)], ids=["later", "within the same second"])
def test_only_the_newest_version_of_a_file_counts(
    con: Connection, tmp_path: Path, hours: tuple[int, int]
) -> None:
    table = Table("memberships", Identities.tables[2].columns)
    landed = []
    for number, (hour, text) in enumerate(zip(hours, ("jane,nlp", "joe,vision"), strict=True)):
        path = tmp_path / f"{number}.csv"
        path.write_text(f"user_id,team\n{text}\n")
        at = datetime(2026, 10, 5, hour)  # noqa: DTZ001 - UTC, as all times in raw files
        files = (LandedFile(path, path.name, "csv", "0"),)
        landed.append(Landed("who", "identities", "memberships", "all", str(number), at, files, at))
    create_raw_view(con, "identities", table, landed)
    rows = staged(con, "identities__memberships")
    assert rows == [("joe", "vision", None, None)]


OWNERSHIP = """
[[rules]]
id = "center"
when = { namespace = "nlp-*", tag = "cost-center=42*" }
team = "nlp"

[[datasets]]
name = "images"
uri = "S3A://Acme-Data/Images/"
region = "eu-west-1"
"""
OWNERSHIP_SLIPS: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", "holds no rules, overrides or datasets"),
    "a comment alone": ("# to do\n", "holds no rules"),
    "UTF-16": (OWNERSHIP.encode("utf-16"), "not TOML"),
    "cut off": (OWNERSHIP[:40], "not TOML"),
    "one table": (OWNERSHIP.replace("[[rules]]", "[rules]"), "rules "),
    "a table's name": (OWNERSHIP.replace("[[rules]]", "[[rule]]"), "did you mean rules?"),
    "no id": (OWNERSHIP.replace('id = "center"', ""), "rules[1].id"),
    "no condition": (OWNERSHIP.replace("when = {", "# {"), "rules[1].when"),
    "an empty condition": (
        OWNERSHIP.replace('{ namespace = "nlp-*", tag = "cost-center=42*" }', "{}"),
        "matches nothing",
    ),
    "an empty glob": (OWNERSHIP.replace('"nlp-*"', '""'), "rules[1].when.namespace is ''"),
    "spaces": (OWNERSHIP.replace('"nlp"', '"nlp "'), "rules[1].team is 'nlp '"),
    "a number": (OWNERSHIP.replace('"nlp"', "7"), "rules[1].team"),
    "a tag": (OWNERSHIP.replace("cost-center=42*", "cost-center"), "write a tag as key=glob"),
    "a date as text": (
        OWNERSHIP.replace('team = "nlp"', 'team = "nlp"\nfrom = "2026-10-01"'),
        "rules[1].from",
    ),
    "a path": (OWNERSHIP.replace("S3A://Acme-Data/Images/", "/mnt/images"), "write a place as"),
    "one place, two datasets": (
        OWNERSHIP + '[[datasets]]\nname = "photos"\nuri = "S3A://Acme-Data/Images"\n',
        "is given to images and to photos",
    ),
}


@pytest.mark.parametrize(("text", "said"), OWNERSHIP_SLIPS.values(), ids=OWNERSHIP_SLIPS)
def test_a_slip_in_ownership_is_refused_by_its_place(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    path = tmp_path / "ownership.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    what, where, _ = refusal(Ownership(str(path)))
    assert said in what
    assert "ownership.toml" in where


def test_ownership_with_a_byte_order_mark_is_read_and_places_are_written_alike(
    con: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "ownership.toml"
    path.write_text("\ufeff" + OWNERSHIP, encoding="utf-8")
    land(con, tmp_path, Ownership(str(path)), 1, 2)
    ((dataset, _, uri, *_),) = staged(con, "ownership__datasets")
    assert (dataset, uri) == ("images", "s3://acme-data/Images")
    assert len(staged(con, "ownership__rules")) == 1


STORED = "day,container,prefix,size_bytes\n2026-10-01,acme,a/,10\n2026-10-01,acme,b/,20\n"
INVENTORY_SLIPS: dict[str, tuple[str, str]] = {
    "no rows of a number": (STORED.replace("10\n", "10.5\n"), "line 2: size_bytes '10.5'"),
    "thousands": (STORED.replace("10\n", "1'000\n"), "size_bytes"),
    "another script's digits": (STORED.replace("10\n", "\u0661\u0660\n"), "size_bytes"),
    "too large": (STORED.replace("10\n", f"{2**63}\n"), "size_bytes"),
    "a day without hyphens": (
        STORED.replace("2026-10-01,acme,a", "20261001,acme,a"),
        "line 2: day",
    ),
    "the same bytes twice": (STORED + "2026-10-01,acme,a/,10\n", "same bytes as line 2"),
    "a column too many": (STORED.replace("prefix,", "prefix,kind,"), "kind is not known"),
    "yes": (
        "day,container,size_bytes,is_current\n2026-10-01,acme,1,yes\n",
        "neither true nor false",
    ),
}


@pytest.mark.parametrize(("text", "said"), INVENTORY_SLIPS.values(), ids=INVENTORY_SLIPS)
def test_a_slip_in_an_inventory_is_refused_by_file_and_line(
    tmp_path: Path, text: str, said: str
) -> None:
    what, where, _ = refusal(StorageInventory(str(folder_of(tmp_path, october=text))))
    assert said in what
    assert "october.csv" in where


def parquet_of(folder: Path, **columns: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    days = [date(2026, 10, 1), date(2026, 10, 1)]
    values: dict[str, Any] = {"day": days, "container": ["acme"] * 2, "prefix": ["a/", "b/"]}
    values |= {"size_bytes": [10, 20]} | columns
    pl.DataFrame(values).write_parquet(folder / "october.parquet")
    return folder


def test_an_inventory_in_parquet_gives_what_it_gives_in_csv(
    con: Connection, tmp_path: Path
) -> None:
    times = [datetime(2026, 10, 1)] * 2  # noqa: DTZ001 - UTC, as all times in raw files
    found = []
    for number, root in enumerate(
        (
            folder_of(tmp_path / "csv", october=STORED),
            parquet_of(tmp_path / "days"),
            parquet_of(tmp_path / "times", day=times),
            parquet_of(tmp_path / "texts", day=["2026-10-01"] * 2, is_current=[True, None]),
        )
    ):
        landing = tmp_path / str(number)
        landing.mkdir()
        land(con, landing, StorageInventory(str(root)), 1)
        found.append(staged(con, "storage_inventory__stored_bytes"))
    assert found == [found[0]] * 4
    day = date(2026, 10, 1)
    assert found[0] == [
        (day, "acme", "a/", "STANDARD", 10, None, True),
        (day, "acme", "b/", "STANDARD", 20, None, True),
    ]


def test_a_slip_in_parquet_is_refused_by_file_and_row(tmp_path: Path) -> None:
    slips: dict[str, dict[str, Any]] = {
        "row 2: size_bytes '20.5'": {"size_bytes": [10.0, 20.5]},
        "row 1: day": {"day": [datetime(2026, 10, 1, 5)] * 2},  # noqa: DTZ001 - as above
        "row 2: container is empty": {"container": ["acme", None]},
        "the same bytes as row 1": {"prefix": ["a/", "a/"]},
    }
    for said, columns in slips.items():
        what, where, _ = refusal(StorageInventory(str(parquet_of(tmp_path, **columns))))
        assert said in what
        assert "october.parquet" in where
    path = tmp_path / "october.parquet"
    path.write_bytes(path.read_bytes()[:-7])
    assert "is not Parquet" in refusal(StorageInventory(str(tmp_path)))[0]
    folder_of(tmp_path, october=STORED)
    assert "as CSV and as Parquet" in refusal(StorageInventory(str(tmp_path)))[0]
    assert "no CSV or Parquet" in refusal(StorageInventory(str(tmp_path / "none")))[0]


def test_of_two_inventories_of_a_day_the_one_written_last_counts(
    con: Connection, tmp_path: Path
) -> None:
    root = folder_of(tmp_path / "in", october=STORED, again=STORED.replace(",20", ",30"))
    for number, name in enumerate(("october", "again")):
        os.utime(root / f"{name}.csv", (1e9 + number, 1e9 + number))
    landed = []
    for delivery in StorageInventory(str(root)).deliveries(Ledger()):
        path = root / f"{delivery.unit}.csv"
        at = delivery.version_at.replace(tzinfo=None)
        files = (LandedFile(path, path.name, "csv", "0"),)
        version = delivery.version
        unit = delivery.unit
        name = "storage_inventory"
        landed.append(Landed(name, name, "stored_bytes", unit, version, at, files, at))
    create_raw_view(con, "storage_inventory", StorageInventory.tables[0], landed)
    rows = staged(con, "storage_inventory__stored_bytes")
    assert [row[4] for row in rows] == [10, 30]
