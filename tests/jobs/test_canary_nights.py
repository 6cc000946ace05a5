"""A night with all sources that ask over HTTP: each refuses, and repeats what it was told."""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.connectors.refusing_server import (
    ADDRESS,
    CASES,
    NEW,
    OLD,
    SETTINGS,
    Door,
    guarded,
    keys_of,
)
from tests.jobs.nights import make_home, run

if TYPE_CHECKING:
    from pathlib import Path

BESIDE = "canary-beside-19e2"
PAIRS = {"password_env": "username_env", "secret_key_env": "access_key_env"}
PAIRS |= {after: before for before, after in PAIRS.items()}


def section(kind: str, key: str, address: str, secrets: Path, place: str) -> str:
    """Return a source's table: its secret in a file, what belongs to it in a variable."""
    settings = SETTINGS.get(kind, {}) | {ADDRESS.get(kind, "root"): address}
    named = dict.fromkeys(keys_of(kind), "")
    if key in PAIRS:
        named[PAIRS[key]] = "A_NAME" if PAIRS[key] == "username_env" else "CANARY_BESIDE"
    named.pop(key)
    filed = {key.removesuffix("_env") + "_file": str(secrets / place)}
    keys = {"source": place, **settings, **{k: v for k, v in named.items() if v}, **filed}
    lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
    return "\n".join([f"[[connectors.{kind}]]", *lines, ""])


def test_no_secret_of_any_source_is_told_or_kept_by_a_night_that_they_all_refuse(
    tmp_path: Path,
) -> None:
    home = make_home(tmp_path, 'operators = ["ops@acme.example"]\nlog_format = "json"')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    doors = []
    with ExitStack() as stack:
        config = (home / "mlspend.toml").read_text(encoding="utf-8")
        for kind, key in CASES:
            place = f"{kind}-{key.removesuffix('_env')}".replace("_", "-")
            (secrets / place).write_text(OLD, encoding="utf-8")
            doors.append(Door(secrets / place, opens=False))
            config += section(kind, key, stack.enter_context(guarded(doors[-1])), secrets, place)
        (home / "mlspend.toml").write_text(config, encoding="utf-8")
        done = run(home, "nightly", A_NAME="somebody", CANARY_BESIDE=BESIDE)
        told = done.stdout + done.stderr
        for command in (["status"], ["status", "--json"], ["sources"], ["doctor"]):
            answer = run(home, *command, A_NAME="somebody", CANARY_BESIDE=BESIDE)
            told += answer.stdout + answer.stderr
    assert done.returncode == 1
    assert [case for case, door in zip(CASES, doors, strict=True) if not door.asked] == []
    assert sum(door.let_in for door in doors) == 0
    kept = {
        str(path): path.read_bytes() for path in (home / "state").rglob("*") if path.is_file()
    } | {"what was told": told.encode()}
    for secret in (OLD, NEW, BESIDE):
        for beside in ("somebody", BESIDE):
            hidden = base64.b64encode(f"{beside}:{secret}".encode())
            assert [name for name, text in kept.items() if hidden in text] == []
        assert [name for name, text in kept.items() if secret.encode() in text] == []
    assert told.count("what is") >= len(CASES) / 2  # the services' words themselves are shown
