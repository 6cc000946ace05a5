"""What trackers are told of a run by the people who start it, as far as mlspend may copy it.

Parameters and settings hold secrets now and then. So only those are copied whose names the config
file allows, by globs without regard to case; a value that is a list is left where it is.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAMED = (
    "finops.*",
    "team",
    "project",
    "*run_id",
    "*job_id",
    "*task_id",
    "*dag_id",
    "*map_index",
    "*submission_id",
)
"""Names that say whose a run is, or what it is called elsewhere (`seeds/run_tags.csv`)."""


def allowed(given: Mapping[str, object], globs: Sequence[str]) -> dict[str, str]:
    """Return the values whose names a glob allows, as text, in the order of their names.

    What is nested has the names of its levels, with dots between them.
    """
    wanted = [glob.lower() for glob in globs]
    return {
        name: str(value)
        for name, value in sorted(_flat(given, ""))
        if any(fnmatchcase(name.lower(), glob) for glob in wanted)
    }


def _flat(given: Mapping[str, object], before: str) -> Iterator[tuple[str, object]]:
    for name, value in given.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, str | int | float) and value != "":
            yield f"{before}{name}", value
