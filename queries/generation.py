"""Where the newest generation lies. Knows nothing of DuckDB, so that a command may ask cheaply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queries import ModelError

if TYPE_CHECKING:
    from pathlib import Path


def file_name(number: str, audience: str = "") -> str:
    """Return what the database of a generation is called, everybody's or an audience's."""
    return f"{number}.{audience}.duckdb" if audience else f"{number}.duckdb"


def generations_of(state_dir: Path) -> list[Path]:
    """Return everybody's database of every kept generation, the oldest first."""
    found = (state_dir / "generations").glob("[0-9]*.duckdb")
    return sorted(path for path in found if path.stem.isdecimal())


def newest_generation(state_dir: Path, audience: str = "") -> Path:
    """Return the database file that the pointer names, or the one of it that is an audience's.

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
    own = pointer.parent / file_name(number, audience)
    if not own.is_file():
        files = path.parent.glob(f"{number}.*.duckdb")
        others = sorted(file.suffixes[0].removeprefix(".") for file in files)
        raise ModelError(
            f'the newest generation has nothing for the audience "{audience}"',
            where=str(pointer.parent),
            fix=f"it has: {', '.join(others) or 'none; [[privacy.audiences]] makes them'}",
        )
    return own
