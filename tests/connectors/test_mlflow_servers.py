"""MLflow as it really is: the same work read from SQLite, from PostgreSQL and through servers.

MLflow's own client works on a server over SQLite and on one over PostgreSQL. Each is read both from
its database and through its REST API, on three nights: the first, the day after some late edits,
and a week later, when all runs of the month are read again.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg  # noqa: TID251  (a role for the tests is made by SQL)
import pytest

from connectors.base import SourceError
from connectors.mlflow import Mlflow
from tests.connectors.mlflow_nights import HOUR, Nights, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.mlflow_server import MlflowServer
    from tests.servers.postgres import PostgresServer

pytest_plugins = ["tests.servers.mlflow_server"]
pytestmark = [pytest.mark.servers]

READERS = ("sqlite", "sqlite_rest", "postgres", "postgres_rest")
TABLES = ("runs", "run_places", "run_inputs", "run_outputs", "run_models")

Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Night:
    """What one reader had after one night."""

    delivered: set[str]
    again: set[str]
    """What a second extraction, an hour later, delivered."""
    run_count: int
    """Runs delivered that night."""
    rows: Rows
    """Canonical table -> rows, with names for ids, which differ between servers."""


@dataclass
class Story:
    """What happened: reader -> nights, and how long ago runs were, by the clock of the work."""

    now: int
    nights: dict[str, list[Night]]


def readable(nights: Nights, names: dict[str, str]) -> Rows:
    """Return the staged rows, with the names of runs for their ids and keys."""
    with closing(nights.stage()) as con:
        rows = {table: rows_of(con, f"select * from staging.{table}") for table in TABLES}
    keys = {row["run_key"]: names[row["native_id"]] for row in rows["runs"]}
    for table in TABLES:
        for row in rows[table]:
            row["run_key"] = keys[row["run_key"]]
            for column in ("native_id", "parent_native_id"):
                if row.get(column):
                    row[column] = names[row[column]]
        rows[table].sort(key=repr)
    return rows


def spend_night(connector: Mlflow, nights: Nights, at: datetime, made: dict[str, str]) -> Night:
    before = len(nights.raw("runs"))
    delivered = nights.night(connector, at)
    count = len(nights.raw("runs")) - before
    again = nights.night(connector, at + timedelta(hours=1))
    names = {run_id: name for name, run_id in made.items()}
    return Night(delivered, again, count, readable(nights, names))


@pytest.fixture(scope="module")
def connectors(
    mlflow_on_sqlite: MlflowServer, mlflow_on_postgres: MlflowServer, as_reader: None
) -> dict[str, Mlflow]:
    """Return one connector for each way to read."""
    assert as_reader is None
    login = {"username_env": "TEST_MLFLOW_USER", "password_env": "TEST_MLFLOW_PASSWORD"}
    return {
        "sqlite": Mlflow(mlflow_on_sqlite.store),
        "sqlite_rest": Mlflow(mlflow_on_sqlite.uri),
        "postgres": Mlflow(mlflow_on_postgres.store, **login),  # type: ignore[arg-type]
        "postgres_rest": Mlflow(mlflow_on_postgres.uri, page_size=2),
    }


@pytest.fixture(scope="module")
def as_reader(mlflow_on_postgres: MlflowServer, postgres_server: PostgresServer) -> Any:
    """Make a role that may read MLflow's tables and do nothing else, and put it into the shell."""
    assert mlflow_on_postgres.uri
    with psycopg.connect(postgres_server.uri(with_password=True)) as connection:
        connection.execute("create role reader login password 'only-reads'")
        connection.execute("grant select on all tables in schema public to reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEST_MLFLOW_USER", "reader")
        patch.setenv("TEST_MLFLOW_PASSWORD", "only-reads")
        yield


