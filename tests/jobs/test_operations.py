"""What an operator sees: dead-man file, the mail of a failed night, status, logs, exit codes."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import jobs.errors
from jobs.commands import mlspend
from jobs.lock import locked
from tests.jobs.nights import FOCUS, ROOT, make_home, run, write_month

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

OPERATORS = 'operators = ["ops@acme.example", "night@acme.example"]'
CANARY = "s3cr3t-canary-7f3a"


def mail_of(home: Path) -> EmailMessage:
    """Return today's mail to the operators."""
    path = max((home / "state" / "reports").glob("*/mails/operators-*.eml"))
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


def body_of(message: EmailMessage) -> str:
    """Return the text of a mail."""
    return str(message.get_content())


def age_of(path: Path) -> float:
    """Return how long ago a file was touched, in seconds."""
    return datetime.now(UTC).timestamp() - path.stat().st_mtime


def test_the_dead_man_file_is_touched_by_good_nights_alone(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    touched = home / "state" / "last-good-night"
    assert run(home).returncode == 0
    at, generation, code = touched.read_text(encoding="ascii").split()
    assert (generation, code) == ("000001", "0")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()) < 60
    os.utime(touched, (0, 0))
    assert run(home, "build").returncode == 0  # a step is no night
    assert touched.stat().st_mtime == 0
    write_month(home / "bills", "2026-10", {1: "one"})
    assert run(home).returncode == 1
    assert touched.stat().st_mtime == 0
    write_month(home / "bills", "2026-10", {1: "1.25", 2: "2.5"})
    assert run(home).returncode == 0  # nothing changed, and that is well
    assert age_of(touched) < 60


def test_the_dead_man_file_may_lie_elsewhere(tmp_path: Path) -> None:
    home = make_home(tmp_path, 'dead_man_file = "watched/mlspend"')
    assert run(home).returncode == 0
    assert (home / "watched" / "mlspend").exists()
    assert not (home / "state" / "last-good-night").exists()


def test_a_night_with_problems_is_mailed_once_and_says_how_to_put_them_right(
    tmp_path: Path,
) -> None:
    home = make_home(tmp_path, OPERATORS)
    assert run(home).returncode == 0
    assert not list((home / "state").glob("reports/*/mails/operators-*.eml"))
    write_month(home / "bills", "2026-10", {1: "one"})
    first = run(home)
    assert first.returncode == 1
    assert "the operators' mail" in first.stderr
    message = mail_of(home)
    assert message["To"] == "ops@acme.example, night@acme.example"
    assert "ended with 1 problem" in message["Subject"]
    body = body_of(message)
    assert "one" in body
    assert "fix: have the source write it again" in body
    assert "Readers see generation 000001" in body
    assert "Last good night: " in body
    identity = message["Message-ID"]
    again = run(home)
    assert again.returncode == 1
    assert "the operators' mail" not in again.stderr
    write_month(home / "bills", "2026-10", {1: "two"})
    assert "the operators' mail" in run(home).stderr  # another problem
    assert mail_of(home)["Message-ID"] != identity


def test_a_config_file_that_is_wrong_is_mailed_too(tmp_path: Path) -> None:
    home = make_home(tmp_path, OPERATORS)
    with (home / "mlspend.toml").open("a", encoding="utf-8") as config:
        config.write('[connectors.mlflow]\nrot = "x"\ntoken = "' + CANARY + '"\n')
    done = run(home)
    assert done.returncode == 2
    body = body_of(mail_of(home))
    assert 'has no key "rot"' in body
    assert "mlspend.toml:" in body
    assert CANARY not in body + done.stderr


def test_a_night_that_crashes_is_mailed_and_shows_its_traceback(tmp_path: Path) -> None:
    home = make_home(tmp_path, OPERATORS)
    broken = (
        "import jobs.cli, jobs.extracting\n"
        "def fail(night):\n    raise ZeroDivisionError('by design')\n"
        "jobs.extracting.extract = fail\njobs.cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", broken, "nightly"],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    message = mail_of(home)
    assert "failed" in message["Subject"]
    assert "mlspend is at fault: ZeroDivisionError: by design" in body_of(message)


def test_a_night_that_is_told_to_stop_is_entered_and_mailed(tmp_path: Path) -> None:
    home = make_home(tmp_path, OPERATORS)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    assert process.stderr is not None
    process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    told = process.stderr.read()
    assert process.wait() == 143
    process.stderr.close()
    assert "told to stop" in told
    assert "Traceback" not in told
    assert "told to stop (SIGTERM)" in body_of(mail_of(home))
    assert "the last night failed" in run(home, "status").stdout
    assert run(home).returncode == 0


def test_a_second_night_beside_the_first_mails_nobody(tmp_path: Path) -> None:
    home = make_home(tmp_path, OPERATORS)
    with locked(home / "state"):
        assert run(home).returncode == 75
    assert not list((home / "state").glob("reports/*/mails/operators-*.eml"))


