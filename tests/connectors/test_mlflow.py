"""The MLflow connector on a SQLite store: what is delivered on which night, and what is not."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import SourceError
from connectors.mlflow import Mlflow
from connectors.mlflow_db import PAGE, open_sqlite
from tests.connectors.mlflow_nights import DAY, HOUR, Nights, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST = datetime(2026, 10, 3, 2, tzinfo=UTC)
NOW = int(FIRST.timestamp() * 1000)


def after(days: float) -> datetime:
    return FIRST + timedelta(days=days)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "mlflow.db")
    with closing(made.connection):
        yield made


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


@pytest.fixture
def mlflow(store: Store) -> Mlflow:
    return Mlflow(f"sqlite:///{store.path}")


def test_the_first_night_delivers_everything_under_the_time_of_extraction(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("ancient", NOW - 900 * DAY, NOW - 899 * DAY)
    store.run("young", NOW - 2 * HOUR, NOW - HOUR, team="vision")
    assert nights.night(mlflow, FIRST) == {"experiments", "runs"}
    assert {one.unit for one in nights.landed} == {"2026-10-03T02:00:00Z"}
    assert [row["run_id"] for row in nights.raw("runs")] == ["ancient", "young"]
    assert nights.raw("runs")[1]["tags"] == [{"key": "team", "value": "vision"}]


def test_a_night_without_changes_delivers_nothing(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("done", NOW - 2 * HOUR, NOW - HOUR)
    store.run("going", NOW - 2 * HOUR, status="RUNNING")
    store.insert("model_versions", "resnet", 1, "done", "s3://x", "None", NOW - HOUR, NOW - HOUR)
    nights.night(mlflow, FIRST)
    for days in (0.5, 0.9):
        assert nights.night(mlflow, after(days)) == set()


def test_only_what_changed_is_delivered_again(store: Store, nights: Nights, mlflow: Mlflow) -> None:
    for name in ("a", "b", "c"):
        store.run(name, NOW - 2 * DAY, NOW - DAY)
    nights.night(mlflow, FIRST)
    store.tag("b", "project", "search")
    store.run("d", NOW + HOUR, NOW + 2 * HOUR)
    store.update("c", lifecycle_stage="deleted")
    assert nights.night(mlflow, after(1)) == {"runs"}
    assert [row["run_id"] for row in nights.raw("runs")[3:]] == ["b", "c", "d"]
    assert nights.raw("runs")[4]["lifecycle_stage"] == "deleted"


def test_an_edit_older_than_the_overlap_waits_for_the_weekly_scan(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("old", NOW - 20 * DAY, NOW - 19 * DAY)
    nights.night(mlflow, FIRST)
    store.tag("old", "team", "nlp")
    assert nights.night(mlflow, after(1)) == set()
    assert nights.night(mlflow, after(7)) == {"runs"}
    assert nights.night(mlflow, after(8)) == set()


def test_a_scan_every_night_finds_such_an_edit_at_once(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    scanning = Mlflow(mlflow.root, rescan_every_days=0)
    store.run("old", NOW - 20 * DAY, NOW - 19 * DAY)
    nights.night(scanning, FIRST)
    store.tag("old", "team", "nlp")
    assert nights.night(scanning, after(1)) == {"runs"}


def test_a_run_logged_with_past_dates_is_found_by_the_weekly_scan(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("first", NOW - HOUR, NOW)
    nights.night(mlflow, FIRST)
    store.run("imported", NOW - 20 * DAY, NOW - 19 * DAY)
    store.run("without_end", NOW - 20 * DAY, status="FAILED")
    assert nights.night(mlflow, after(1)) == set()
    assert nights.night(mlflow, after(7)) == {"runs"}
    assert [row["run_id"] for row in nights.raw("runs")] == ["first", "imported", "without_end"]


def test_the_first_night_looks_back_as_far_as_configured_and_further_later(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    for days in (5, 20, 60, 200):
        store.run(f"{days:03}_days_ago", NOW - days * DAY, NOW - days * DAY + HOUR)

    def known() -> list[str]:
        return sorted({str(row["run_id"])[:3] for row in nights.raw("runs")})

    shallow = Mlflow(mlflow.root, backfill_days=10)
    nights.night(shallow, FIRST)
    assert known() == ["005"]
    assert nights.night(shallow, after(8)) == set()  # nor does the weekly scan look further back
    nights.night(Mlflow(mlflow.root, backfill_days=100), after(9))
    assert known() == ["005", "020", "060"]
    assert nights.night(Mlflow(mlflow.root, backfill_days=10), after(10)) == set()
    nights.night(mlflow, after(11))
    assert known() == ["005", "020", "060", "200"]


def test_a_run_known_to_be_open_is_found_though_it_ended_with_a_past_date(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("going", NOW - 30 * DAY, status="RUNNING")
    nights.night(mlflow, FIRST)
    store.update("going", status="KILLED", end_time=NOW - 29 * DAY)
    assert nights.night(mlflow, after(1)) == {"runs"}
    assert nights.raw("runs")[-1]["status"] == "KILLED"


def test_an_open_run_that_is_gone_from_mlflow_stops_nothing(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("going", NOW - HOUR, status="RUNNING")
    nights.night(mlflow, FIRST)
    store.connection.execute("delete from runs")
    assert nights.night(mlflow, after(1)) == set()


def test_a_run_that_falls_silent_is_delivered_once_more_and_is_lost(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("going", NOW - 5 * HOUR, status="RUNNING")
    store.metric("going", NOW - 2 * HOUR)
    nights.night(mlflow, FIRST)
    assert nights.rows("runs", "status, ended_at") == [{"status": "running", "ended_at": None}]
    assert nights.night(mlflow, after(0.9)) == set()
    assert nights.night(mlflow, after(1)) == {"runs"}
    last_seen = after(-2 / 24).replace(tzinfo=None)
    assert nights.rows("runs", "status, ended_at") == [{"status": "lost", "ended_at": last_seen}]
    assert nights.night(mlflow, after(2)) == set()
    store.metric("going", NOW + 2 * DAY)
    assert nights.night(mlflow, after(2.1)) == {"runs"}
    assert nights.rows("runs", "status, ended_at") == [{"status": "running", "ended_at": None}]


def test_a_dataset_that_a_run_no_longer_lists_is_gone(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("done", NOW - 2 * HOUR, NOW - HOUR)
    for name in ("a", "b"):
        store.dataset("done", name, json.dumps({"uri": f"s3://data/{name}"}))
    nights.night(mlflow, FIRST)
    assert [row["dataset_name"] for row in nights.rows("run_inputs")] == ["a", "b"]
    store.connection.execute("delete from inputs where source_id = 'd-a'")
    assert nights.night(mlflow, after(1)) == {"runs", "run_inputs"}
    assert [row["dataset_name"] for row in nights.rows("run_inputs")] == ["b"]


def test_a_night_killed_before_its_runs_landed_is_made_up_for(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("done", NOW - 2 * HOUR, NOW - HOUR)
    store.dataset("done", "a", json.dumps({"uri": "s3://data/a"}))
    nights.night(mlflow, FIRST, killed_before="runs")
    assert nights.rows("run_inputs") == []
    assert nights.night(mlflow, after(0.1)) == {"runs", "run_inputs"}
    assert [row["dataset_name"] for row in nights.rows("run_inputs")] == ["a"]


def test_months_without_a_night_lose_nothing(store: Store, nights: Nights, mlflow: Mlflow) -> None:
    store.run("first", NOW - 2 * HOUR, NOW - HOUR)
    nights.night(mlflow, FIRST)
    store.run("meanwhile", NOW + 10 * DAY, NOW + 11 * DAY)
    nights.night(mlflow, after(100))
    assert [row["run_id"] for row in nights.raw("runs")] == ["first", "meanwhile"]
    assert nights.night(mlflow, after(101)) == set()


def test_a_run_that_was_committed_after_the_extraction_is_seen_the_next_night(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("first", NOW - 2 * HOUR, NOW - HOUR)
    nights.night(mlflow, FIRST)
    store.run("late", NOW - 2 * HOUR, NOW - HOUR)
    assert nights.night(mlflow, after(1)) == {"runs"}


def test_the_cursor_holds_twelve_bytes_for_each_run_of_the_window_and_none_for_older_ones(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    nights.night(mlflow, FIRST)
    store.run("one", NOW - 3 * HOUR, NOW)
    nights.night(mlflow, after(0.1))
    small = len(nights.cursors["runs"])
    for number in range(300):
        store.run(f"young{number}", NOW - 3 * HOUR, NOW)
        store.run(f"ancient{number}", NOW - 90 * DAY, NOW - 89 * DAY)
    nights.night(mlflow, after(7))
    assert len(nights.raw("runs")) == 301
    assert len(nights.cursors["runs"]) == small + 300 * 16


def test_a_cursor_of_another_format_means_that_everything_is_delivered_anew(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("done", NOW - 90 * DAY, NOW - 89 * DAY)
    nights.night(mlflow, FIRST)
    nights.cursors["runs"] = json.dumps({"format": 0})
    assert nights.night(mlflow, after(1)) == {"runs"}


def test_pages_are_walked_to_the_end(store: Store, nights: Nights, mlflow: Mlflow) -> None:
    count = 2 * PAGE + 1
    store.connection.execute("begin")
    for number in range(count):
        store.run(f"r{number:05}", NOW - 2 * HOUR, NOW - HOUR, team="vision")
    store.connection.execute("commit")
    nights.night(mlflow, FIRST)
    assert len({row["run_id"] for row in nights.raw("runs")}) == count


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_mlflow_may_write_while_its_runs_are_read(
    store: Store, mlflow: Mlflow, journal: str
) -> None:
    store.connection.execute(f"pragma journal_mode = {journal}")
    store.connection.execute("begin")
    for number in range(PAGE + 10):
        store.run(f"r{number:05}", NOW - 2 * HOUR, NOW - HOUR)
    store.connection.execute("commit")
    with mlflow.open() as backend:
        runs = backend.runs(0, started=True)
        next(runs)
        store.run("z", NOW - 2 * HOUR, NOW - HOUR)
        assert [run.run_id for run in runs][-1] == "z"


def test_the_store_is_opened_for_reading_alone(store: Store) -> None:
    with (
        open_sqlite(store.path, where="here", timeout_seconds=1) as database,
        pytest.raises(SourceError, match="readonly database"),
    ):
        database.read(lambda: database.ask("delete from runs"))


def test_a_torn_store_is_to_be_copied_again(store: Store, tmp_path: Path) -> None:
    for number in range(400):
        store.run(f"run-{number}", NOW - 2 * HOUR, NOW - HOUR, team="vision")
    whole, torn, text = store.path.read_bytes(), tmp_path / "torn.db", tmp_path / "text.db"
    torn.write_bytes(whole[: len(whole) // 2])
    text.write_text("no database at all\n" * 100, encoding="utf-8")
    for path, said in ((torn, "malformed"), (text, "not a database")):
        with pytest.raises(SourceError, match=said) as raised, Mlflow(str(path)).open() as backend:
            list(backend.runs(0, started=True))
        (fix,) = (note for note in raised.value.__notes__ if note.startswith("fix: "))
        assert '".backup copy.db"' in fix
        assert "what was read before stays in force" in fix


def test_tags_that_hold_code_or_bulk_are_left_out(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    store.run("done", NOW - 2 * HOUR, NOW - HOUR, team="vision")
    store.tag("done", "mlflow.source.git.diff", "+ password = 'hunter2'")
    nights.night(mlflow, FIRST)
    assert nights.raw("runs")[0]["tags"] == [{"key": "team", "value": "vision"}]


def test_a_database_that_lacks_a_column_is_refused_by_name(store: Store, mlflow: Mlflow) -> None:
    store.connection.execute("alter table runs rename column lifecycle_stage to stage")
    with pytest.raises(SourceError, match=r"it has no runs\.lifecycle_stage"), mlflow.open():
        pass


@pytest.mark.parametrize(
    ("root", "what"),
    [
        ("sqlite:////nowhere/mlflow.db", "there is no such file"),
        ("mysql://host/mlflow", "begins with mysql://, which is not read"),
        ("https://ann:hunter2@mlflow.example", "holds credentials"),
        ("postgresql://ann:hunter2@host/mlflow", "holds credentials"),
    ],
)
def test_a_root_that_cannot_be_read_is_refused_without_its_secrets(root: str, what: str) -> None:
    connector = Mlflow(root)
    with pytest.raises(SourceError, match=what) as raised, connector.open():
        pass
    assert "hunter2" not in repr(connector) + str(raised.value) + str(raised.value.__notes__)


def test_a_secret_that_is_not_in_the_environment_is_asked_for(store: Store) -> None:
    connector = Mlflow("https://mlflow.example", token_env="NO_SUCH_VARIABLE")  # noqa: S106
    with pytest.raises(SourceError, match="NO_SUCH_VARIABLE is not set"), connector.open():
        pass
    assert store.path.exists()


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["log", "tag", "end", "metric", "delete", "dataset", "forget", "night"]),
        st.integers(0, 3),
        st.integers(-30, 0),
    ),
    max_size=14,
)


def edit(store: Store, what: str, which: int, days: int, now: int) -> None:
    """Do one thing to one of four runs, `days` ago."""
    run_id, at = f"r{which}", now + days * DAY
    is_there = store.connection.execute("select 1 from runs where run_uuid = ?", (run_id,))
    if what == "log" and is_there.fetchone() is None:
        store.run(run_id, at, status="RUNNING")
    elif what == "tag":
        store.tag(run_id, "team", f"team{days}")
    elif what == "end":
        store.update(run_id, status="FINISHED", end_time=at)
    elif what == "metric":
        store.metric(run_id, at)
    elif what == "delete":
        store.update(run_id, lifecycle_stage="deleted")
    elif what == "dataset":
        store.dataset(run_id, f"{days}", f"s3://data/{days}")
    elif what == "forget":
        store.connection.execute("delete from inputs where destination_id = ?", (run_id,))


@settings(max_examples=20, deadline=None)
@given(EDITS)
def test_whatever_is_edited_between_nights_they_add_up_to_one_fresh_extraction(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("nights")
    store = Store(folder / "mlflow.db")
    connector = Mlflow(str(store.path), rescan_every_days=0)
    nights, fresh = Nights(folder), Nights(folder)
    day = 0
    for what, which, days in [*edits, ("night", 0, 0)]:
        if what == "night":
            day += 1
            nights.night(connector, after(day))
        else:
            edit(store, what, which, days, NOW + day * DAY)
    fresh.night(connector, after(day))
    store.connection.close()
    for table in ("runs", "run_inputs"):
        assert nights.rows(table) == fresh.rows(table)


def test_the_weekly_scan_finds_whatever_was_deleted_once(
    store: Store, nights: Nights, mlflow: Mlflow
) -> None:
    """However old: its files lie there still, and cost."""
    store.run("ancient", NOW - 900 * DAY, NOW - 899 * DAY)
    nights.night(mlflow, FIRST)
    store.update("ancient", lifecycle_stage="deleted")
    assert nights.night(mlflow, after(1)) == set()
    assert nights.night(mlflow, after(7)) == {"runs"}
    assert nights.raw("runs")[-1]["lifecycle_stage"] == "deleted"
    for days in (8, 14, 21):
        assert nights.night(mlflow, after(days)) == set()
