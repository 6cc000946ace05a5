"""What a command tells while it works."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

from stamina.instrumentation import RetryDetails

from connectors import patience
from tests.jobs.nights import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

WARNING = (
    "import logging, sys; from jobs.progress import progress_on\n"
    "with progress_on(sys.stderr, {!r}): logging.getLogger('a.library').warning('odd: %s', 'this')"
)


def warned(style: str, folder: Path) -> str:
    """Return what is told where a library warns."""
    told = subprocess.run(
        [sys.executable, "-c", WARNING.format(style)],
        capture_output=True,
        text=True,
        check=True,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
    )
    return told.stderr


def test_a_librarys_warning_is_told_as_the_rest_is(tmp_path: Path) -> None:
    assert warned("text", tmp_path) == "note: odd: this\n"
    line = json.loads(warned("json", tmp_path))
    assert (line["level"], line["text"]) == ("warning", "note: odd: this")
    assert line["logger"] == "a.library"


def test_a_long_wait_for_a_service_is_told_with_its_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for wait in (0.5, 8.0):
        error = ConnectionError("nobody there")
        patience.tell_of_wait(RetryDetails("a question", (), {}, 1, wait, 0.0, error))
    assert caplog.messages == ["asked again in 8 s: nobody there"]
    assert caplog.records[0].levelno == logging.WARNING
