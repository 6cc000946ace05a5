"""A night with many new runs asks MLflow no more than it needs to, in each way of reading."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from connectors.mlflow import Mlflow
from connectors.tally import counting
from tests.connectors.mlflow_nights import Nights
from tests.servers.mlflow_rows import insert_runs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.mlflow_server import MlflowServer
    from tests.servers.postgres import PostgresServer

pytest_plugins = ["tests.servers.mlflow_server"]
pytestmark = [pytest.mark.servers]
COUNT = 5000
MOST = {
    # what there is to know of the server, experiments, versions of models, two searches for open
    # runs, and a page of 1,000 runs at a time: each page begins with the last run of the one before
    "server": 1 + 1 + 1 + 2 + 6,
    # the columns of seven tables, experiments, versions of models; per page the runs, their tags,
    # datasets and these' tags, models, and metrics where a run is open; and the end of the pages
    "database": 7 + 1 + 1 + 6 * 6 + 1,
}
MANY = 100_000


def test_a_night_of_5000_new_runs_asks_as_often_as_it_has_to(
    mlflow_on_sqlite: MlflowServer, tmp_path: Path
) -> None:
    server = mlflow_on_sqlite
    now = int(time.time() * 1000)
    server.work("first_day", now=now)
    sources = {"server": Mlflow(server.uri), "database": Mlflow(server.store)}
    nights = {way: Nights(tmp_path / way) for way in sources}
    yesterday = datetime.fromtimestamp(now / 1000, UTC)
    for way, source in sources.items():
        nights[way].folder.mkdir()
        nights[way].night(source, yesterday)
    insert_runs(server, None, COUNT, experiment=1, now=now + 22 * 3_600_000)
    for way, source in sources.items():
        before = len(nights[way].raw("runs"))
        with counting() as tally:
            nights[way].night(source, yesterday + timedelta(days=1))
        landed = nights[way].raw("runs")
        # besides the new ones the run that gives no sign for a day is told again
        assert len(landed) - before == COUNT + 1, way
        assert len({row["run_id"] for row in landed}) == COUNT + 8, way
        assert tally.requests <= MOST[way], way
        with counting() as idle:
            assert nights[way].night(source, yesterday + timedelta(days=1, hours=1)) == set()
        assert idle.requests <= MOST[way] + 1, way


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_night_of_100000_new_runs_takes_minutes(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: str
) -> None:
    server: MlflowServer = request.getfixturevalue(f"mlflow_on_{store}")
    postgres: PostgresServer | None = None
    if store == "postgres":
        postgres = request.getfixturevalue("postgres_server")
        monkeypatch.setenv("OWNER", postgres.user)
        monkeypatch.setenv("OWNER_PASSWORD", postgres.password)
    login = {"username_env": "OWNER", "password_env": "OWNER_PASSWORD"} if postgres else {}
    database = Mlflow(server.store, **login)  # type: ignore[arg-type]
    sources = {"database": database, "server": Mlflow(server.uri)}
    nights = {way: Nights(tmp_path / way) for way in sources}
    now = int(time.time() * 1000)
    server.work("many", now=now, count=1)
    yesterday = datetime.fromtimestamp(now / 1000, UTC)
    for way, source in sources.items():
        nights[way].folder.mkdir()
        nights[way].night(source, yesterday)
    insert_runs(server, postgres, MANY, experiment=1, now=now + 22 * 3_600_000)
    for way, source in sources.items():
        begun, cpu = time.monotonic(), time.process_time()
        with counting() as tally:
            nights[way].night(source, yesterday + timedelta(days=1))
        seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
        print(  # noqa: T201  (what is written down in tests/bench/RESULTS.md)
            f"{store} by {way}: {MANY:,} new runs in {seconds:.0f} s, {cpu:.0f} s cpu of ours, "
            f"{tally.requests:,} requests, cursor {len(nights[way].cursors['runs']):,} bytes",
            flush=True,
        )
        assert len({row["run_id"] for row in nights[way].raw("runs")}) >= MANY
        # a page of 1,000 runs is one request, or five statements; what else there is takes 30
        assert tally.requests <= (140 if way == "server" else 550)
        assert seconds < 1800