@pytest.fixture(scope="module")
def story(
    connectors: dict[str, Mlflow],
    mlflow_on_sqlite: MlflowServer,
    mlflow_on_postgres: MlflowServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Story:
    """Spend the three nights, in each way."""
    now = int(time.time() * 1000)
    first = datetime.fromtimestamp(now / 1000, UTC) + timedelta(minutes=1)
    servers = {"sqlite": mlflow_on_sqlite, "postgres": mlflow_on_postgres}
    made = {name: server.work("first_day", now=now) for name, server in servers.items()}
    nights = {reader: Nights(tmp_path_factory.mktemp(reader)) for reader in READERS}
    told: dict[str, list[Night]] = {reader: [] for reader in READERS}

    def spend(at: datetime) -> None:
        for reader, connector in connectors.items():
            ids = made[reader.removesuffix("_rest")]
            told[reader].append(spend_night(connector, nights[reader], at, ids))

    spend(first)
    for name, server in servers.items():
        made[name] |= server.work("later_edits", now=now, runs=made[name])
    spend(first + timedelta(days=1))
    spend(first + timedelta(days=7))
    return Story(now, told)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("night", [0, 1, 2])
def test_every_way_of_reading_gives_the_same_rows(story: Story, reader: str, night: int) -> None:
    assert story.nights[reader][night].rows == story.nights["sqlite"][night].rows


@pytest.mark.parametrize("reader", READERS)
def test_a_night_delivers_what_changed_and_its_repetition_nothing(
    story: Story, reader: str
) -> None:
    first, second, third = story.nights[reader]
    every = {"experiments", "model_versions", "run_inputs", "run_logged_models", "runs"}
    assert first.delivered == every
    assert first.run_count == 8
    # trained (a tag), open (its end), failed (deleted), deleted (restored)
    assert second.run_count == 4
    # old (a tag, five days before the overlap), past (logged with past dates)
    assert third.run_count == 2
    assert [night.again for night in story.nights[reader]] == [set(), set(), set()]


def test_runs_are_told_as_they_were(story: Story) -> None:
    def at(hours: float) -> datetime:
        when = datetime.fromtimestamp(story.now / 1000, UTC) - timedelta(hours=hours)
        return when.replace(tzinfo=None, microsecond=story.now % 1000 * 1000)

    rows = story.nights["sqlite"][0].rows["runs"]
    told = {row["run_name"]: row for row in rows}
    assert {
        name: (row["status"], row["started_at"], row["ended_at"]) for name, row in told.items()
    } == {
        "trained": ("succeeded", at(5), at(1)),
        "failed": ("failed", at(9), at(8)),
        "old": ("succeeded", at(410), at(400)),
        "open": ("running", at(30), None),
        "silent": ("lost", at(60), at(26)),
        "backwards": ("succeeded", at(1), at(2)),
        "deleted": ("succeeded", at(4), at(3)),
        "child": ("cancelled", at(2), at(1)),
    }
    assert {row["user_raw"] for row in rows} == {"ann"}
    assert told["trained"]["team_raw"] == "vision"
    assert told["child"]["parent_native_id"] == "open"
    assert told["child"]["experiment"] == "llm"


def test_places_datasets_and_models_are_told_as_they_were(story: Story) -> None:
    rows = story.nights["postgres_rest"][0].rows
    assert [(row["instance_id"], row["gpu_count"]) for row in rows["run_places"]] == [
        ("i-0a", 8),
        ("i-0b", 8),
    ]
    (read,) = rows["run_inputs"]
    assert (read["dataset_uri"], read["context"]) == ("s3://acme-data/corpus/v1", "training")
    assert read["bytes_read"] == 1024
    assert [row["dataset_uri"] for row in rows["run_outputs"]] == ["s3://acme-data/out/p1"]
    assert [tuple(row.values()) for row in rows["run_models"]] == [
        ("trained", "resnet50", "1"),
        ("trained", "resnet50-eu", "1"),
    ]


def test_late_edits_arrive(story: Story) -> None:
    second = {row["run_name"]: row for row in story.nights["sqlite_rest"][1].rows["runs"]}
    assert second["trained"]["project_raw"] == "search"
    assert second["open"]["status"] == "succeeded"
    assert second["child"]["experiment"] == "language"
    assert second["old"]["project_raw"] is None
    models = story.nights["sqlite_rest"][1].rows["run_models"]
    assert [row["model_name"] for row in models] == ["resnet-50", "resnet50-eu"]
    third = {row["run_name"]: row for row in story.nights["sqlite_rest"][2].rows["runs"]}
    assert third["old"]["project_raw"] == "archive"
    assert third["past"]["experiment"] == "llm2"


def test_no_parameter_is_copied(
    story: Story, connectors: dict[str, Mlflow], tmp_path: Path
) -> None:
    assert story.nights
    for connector in connectors.values():
        nights = Nights(tmp_path)
        nights.night(connector, datetime.now(UTC))
        copied = repr([nights.raw(table.name) for table in Mlflow.tables])
        assert "trained" in copied
        assert "do-not-copy-me" not in copied


def test_more_runs_of_one_millisecond_than_a_page_holds_are_all_read(
    story: Story, mlflow_on_sqlite: MlflowServer, tmp_path: Path
) -> None:
    twins = mlflow_on_sqlite.work("many", now=story.now - 500 * HOUR, count=7)
    nights = Nights(tmp_path)
    nights.night(Mlflow(mlflow_on_sqlite.uri, page_size=3), datetime.now(UTC))
    found = [row["run_id"] for row in nights.raw("runs")]
    assert set(twins.values()) <= set(found)
    assert len(found) == len(set(found))


def test_a_wrong_password_is_refused_without_being_told(
    mlflow_on_postgres: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG", "hunter2")
    login = {"username_env": "TEST_MLFLOW_USER", "password_env": "WRONG"}
    monkeypatch.setenv("TEST_MLFLOW_USER", "reader")
    connector = Mlflow(mlflow_on_postgres.store, **login)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="password authentication") as raised, connector.open():
        pass
    assert "hunter2" not in str(raised.value) + str(raised.value.__notes__)


def test_a_connection_that_breaks_off_costs_a_page_alone(
    story: Story, connectors: dict[str, Mlflow], postgres_server: PostgresServer
) -> None:
    assert story.nights
    with connectors["postgres"].open() as backend:
        runs = backend.runs(0, started=True)
        found = [next(runs).run_id]
        with psycopg.connect(postgres_server.uri(with_password=True)) as owner:
            broken = owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'mlspend'"
            ).fetchall()
        assert broken == [(True,)]
        found += [run.run_id for run in runs]
        assert len(found) == len(set(found)) == 9


def test_postgres_is_only_read_whatever_the_role_may_do(
    mlflow_on_postgres: MlflowServer,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OWNER", postgres_server.user)
    monkeypatch.setenv("OWNER_PASSWORD", postgres_server.password)
    login = {"username_env": "OWNER", "password_env": "OWNER_PASSWORD"}
    connector = Mlflow(mlflow_on_postgres.store, **login)  # type: ignore[arg-type]
    with connector.open() as backend:
        ask = backend.ask  # type: ignore[attr-defined]
        with pytest.raises(SourceError, match="read-only transaction"):
            backend.read(lambda: ask("delete from tags"))  # type: ignore[attr-defined]
