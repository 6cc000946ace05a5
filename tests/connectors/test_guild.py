"""The Guild connector on real runs of Guild, and on folders that are damaged."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.guild import Guild
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.servers.guild_home import GuildHome

pytest_plugins = ["tests.servers.guild_home"]

CANARY = "canary-3f9c"
AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
BEGUN = int(datetime(2026, 10, 3, tzinfo=UTC).timestamp()) * 1_000_000
HOUR = 3_600_000_000


def saved(home: Path, name: str, marks: Sequence[str] = (), **attributes: str) -> Path:
    """Write a run as Guild does, last touched at midnight; return its folder."""
    folder = home / "runs" / name
    (folder / ".guild" / "attrs").mkdir(parents=True)
    (folder / ".guild" / "opref").write_text("guildfile:/srv/search/guild.yml ab12 net train\n")
    given = {"id": name, "initialized": f"{BEGUN}", "started": f"{BEGUN}", "host": "gpu-box-7"}
    for attribute, text in (given | attributes).items():
        (folder / ".guild" / "attrs" / attribute).write_text(text + "\n")
    for mark in marks:
        (folder / ".guild" / mark).write_text("4711")
    for path in (*(folder / ".guild").iterdir(), folder / ".guild"):
        os.utime(path, (BEGUN / 1e6, BEGUN / 1e6))
    return folder


def rows(nights: Nights) -> dict[str, dict[str, Any]]:
    return {row["native_id"]: row for row in nights.rows("guild__runs")}


def test_what_is_no_home_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no folder `runs`") as raised:
        Nights("guild", tmp_path).night(Guild(str(tmp_path / "nowhere")), AT)
    assert "nowhere" in raised.value.__notes__[0]


@pytest.mark.parametrize(
    ("marks", "attributes", "status"),
    [
        (["LOCK"], {}, "running"),
        (["LOCK.remote"], {}, "running"),
        (["STAGED"], {}, "queued"),
        (["PENDING"], {}, "queued"),
        ([], {}, "lost"),
        ([], {"exit_status": "0"}, "succeeded"),
        ([], {"exit_status": "1"}, "failed"),
        ([], {"exit_status": "-15"}, "cancelled"),
        ([], {"exit_status": "-9"}, "failed"),
    ],
)
def test_a_run_is_what_its_folder_says(
    tmp_path: Path, marks: list[str], attributes: dict[str, str], status: str
) -> None:
    saved(tmp_path, "r1", marks, **attributes)
    nights = Nights("guild", tmp_path)
    nights.night(Guild(str(tmp_path)), AT)
    assert rows(nights)["r1"]["status"] == status


def test_a_run_that_writes_nothing_for_a_day_is_lost_and_one_that_vanishes(tmp_path: Path) -> None:
    for name in ("r1", "r2"):
        saved(tmp_path, name, ["LOCK"])
    nights, source = Nights("guild", tmp_path), Guild(str(tmp_path))
    nights.night(source, AT)
    assert nights.night(source, AT + timedelta(hours=1)) == {}
    (tmp_path / "runs" / "r2").rename(tmp_path / "elsewhere")
    assert nights.night(source, AT + timedelta(days=1)) == {"runs": {"r1", "r2"}}
    for row in rows(nights).values():
        assert (row["status"], row["ended_at"]) == ("lost", datetime(2026, 10, 3))  # noqa: DTZ001


def test_a_run_that_vanishes_within_the_second_it_was_read_in_is_lost(tmp_path: Path) -> None:
    saved(tmp_path, "r1", ["STAGED"])
    nights, source = Nights("guild", tmp_path), Guild(str(tmp_path))
    nights.night(source, AT + timedelta(milliseconds=200))
    (tmp_path / "runs" / "r1").rename(tmp_path / "elsewhere")
    nights.night(source, AT + timedelta(milliseconds=900))
    assert rows(nights)["r1"]["status"] == "lost"


def test_what_signs_an_address_is_left_out(tmp_path: Path) -> None:
    uri = f"https://ann:{CANARY}@acme.example/img.zip?X-Amz-Signature={CANARY}"
    saved(
        tmp_path, "r1", deps=f"img:\n  img:\n    uri: {uri}\nop:\n  op:\n    uri: operation:prepare"
    )
    nights = Nights("guild", tmp_path)
    nights.night(Guild(str(tmp_path)), AT)
    (used,) = nights.rows("guild__run_inputs")
    assert used["dataset_uri"] == "https://acme.example/img.zip"
    assert CANARY not in nights.raw_text()


def test_the_environment_is_never_opened(tmp_path: Path) -> None:
    """A pipe stands in its place: who opens it waits for ever."""
    folder = saved(tmp_path, "r1", exit_status="0", stopped=f"{BEGUN + HOUR}")
    for secret in ("env", "cmd", "op"):
        os.mkfifo(folder / ".guild" / "attrs" / secret)
    nights = Nights("guild", tmp_path)
    nights.night(Guild(str(tmp_path)), AT)
    assert rows(nights)["r1"]["ended_at"].hour == 1


@pytest.mark.parametrize(
    ("attribute", "text", "said"),
    [
        ("started", "[", "not YAML"),
        ("started", "soon", "no whole number"),
        ("tags", "\t", "not YAML"),
    ],
)
def test_a_damaged_run_is_told_and_holds_up_no_other(
    tmp_path: Path, attribute: str, text: str, said: str
) -> None:
    saved(tmp_path, "r1", exit_status="0", **{attribute: text})
    saved(tmp_path, "r2", exit_status="0")
    nights, source = Nights("guild", tmp_path), Guild(str(tmp_path))
    with pytest.raises(SourceError, match=said.replace("no whole", "not a whole")) as raised:
        nights.night(source, AT)
    assert f"r1/.guild/attrs/{attribute}" in raised.value.__notes__[0]
    assert {name: row["status"] for name, row in rows(nights).items()} == {
        "r1": "succeeded",
        "r2": "succeeded",
    }


@pytest.mark.servers
def test_runs_of_guild_are_read_with_whose_they_are_and_without_their_environment(
    guild_home: GuildHome, tmp_path: Path
) -> None:
    flags = ["lr=0.2", "mlflow_run_id=8f3c", f"api_key={CANARY}"]
    words = ["--label", "team:vision first", "--tag", "finops.user:bob", "--gpus", "0,1"]
    guild_home.run("train", *flags, *words, SECRET_TOKEN=CANARY)
    guild_home.run("train", "lr=9", f"api_key={CANARY}", code=3)
    guild_home.run("train", "lr=[0.1,0.3]")
    nights, source = Nights("guild", tmp_path), Guild(str(guild_home.root))
    nights.night(source, datetime.now(UTC))
    told = sorted(rows(nights).values(), key=lambda row: row["started_at"])
    assert [row["status"] for row in told] == ["succeeded", "failed", *["succeeded"] * 3]
    first, failed, batch, *trials = told
    assert (first["run_name"], first["project_raw"]) == ("net:train", "search")
    assert (first["user_raw"], first["team_raw"]) == ("bob", "vision")
    assert (first["gpu_count"], len(first["code_sha"]), first["code_is_dirty"]) == (2, 40, False)
    assert first["started_at"] < first["ended_at"] <= failed["started_at"]
    assert (failed["user_raw"], failed["status_raw"]) == ("ann", "error 3")
    assert (batch["kind"], batch["run_name"], batch["project_raw"]) == (
        "pipeline",
        "net:train",
        "search",
    )
    assert {trial["parent_native_id"] for trial in trials} == {batch["native_id"]}
    assert {place["node"] for place in nights.rows("guild__run_places")} == {os.uname().nodename}
    tagged = [row["tags"].get("mlflow_run_id") for row in nights.rows("guild__run_tags")]
    assert tagged.count("8f3c") == 1
    assert {used["dataset_name"] for used in nights.rows("guild__run_inputs")} == {"images.csv"}
    saved_env = guild_home.root / "runs" / first["native_id"] / ".guild" / "attrs" / "env"
    assert CANARY in saved_env.read_text()
    label = guild_home.root / "runs" / failed["native_id"] / ".guild" / "attrs" / "label"
    assert CANARY in label.read_text()
    assert CANARY not in nights.raw_text() + str(nights.cursors)
    assert nights.night(source, datetime.now(UTC)) == {}


@pytest.mark.servers
def test_what_is_stopped_restarted_and_deleted_is_followed_night_by_night(
    guild_home: GuildHome, tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    nights, source = Nights("guild", tmp_path), Guild(str(guild_home.root))
    child = guild_home.command("run", "train", "--yes", HOLD=str(hold))
    folder = guild_home.wait("LOCK")
    nights.night(source, datetime.now(UTC))
    (run,) = rows(nights).values()
    assert (run["native_id"], run["status"], run["ended_at"]) == (folder.name, "running", None)
    guild_home.manage("stop", folder.name)
    child.communicate(timeout=60)
    assert nights.night(source, datetime.now(UTC)) == {"runs": {folder.name}}
    assert rows(nights)[folder.name]["status"] == "cancelled"

    hold.unlink()
    guild_home.run("--restart", folder.name)
    guild_home.run("train", "--stage")
    staged = guild_home.wait("STAGED")
    nights.night(source, datetime.now(UTC))
    attempts = {(row["native_id"], row["attempt"]): row for row in nights.rows("guild__runs")}
    assert {key: row["status"] for key, row in attempts.items()} == {
        (folder.name, 1): "cancelled",
        (folder.name, 2): "succeeded",
        (staged.name, 1): "queued",
    }
    assert attempts[folder.name, 1]["ended_at"] <= attempts[folder.name, 2]["started_at"]

    time.sleep(0.01)
    guild_home.run("train", "lr=0.3")
    guild_home.manage("delete")
    assert not list((guild_home.root / "runs").iterdir())
    nights.night(source, datetime.now(UTC))
    assert len(nights.rows("guild__runs")) == 4  # one that was deleted before it was ever read
    guild_home.manage("purge")
    nights.night(source, datetime.now(UTC))
    statuses = sorted(row["status"] for row in nights.rows("guild__runs"))
    assert statuses == ["cancelled", "lost", "succeeded", "succeeded"]
