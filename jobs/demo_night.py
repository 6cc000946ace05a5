"""Writing the demo company where the command line says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.demo import write_company

if TYPE_CHECKING:
    from jobs.progress import Progress

FOLDER_VARIABLE = "MLSPEND_DEMO_DIR"
_FOLDER = "demo"


def write_demo(folder: str, progress: Progress) -> Path:
    """Write the company into a folder, by default `demo`; return its config file.

    Raises: FileExistsError where the folder holds somebody else's files.
    """
    place = Path(folder or os.environ.get(FOLDER_VARIABLE) or _FOLDER)
    progress.say(f"write a fictitious company into {place}")
    company = write_company(place, progress=lambda part: progress.say(f"  {part}"))
    return company.config
