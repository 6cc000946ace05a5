"""What a command tells while it works: bars on a terminal, plain lines in cron."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_QUIET_SECONDS = 10.0


class Progress(Protocol):
    """Hears how the work goes."""

    def say(self, text: str) -> None:
        """Tell one thing that was done or begins."""
        ...

    def transfer(self, label: str, done: int, total: int | None) -> None:
        """Tell how many bytes of `label` have come."""
        ...


class NoProgress:
    """Silence, for commands whose answer is all that is wanted."""

    def say(self, text: str) -> None:
        """Tell nobody."""

    def transfer(self, label: str, done: int, total: int | None) -> None:
        """Tell nobody."""


class PlainProgress:
    """Lines; a transfer speaks up every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream
        self._spoke_at = time.monotonic()

    def say(self, text: str) -> None:
        """Write a line."""
        print(text, file=self._stream, flush=True)
        self._spoke_at = time.monotonic()

    def transfer(self, label: str, done: int, total: int | None) -> None:
        """Write a line, if none was written for a while."""
        if time.monotonic() - self._spoke_at > _QUIET_SECONDS:
            of = f" of {size_text(total)}" if total else ""
            self.say(f"  {label}: {size_text(done)}{of}")


class _BarProgress:
    """A bar for the transfer under way, below the lines."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._label = ""

    def say(self, text: str) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task, self._label = None, ""
        self._bars.console.print(text, markup=False, highlight=False)

    def transfer(self, label: str, done: int, total: int | None) -> None:
        if self._task is None or label != self._label:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._task = self._bars.add_task(label, total=total)
            self._label = label
        self._bars.update(self._task, completed=done)


@contextmanager
def progress_on(stream: TextIO) -> Iterator[Progress]:
    """Yield the progress that suits `stream`."""
    if not stream.isatty():
        yield PlainProgress(stream)
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import, and cron never needs it)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars  # noqa: PLC0415

    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(file=stream), transient=True) as bars:
        yield _BarProgress(bars)


def size_text(size: int) -> str:
    """Return bytes as people read them: `12.3 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
