"""The process that looks at a generation before it gets its name."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.jobs.nights import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def verify(*databases: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "queries.verify"],
        input="".join(f"{database}\n" for database in databases),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_a_file_that_does_not_hold_what_was_built_is_named(home: Path, tmp_path: Path) -> None:
    """Of several files, each is looked at: audiences have files of their own."""
    (sound,) = (home / "state" / "generations").glob("*.duckdb")
    other = tmp_path / "other.duckdb"
    shutil.copy(sound, other)
    noted = json.loads(sound.with_suffix(".json").read_text(encoding="utf-8"))
    noted["tables"]["marts.books"]["digest"] = "0-None-None"
    other.with_suffix(".json").write_text(json.dumps(noted), encoding="utf-8")
    assert verify(sound).returncode == 0
    done = verify(sound, other)
    assert done.returncode == 1
    assert done.stderr.startswith("other.duckdb: marts.books reads as ")
    assert "but was built as 0-None-None" in done.stderr
