"""The commands, by family.

A module here is a family of commands. Each imports what it needs when it runs. `jobs/help.txt` is
the group's help, kept by a test.
"""

from __future__ import annotations

import sys
from importlib import import_module

import click

from jobs.commands.base import HELP_WIDTH, mlspend

MODULES = ("demo", "night", "readers")

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
    except Exception as error:
        from jobs.errors import describe, exit_code_of, is_expected  # noqa: PLC0415

        if "--debug" in sys.argv or not is_expected(error):
            raise
        click.echo(describe(error), err=True)
        sys.exit(exit_code_of(error))
    sys.exit(code)