def test_status_tells_the_night_the_sources_and_what_is_kept(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    before = run(home, "status")
    assert before.returncode == 1
    assert "no night has run yet" in before.stdout
    assert not (home / "state").exists()
    assert run(home).returncode == 0
    well = run(home, "status")
    assert well.returncode == 0, well.stdout
    assert re.search(r"Last night: .* published, generation 000001", well.stdout)
    facts = json.loads(run(home, "status", "--json").stdout)
    assert facts["wrong"] == []
    (source,) = facts["sources"]
    assert (source["source"], source["newest_unit"], source["is_stale"]) == (
        "focus",
        "2026-10",
        False,
    )
    (generation,) = facts["generations"]
    assert generation["is_current"]
    database = home / "state" / "generations" / "000001.duckdb"
    assert generation["bytes"] == database.stat().st_size
    assert facts["disk_bytes"]["raw"] == (home / "bills" / "2026-10.csv").stat().st_size
    assert facts["counts"]["deliveries"] == 1


def test_status_fails_where_the_last_night_did_or_is_too_long_ago(tmp_path: Path) -> None:
    home = make_home(tmp_path, "late_after_hours = 30")
    assert run(home).returncode == 0
    touched = home / "state" / "last-good-night"
    late = time.time() - 31 * 3600
    os.utime(touched, (late, late))
    done = run(home, "status")
    assert done.returncode == 1
    assert "the last good night is 31 h ago, more than 30 h" in done.stdout
    write_month(home / "twice", "2026-10", {1: "1.25", 2: "2.5"})
    both = FOCUS.replace("[connectors.focus]", "[[connectors.focus]]")
    both += '[[connectors.focus]]\nsource = "copy"\nroot = "twice"\n'
    (home / "mlspend.toml").write_text(both, encoding="utf-8")
    assert run(home).returncode == 1
    done = run(home, "status")
    assert "the last night ended with problems" in done.stdout
    assert "1 units left out" in done.stdout
    assert "Units left out of: copy cost_and_usage" in done.stdout


def test_status_sees_a_night_at_work_and_does_not_disturb_it(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    assert run(home).returncode == 0
    with locked(home / "state"):
        assert run(home, "status").returncode == 0
    before = (home / "state" / "journal.sqlite").read_bytes()
    assert run(home, "status").returncode == 0
    assert (home / "state" / "journal.sqlite").read_bytes() == before


@pytest.mark.parametrize("how", ["option", "config"])
def test_logs_as_json_are_one_object_per_line(tmp_path: Path, how: str) -> None:
    home = make_home(tmp_path, 'log_format = "json"' if how == "config" else "")
    options = ["--log-format", "json"] if how == "option" else []
    write_month(home / "bills", "2026-09", {1: "one"})
    done = run(home, "nightly", *options)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "event", "text"} <= line.keys() for line in lines)
    by_event = {line["event"]: line for line in lines}
    assert by_event["extract"]["source"] == "focus"
    assert by_event["problem"]["level"] == "error"
    assert (by_event["end"]["problems"], lines[-2]["outcome"]) == (1, "published")
    (home / "mlspend.toml").write_text(
        '[operations]\nlog_format = "json"\n[engine]\nthreads = 0\n', encoding="utf-8"
    )
    (line,) = run(home, "nightly", *options).stderr.splitlines()
    assert json.loads(line)["exit_code"] == 2


IMPATIENT = "import stamina\nstamina.set_testing(True, attempts=2)"
"""Servers that do not answer are asked twice, without waits."""


def test_secrets_are_in_no_log_mail_journal_or_status(tmp_path: Path) -> None:
    home = make_home(tmp_path, OPERATORS + '\nlog_format = "json"')
    with (home / "mlspend.toml").open("a", encoding="utf-8") as config:
        config.write(
            '[connectors.mlflow]\nroot = "http://127.0.0.1:9/"\nusername_env = "M_USER"\n'
            'password_env = "M_PASSWORD"\ntimeout_seconds = 1\n'
            '[connectors.prometheus]\nurl = "http://127.0.0.1:9/"\ntoken_env = "P_TOKEN"\n'
            '[connectors.ray]\nurl = "http://127.0.0.1:9/"\ntoken_file = "token"\n'
            '[connectors.prefect]\nroot = "http://127.0.0.1:9/api"\ntoken_file = "two_lines"\n'
        )
    (home / "token").write_text(f"{CANARY}d\n", encoding="utf-8")
    (home / "two_lines").write_text(f"{CANARY}e\n{CANARY}f\n", encoding="utf-8")
    (home / "token").chmod(0o644)
    secrets = {"M_USER": CANARY + "a", "M_PASSWORD": CANARY + "b", "P_TOKEN": CANARY + "c"}
    done = run(home, before=IMPATIENT, AWS_SECRET_ACCESS_KEY=CANARY, **secrets)
    assert done.returncode == 1
    told = done.stdout + done.stderr
    for command in (["status"], ["status", "--json"], ["sources"], ["doctor"]):
        answer = run(home, *command, before=IMPATIENT, **secrets)
        told += answer.stdout + answer.stderr
    assert CANARY not in told
    assert f"note: {home / 'token'} holds a secret, and anybody may read it" in told
    assert "two_lines holds more than one line of text" in told
    for path in (home / "state").rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


CODES = {
    0: ["nightly"],
    1: ["sql", "select nothing"],
    2: ["nightly", "--config", "nowhere.toml"],
    75: ["nightly"],
}


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_exit_code_is_what_the_documents_say(tmp_path: Path, code: int) -> None:
    assert set(CODES) | {130, 143} == set(jobs.errors.EXIT_CODES)
    home = make_home(tmp_path)
    if code == 75:
        with locked(home / "state"):
            done = run(home, *CODES[code])
    else:
        done = run(home, *CODES[code])
    assert done.returncode == code
    assert (done.stderr.startswith("error: ")) == (code != 0)


def test_the_exit_codes_are_documented_in_one_table() -> None:
    documents = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for code, meaning in jobs.errors.EXIT_CODES.items():
        assert f"| {code} | {meaning}" in documents
    assert mlspend.help is not None
    for code in (0, 1, 2, 75):
        assert re.search(rf"\b{code} \w", mlspend.help), code


def test_every_config_without_operations_still_works(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    (home / "mlspend.toml").write_text(FOCUS, encoding="utf-8")
    assert run(home).returncode == 0
