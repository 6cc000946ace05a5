"""The Polyaxon connector on Polyaxon's own server, and on one that answers badly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.polyaxon import Polyaxon
from tests.connectors.run_nights import Nights
from tests.servers.platforms import CANARY, Platform, page, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.polyaxon_server import PolyaxonServer

pytest_plugins = ["tests.servers.polyaxon_server"]

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
OF = "/api/v1/acme/"
NOWHERE = 404, {"detail": "No Run matches the given query."}
RUN: dict[str, Any] = {
    "uuid": "03a62477871344739c15c441e4f4813a",
    "name": "train",
    "created_at": "2026-10-03T00:00:00.227806Z",
    "updated_at": "2026-10-03T01:00:00.717435Z",
    "started_at": "2026-10-03T00:10:00.609001Z",
    "finished_at": "2026-10-03T01:00:00.717223Z",
    "kind": "job",
    "runtime": "pytorchjob",
    "status": "succeeded",
    "pipeline": {"uuid": "1e84e9bb63904796a1606bb95f0cd409", "name": "sweep", "kind": "matrix"},
    "inputs": {"key": CANARY},
    "content": CANARY,
    "tags": ["team:vision", "mlflow_run_id:8f3c", "plain"],
    "settings": {"namespace": "polyaxon"},
    "user": "ann",
    "resources": {"gpu": 2.0},
}


def polyaxon(runs: list[dict[str, Any]]) -> Platform:
    """Return a server with one project, which gives no more than two things at once."""

    def route(path: str, query: dict[str, str]) -> tuple[int, Any] | None:
        things: list[dict[str, Any]] = [{"name": "vision"}]
        if path == f"{OF}vision/runs":
            since = query.get("query", "").partition(">=")[2]
            things = [run for run in runs if run["updated_at"] >= since]
        elif path != f"{OF}projects/list":
            found = [run for run in runs if path == f"{OF}vision/runs/{run['uuid']}"]
            return (200, found[0]) if found else None
        told, more = page(things, query["offset"], min(int(query["limit"]), 2))
        return 200, {"count": len(things), "results": told, "next": more or None}

    return Platform(route, absent=NOWHERE)


@pytest.fixture
def runs() -> list[dict[str, Any]]:
    return [dict(RUN)]


@pytest.fixture
def server(runs: list[dict[str, Any]]) -> Iterator[Platform]:
    with serving(polyaxon(runs)) as there:
        yield there


def test_a_run_is_told_with_its_tags_and_without_its_secrets(
    server: Platform, tmp_path: Path
) -> None:
    nights = Nights("polyaxon", tmp_path)
    assert nights.night(Polyaxon(server.address, owner="acme"), AT) == {
        "runs": {f"vision/{RUN['uuid']}"}
    }
    (run,) = nights.rows("polyaxon__runs")
    assert (run["native_id"], run["parent_native_id"]) == (RUN["uuid"], RUN["pipeline"]["uuid"])
    assert (run["user_raw"], run["team_raw"], run["project_raw"]) == ("ann", "vision", "vision")
    assert (run["status"], run["kind"], run["gpu_count"]) == ("succeeded", "training", 2)
    (told,) = nights.rows("polyaxon__run_tags")
    assert told["tags"]["mlflow_run_id"] == "8f3c"
    assert CANARY not in nights.raw_text()


def test_pages_are_all_read_and_a_night_asks_for_what_changed(
    server: Platform, runs: list[dict[str, Any]], tmp_path: Path
) -> None:
    runs[:] = [{**RUN, "uuid": f"{number:032x}"} for number in range(5)]
    nights, source = Nights("polyaxon", tmp_path), Polyaxon(server.address, owner="acme")
    assert len(nights.night(source, AT)["runs"]) == 5
    server.asked.clear()
    assert nights.night(source, AT + timedelta(days=3)) == {}
    asked = {query.get("query") for path, query in server.asked if path.endswith("/runs")}
    assert asked == {"updated_at:>=2026-10-02T01:55:00Z"}
    runs[3] |= {"updated_at": "2026-10-06T01:00:00Z", "tags": ["team:search"]}
    assert nights.night(source, AT + timedelta(days=4)) == {"runs": {f"vision/{3:032x}"}}


def test_a_run_that_is_deleted_while_it_goes_on_is_lost(
    server: Platform, runs: list[dict[str, Any]], tmp_path: Path
) -> None:
    runs[0] |= {"status": "running", "finished_at": None}
    nights, source = Nights("polyaxon", tmp_path), Polyaxon(server.address, owner="acme")
    nights.night(source, AT)
    runs[0]["live_state"] = -1
    runs[0]["updated_at"] = "2026-09-01T00:00:00Z"
    nights.night(source, AT + timedelta(days=2))
    (run,) = nights.rows("polyaxon__runs")
    assert (run["status"], run["ended_at"]) == ("lost", AT.replace(tzinfo=None))
    runs.clear()
    assert nights.night(source, AT + timedelta(days=3)) == {}


@pytest.mark.parametrize("fault", [429, 503, "half"])
def test_what_passes_is_asked_again(server: Platform, tmp_path: Path, fault: int | str) -> None:
    server.faults = [fault]
    source = Polyaxon(server.address, owner="acme")
    assert len(Nights("polyaxon", tmp_path).night(source, AT)["runs"]) == 1


def test_a_token_is_sent_and_shown_nowhere(
    server: Platform,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("POLYAXON_FOR_TEST", CANARY)
    source = Polyaxon(server.address, owner="acme", bearer_env="POLYAXON_FOR_TEST")
    server.credentials = {"authorization": f"Token {CANARY}"}
    nights = Nights("polyaxon", tmp_path)
    assert len(nights.night(source, AT)["runs"]) == 1
    server.credentials = {"authorization": "Token another"}
    with pytest.raises(SourceError, match="Polyaxon answers 401") as raised:
        nights.night(source, AT)
    said = "\n".join([str(raised.value), *raised.value.__notes__])
    assert "bearer_env" in said
    assert CANARY not in said + repr(source) + caplog.text + str(nights.cursors)


def test_a_proxy_that_knows_nothing_of_a_run_does_not_end_it(
    server: Platform, runs: list[dict[str, Any]], tmp_path: Path
) -> None:
    runs[0] |= {"status": "running", "finished_at": None}
    nights, source = Nights("polyaxon", tmp_path), Polyaxon(server.address, owner="acme")
    nights.night(source, AT)
    runs.clear()
    server.absent = 404, {}
    with pytest.raises(SourceError, match="Polyaxon answers 404"):
        nights.night(source, AT + timedelta(days=1))


@pytest.mark.parametrize("root", ["polyaxon.example", "https://ann:hunter2@polyaxon.example"])
def test_an_address_that_will_not_do_is_told(tmp_path: Path, root: str) -> None:
    with pytest.raises(SourceError, match="not an address") as raised:
        Nights("polyaxon", tmp_path).night(Polyaxon(root), AT)
    assert "hunter2" not in "".join(raised.value.__notes__)


@pytest.mark.servers
def test_nights_on_a_real_polyaxon(polyaxon_server: PolyaxonServer, tmp_path: Path) -> None:
    polyaxon_server.ask("POST", "projects/create", {"name": "vision"})
    done, goes_on, deleted = (
        polyaxon_server.start_run("vision", name, "team:vision", "mlflow_run_id:8f3c")
        for name in ("done", "goes-on", "deleted")
    )
    for run in (done, goes_on, deleted):
        polyaxon_server.set_status("vision", run, "running")
    polyaxon_server.set_status("vision", done, "succeeded")
    nights, source = Nights("polyaxon", tmp_path), Polyaxon(polyaxon_server.root, page_size=2)
    at = datetime.now(UTC)
    keys = {f"vision/{run}" for run in (done, goes_on, deleted)}
    assert nights.night(source, at) == {"runs": keys}
    told = {row["native_id"]: row for row in nights.rows("polyaxon__runs")}
    assert [told[run]["status"] for run in (done, goes_on)] == ["succeeded", "running"]
    assert (told[done]["team_raw"], told[done]["project_raw"]) == ("vision", "vision")
    assert told[done]["started_at"] <= told[done]["ended_at"]
    assert nights.night(source, at + timedelta(seconds=1)) == {}

    polyaxon_server.set_status("vision", goes_on, "failed")
    polyaxon_server.ask("DELETE", f"vision/runs/{deleted}")
    changed = {f"vision/{run}" for run in (goes_on, deleted)}
    assert nights.night(source, at + timedelta(seconds=2)) == {"runs": changed}
    told = {row["native_id"]: row for row in nights.rows("polyaxon__runs")}
    assert [told[run]["status"] for run in (goes_on, deleted)] == ["failed", "lost"]
    assert nights.night(source, at + timedelta(days=30)) == {}
    tagged = [row for row in nights.rows("polyaxon__run_tags") if "mlflow_run_id" in row["tags"]]
    assert len(tagged) == 3
    assert CANARY not in nights.raw_text()
