"""The `mlspend` command.

Schedulers and shells ask it many times an hour, so nothing slow is imported here: help is a text
beside this file, and the commands are imported only to run one.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] in (["--help"], ["-h"]):
        path = f"{__file__[: -len('cli.py')]}help.txt"
        with open(path, encoding="utf-8") as text:  # noqa: PTH123  (pathlib is slower than all this)
            sys.stdout.write(text.read())
        return
    from jobs.commands import run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
