"""How a command tells what went wrong: what it is, where, how to put it right; no traceback."""

from __future__ import annotations

import sys

from jobs.config import ConfigError
from jobs.fetching import RefusedDeliveryError
from jobs.journal import JournalError
from jobs.lock import BusyError

DONE, WRONG, MISUSE, BUSY, INTERRUPTED, STOPPED = 0, 1, 2, 75, 130, 143
EXIT_CODES = {
    DONE: "done",
    WRONG: "the data or the machine is wrong; what could be done is done",
    MISUSE: "misuse: the command line or the config file is wrong; nothing was done",
    BUSY: "another mlspend is at work on this state_dir; nothing was done",
    INTERRUPTED: "interrupted at the keyboard",
    STOPPED: "told to stop (SIGTERM)",
}
"""Every code that a command ends with; CONTRIBUTING.md has the same table."""


def describe(error: BaseException) -> str:
    """Return an error as the terminal shows it; a ConfigError's mistakes one below the other."""
    if isinstance(error, ConfigError):
        return "\n".join(describe(mistake) for mistake in error.mistakes)
    lines = [f"error: {error}", *getattr(error, "__notes__", ())]
    return "\n".join([lines[0], *(f"  {line}" for line in lines[1:])])


def kept_problem(error: BaseException) -> str:
    """Return an error as the journal keeps it: a line that says what it is, and where.

    Of a file in the raw store its source's own name, which readers know it by.
    """
    notes = getattr(error, "__notes__", ())
    place = next((note[3:].strip() for note in notes if note.startswith("in:")), "")
    named = place.partition(" (/")[0]
    return f"{error} (in: {named})" if named and named not in str(error) else str(error)


def is_expected(error: BaseException) -> bool:
    """Tell whether an error explains itself; any other is a fault of mlspend, and shows itself."""
    from connectors.base import SourceError  # noqa: PLC0415  (the other rooms' errors, when asked)
    from queries import ModelError  # noqa: PLC0415

    if isinstance(error, OSError):
        return bool(getattr(error, "__notes__", None))
    ours = ConfigError | RefusedDeliveryError | JournalError | BusyError | SourceError | ModelError
    return isinstance(error, ours) or any(isinstance(error, kind) for kind in _loaded())


def _loaded() -> list[type[Exception]]:
    """Return the errors of modules that are slow to load, of those that are loaded."""
    kinds = {"reports.base": "ReportError", "jobs.mail": "MailError"}
    return [getattr(sys.modules[name], kind) for name, kind in kinds.items() if name in sys.modules]


def exit_code_of(error: BaseException) -> int:
    """Return the exit code an error ends a command with."""
    if isinstance(error, BusyError):
        return BUSY
    return MISUSE if isinstance(error, ConfigError) else WRONG
