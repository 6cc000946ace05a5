"""`mlspend export focus`: attributed cost as a FOCUS file that other tools read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.inputs import build_input, superseding_tables
from jobs.journal import Journal
from jobs.privacy import views_of
from jobs.progress import NoProgress
from jobs.raw_store import RawStore
from queries import ModelError
from queries.exporting import FORMATS, Export, export_focus, format_of
from queries.generation import newest_generation
from queries.totals import raw_totals

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from jobs.config import Config


def write_focus(
    config: Config, version: str, days: tuple[date | None, date | None], target: Path
) -> int:
    """Write the file; return how many rows it has.

    People are named where everybody may see names: the file goes where no audience is known.

    Raises: ModelError for a name that does not tell the format, or where nothing is published.
    """
    if format_of(target) is None:
        raise ModelError(
            f'the name "{target.name}" does not tell how to write the file',
            where=str(target),
            fix=f"let it end in {', '.join(FORMATS)}",
        )
    if not target.parent.is_dir():
        raise ModelError(
            "the folder is not there",
            where=str(target.parent),
            fix="make it, or name another",
        )
    generation = newest_generation(config.state_dir)
    with Journal(config.state_dir / "journal.sqlite") as journal:
        store = RawStore(config.state_dir, journal, raw_totals, NoProgress())
        names = {source.name for source in config.sources}
        given = build_input(config, store, store.counted(names, superseding_tables()))
        is_named = views_of(config)[0].is_open
        return export_focus(given, generation, Export(version, target, *days, is_named))
