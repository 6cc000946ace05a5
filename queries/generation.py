"""Where the newest generation lies. Knows nothing of DuckDB, so that a command may ask cheaply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries import ModelError

if TYPE_CHECKING:
    from pathlib import Path


def newest_generation(state_dir: Path) -> Path:
    """Return the database file that the pointer names.

    Raises: ModelError where nothing is published yet, or the file is gone.
    """
    pointer = state_dir / "generations" / "current"
    try:
        number = pointer.read_text(encoding="utf-8").strip()
    except FileNotFoundError as missing:
        raise ModelError(
            "no generation is published yet",
            where=str(pointer),
            fix="run `mlspend nightly` once",
        ) from missing
    path = pointer.parent / f"{number}.duckdb"
    if not number.isdecimal() or not path.is_file():
        raise ModelError(
            f"the pointer names the generation {number!r}, which is not there",
            where=str(pointer),
            fix="run `mlspend nightly`, which publishes a whole one",
        )
    return path
