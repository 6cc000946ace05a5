"""What a command tells while it works: bars on a terminal, lines in cron, or JSON for a log store.

Every line of JSON has `time` (UTC), `level`, `event` and `text`; what else an event has is in
`figures` of whoever says it: `source`, `generation`, `outcome`, `seconds`, ...
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

LogFormat = Literal["text", "json"]
_QUIET_SECONDS = 10.0


class Progress(Protocol):
    """Hears how the work goes."""

    def say(self, text: str, event: str = "progress", **figures: object) -> None:
        """Tell one thing that was done or begins; `event` and `figures` are for machines."""
        ...

    def transfer(self, label: str, done: int, total: int | None) -> None:
        """Tell how many bytes of `label` have come."""
        ...


class NoProgress:
    """Silence, for commands whose answer is all that is wanted."""

    def say(self, text: str, event: str = "progress", **figures: object) -> None:
        """Tell nobody."""

    def transfer(self, label: str, done: int, total: int | None) -> None:
        """Tell nobody."""


class PlainProgress:
    """Lines; a transfer speaks up every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream
        self._spoke_at = time.monotonic()

    def say(self, text: str, event: str = "progress", **figures: object) -> None:  # noqa: ARG002
        """Write a line."""
        print(text, file=self._stream, flush=True)
        self._spoke_at = time.monotonic()

    def transfer(self, label: str, done: int, total: int | None) -> None:
        """Write a line, if none was written for a while."""
        if time.monotonic() - self._spoke_at > _QUIET_SECONDS:
            of = f" of {size_text(total)}" if total else ""
            self.say(f"  {label}: {size_text(done)}{of}")


class JsonProgress:
    """An object per line; a transfer speaks up every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream
        self._spoke_at = time.monotonic()

    def say(self, text: str, event: str = "progress", **figures: object) -> None:
        """Write an object."""
        print(json_line(text, event, figures), file=self._stream, flush=True)
        self._spoke_at = time.monotonic()

    def transfer(self, label: str, done: int, total: int | None) -> None:
        """Write an object, if none was written for a while."""
        if time.monotonic() - self._spoke_at > _QUIET_SECONDS:
            self.say(label, "transfer", bytes=done, bytes_total=total)


def json_line(text: str, event: str, figures: Mapping[str, object]) -> str:
    """Return one line of a JSON log; a level is taken from the text where none is given."""
    level = "warning" if text.startswith("note: ") else "info"
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "event": event,
        "text": text.strip(),
    }
    return json.dumps(line | dict(figures), default=str)


class _BarProgress:
    """A bar for the transfer under way, below the lines."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task: TaskID | None = None
        self._label = ""

    def say(self, text: str, event: str = "progress", **figures: object) -> None:  # noqa: ARG002
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


class _Warnings(logging.Handler):
    """Tells what a connector or a library warns of as the rest is told, so that JSON stays JSON."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.say(f"note: {record.getMessage()}", "warning", logger=record.name)


@contextmanager
def progress_on(stream: TextIO, style: LogFormat = "text") -> Iterator[Progress]:
    """Yield the progress that suits `stream`; what nobody else hears of warnings goes there too."""
    before = logging.lastResort
    try:
        with _progress_on(stream, style) as progress:
            logging.lastResort = _Warnings(progress)
            yield progress
    finally:
        logging.lastResort = before


@contextmanager
def _progress_on(stream: TextIO, style: LogFormat) -> Iterator[Progress]:
    if style == "json":
        yield JsonProgress(stream)
        return
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
