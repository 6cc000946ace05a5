"""Looking after a night: the dead-man file where it ends well, the operators' mail where not."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.lock import BusyError
from jobs.operations.dead_man import note_good_night
from jobs.operations.stopping import StoppedError, told_to_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from jobs.night import Night


@dataclass(slots=True)
class Watch:
    """What is looked after: nothing before the night has begun."""

    night: Night | None = None


@contextmanager
def watched(config_path: Path, tell: Callable[[str], None]) -> Iterator[Watch]:
    """Look after the night that the block runs and puts into the Watch."""
    watch = Watch()
    try:
        with told_to_stop():
            yield watch
    except BusyError:
        raise  # another one is at work, and tells what becomes of it
    except (Exception, StoppedError) as error:
        if isinstance(error, StoppedError):
            tell(f"error: {error}")
        before = watch.night.problems if watch.night else []
        _alarm(config_path, [*before, error], tell, is_stopped=True)
        raise
    if watch.night is None:
        return
    if watch.night.problems:
        _alarm(config_path, watch.night.problems, tell, is_stopped=False)
    else:
        note_good_night(watch.night.config, watch.night.generation)


def _alarm(
    config_path: Path,
    problems: Sequence[BaseException],
    tell: Callable[[str], None],
    *,
    is_stopped: bool,
) -> None:
    from jobs.operations.alarm import raise_alarm  # noqa: PLC0415  (good nights need it not)

    raise_alarm(config_path, problems, tell, is_stopped=is_stopped)
