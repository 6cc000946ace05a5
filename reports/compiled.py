"""Templates as Jinja has compiled them, remembered from one command to the next.

Compiling them takes longer than filling them in. They are kept beside this file's bytecode, and by
the same rules; one that is missing, broken, out of date or cannot be written is compiled again.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

from jinja2 import BytecodeCache, compiler

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

FOLDER = Path(cache_from_source(__file__)).parent


class Compiled(BytecodeCache):
    """What one set of templates compiles to; sets that are compiled otherwise differ in `name`."""

    def __init__(self, name: str, folder: Path = FOLDER) -> None:
        made_by = Path(compiler.__file__).stat()
        self._prefix = f"{name}.{made_by.st_size:x}{made_by.st_mtime_ns:x}"
        self._folder = folder

    def _path(self, bucket: Bucket) -> Path:
        return self._folder / f"{self._prefix}.{bucket.key}.{sys.implementation.cache_tag}"

    def load_bytecode(self, bucket: Bucket) -> None:
        """Read what a template was compiled to, if that was of the text that it has now."""
        broken = (OSError, EOFError, ValueError, UnpicklingError)
        with suppress(*broken), self._path(bucket).open("rb") as kept:
            bucket.load_bytecode(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what a template was compiled to, where bytecode is kept."""
        if sys.dont_write_bytecode:
            return
        path = self._path(bucket)
        half = path.with_name(f"{path.name}.{os.getpid()}")
        with suppress(OSError):
            path.parent.mkdir(exist_ok=True)
            with half.open("wb") as kept:
                bucket.write_bytecode(kept)
            half.replace(path)
