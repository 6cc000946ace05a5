"""`mlspend doctor`: what is wrong is found, with its fix; what is well is left alone."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from jobs.journal import VERSION
from jobs.lock import locked
from tests.jobs.nights import FOCUS, make_home, run
from tests.jobs.test_restore import damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def findings(home: Path, **environment: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the exit code, and what each check found, the worst where it found several things."""
    done = run(home, "doctor", "--json", **environment)
    found: dict[str, dict[str, str]] = {}
    order = ("ok", "warning", "wrong")
    for row in json.loads(done.stdout):
        before = found.get(row["check"])
        if before is None or order.index(before["verdict"]) < order.index(row["verdict"]):
            found[row["check"]] = row
    return done.returncode, found


def state_of(home: Path) -> dict[str, tuple[int, bytes]]:
    """Return what lies in the state folder, but for what SQLite keeps beside a journal in use."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in (home / "state").rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_a_sound_state_is_told_as_one_and_left_as_it_is(home: Path) -> None:
    run(home)
    before = state_of(home)
    code, found = findings(home)
    assert code == 0, found
    assert state_of(home) == before
    for check in ("python", "config file", "state_dir", "locks", "disk", "clock", "generations"):
        assert found[check]["verdict"] == "ok", found[check]
    assert found["journal"]["told"] == "whole"
    assert found["backups"]["told"].startswith("1 sound")
    assert found["source focus"]["told"] == "reachable, nothing new"
    told = run(home, "doctor").stdout
    assert told.splitlines()[0].startswith("ok       python")


def test_each_thing_that_is_wrong_is_found_and_has_a_fix(home: Path) -> None:
    state = home / "state"
    damage(state / "journal.sqlite")
    shutil.copy(state / "journal.sqlite", state / "backups" / "journal-2026-01-01.sqlite")
    (database,) = (state / "generations").glob("*.duckdb")
    database.chmod(0o644)
    data = bytearray(database.read_bytes())
    for place in range(20_000, len(data), 4096):
        data[place] ^= 0xFF
    database.write_bytes(data)
    late = time.time() + 3600
    os.utime(database, (late, late))
    config = home / "mlspend.toml"
    config.write_text(
        FOCUS + '[connectors.aws_cur]\nroot = "gone"\n[connectors.mlflow]\n'
        'root = "http://127.0.0.1:9"\ntoken_env = "NOT_SET"\n[engine]\nmemory_limit = "90000GB"\n',
        encoding="utf-8",
    )
    config.chmod(0o666)
    code, found = findings(home)
    assert code == 1
    for check in (
        "journal",
        "backups",
        "generations",
        "clock",
        "config file",
        "secrets",
        "source aws_cur",
        "source mlflow",
    ):
        assert found[check]["verdict"] == "wrong", check
        assert found[check]["fix"], check
    assert "mlspend restore" in found["journal"]["fix"]
    assert "60 minutes behind" in found["clock"]["told"]
    assert "NOT_SET is not set ([mlflow] token_env)" in found["secrets"]["told"]
    assert "does not answer" in found["source mlflow"]["told"]
    assert found["memory"]["verdict"] == "warning"
    assert found["source focus"]["verdict"] == "ok"
    assert "fix: " in run(home, "doctor").stdout


def test_a_newer_journal_is_told_and_an_older_one_is_not_brought_up_to_date(home: Path) -> None:
    journal = home / "state" / "journal.sqlite"

    def set_version(version: int) -> None:
        with closing(sqlite3.connect(journal)) as con:
            con.execute(f"pragma user_version = {version}")
            con.execute("pragma wal_checkpoint(truncate)")

    set_version(VERSION + 1)
    code, found = findings(home)
    assert code == 1
    assert f"this mlspend knows {VERSION}" in found["journal"]["told"]
    set_version(1)
    code, found = findings(home)
    assert (code, found["journal"]["verdict"]) == (0, "ok")
    with closing(sqlite3.connect(journal)) as con:
        assert con.execute("pragma user_version").fetchone() == (1,)


def test_who_is_at_work_is_named(home: Path) -> None:
    with locked(home / "state"):
        _, found = findings(home)
    assert f"process {os.getpid()} is at work" in found["lock"]["told"]
    _, found = findings(home)
    assert "nobody" in found["lock"]["told"]


def test_a_state_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    (home / "state").write_text("a file, not a folder", encoding="utf-8")
    code, found = findings(home)
    assert code == 1
    assert found["state_dir"]["verdict"] == "wrong"


@contextmanager
def clock_off_by(seconds: float) -> Iterator[str]:
    """Run a server of metrics whose clock is wrong; yield its address."""
    answer = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(200)
            self.send_header("date", formatdate(time.time() + seconds, usegmt=True))
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("seconds", "verdict"), [(-900, "warning"), (60, "ok")])
def test_a_clock_that_differs_from_a_servers_is_told(
    tmp_path: Path, seconds: float, verdict: str
) -> None:
    home = make_home(tmp_path)
    with clock_off_by(seconds) as address:
        text = f'{FOCUS}[connectors.prometheus]\nurl = "{address}"\n'
        (home / "mlspend.toml").write_text(text, encoding="utf-8")
        _, found = findings(home)
    assert found["clock"]["verdict"] == verdict
