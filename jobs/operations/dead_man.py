"""The dead-man file: touched after every good night, so that silence can be noticed.

Monitoring needs nothing but the age of the file. A night that failed, that was never started, or
that was killed leaves it as it is.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.state import place

if TYPE_CHECKING:
    from jobs.config import Config

_NAME = "last-good-night"


def dead_man_file(config: Config) -> Path:
    """Return the file that monitoring watches."""
    named = config.operations.dead_man_file
    return Path(place(named, config.path.parent)) if named else config.state_dir / _NAME


def note_good_night(config: Config, generation: str | None) -> None:
    """Write the file anew, in one step: the time, the generation in force, the exit code."""
    path = dead_man_file(config)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.half")
    text = f"{datetime.now(UTC).isoformat(timespec='seconds')} {generation or 'none'} 0\n"
    with half.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


def hours_since_good_night(config: Config) -> float | None:
    """Return the age of the file in hours, none where no night ever ended well."""
    try:
        touched = dead_man_file(config).stat().st_mtime
    except OSError:
        return None
    return (datetime.now(UTC).timestamp() - touched) / 3600
