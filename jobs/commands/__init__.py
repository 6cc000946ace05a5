"""The commands, by family.

A module here is a family of commands. Each imports what it needs when it runs. `jobs/help.txt` is
the group's help, kept by a test.
"""

from __future__ import annotations

import sys
from importlib import import_module
from traceback import format_exception
from typing import NoReturn

import click

from jobs.commands.base import HELP_WIDTH, log, mlspend, tell

MODULES = (
    "bills",
    "claims",
    "demo",
    "exports",
    "findings",
    "mails",
    "night",
    "operators",
    "quotas",
    "readers",
)

for _module in MODULES:
    import_module(f"jobs.commands.{_module}")

__all__ = ["HELP_WIDTH", "mlspend", "run"]


def run() -> None:
    """Run the command line; errors that explain themselves are told without a traceback."""
    try:
        code = mlspend.main(prog_name="mlspend", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except Exception as error:  # noqa: BLE001  (what explains itself is told, the rest raised)
        _end_with(error)
    sys.exit(code)


def _end_with(error: Exception) -> NoReturn:
    """Tell an error that explains itself, show any other as it is, and end."""
    from jobs.errors import WRONG, describe, exit_code_of, is_expected  # noqa: PLC0415

    if "--debug" not in sys.argv and is_expected(error):
        code = exit_code_of(error)
        tell(describe(error), "error", level="error", exit_code=code)
        sys.exit(code)
    if log.style == "json":
        trace = "".join(format_exception(error))
        tell(describe(error), "crash", level="critical", exit_code=WRONG, traceback=trace)
        sys.exit(WRONG)
    raise error
