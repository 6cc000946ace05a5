"""What sacct printed of each day, saved as the day ended: every try of the jobs that ran on it.

A job that went on stands in the files of several days, first as running.

Source: https://slurm.schedmd.com/sacct.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from jobs.demo.world import DAY, day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from jobs.demo.tries import Try
    from jobs.demo.world import World

_CLUSTER: Final = "drift"
_EXITS: Final = {"FAILED": "1:0", "OUT_OF_MEMORY": "0:125"}


def _word(state: str) -> str:
    return state.partition(" ")[0]


def _time(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}" if second else "Unknown"


def _resources(one: Try) -> str:
    got = f"cpu={one.cores},gres/gpu={one.gpus},mem={one.memory_gib}G"
    return f"billing={one.cores},{got},node={len(one.nodes)}"


_COLUMNS: Final[Mapping[str, Callable[[Try], str]]] = {
    "JobIDRaw": lambda one: str(one.job_id),
    "JobID": lambda one: str(one.job_id),
    "JobName": lambda one: one.name,
    "User": lambda one: one.login,
    "Account": lambda one: one.account,
    "Partition": lambda one: one.partition,
    "QOS": lambda _: "normal",
    "Cluster": lambda _: _CLUSTER,
    "ExitCode": lambda one: _EXITS.get(_word(one.state), "0:0"),
    "DerivedExitCode": lambda one: _EXITS.get(_word(one.state), "0:0"),
    "Submit": lambda one: _time(one.submitted),
    "Start": lambda one: _time(one.start),
    "Suspended": lambda _: "00:00:00",
    "TimelimitRaw": lambda one: str(one.limit_minutes),
    "AllocTRES": lambda one: _resources(one) if one.nodes else "",
    "NodeList": lambda one: ",".join(_name(one)) or "None assigned",
    "WCKey": lambda one: one.wckey,
    "Comment": lambda one: one.comment,
    "DBIndex": lambda one: f"{one.job_id}{one.attempt}",
}
_MOVING: Final = ("State", "End", "ElapsedRaw")
"""What depends on when it was asked."""


def _name(one: Try) -> list[str]:
    """Return a try's nodes: a Kubernetes node by its name, a bare machine by its renter's id."""
    return [node.node if node.cluster else node.machine_id for node in one.nodes]


def write_sacct(folder: Path, world: World) -> None:
    """Write a file a day: `2026-10-02.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    for day in world.calendar.days:
        end = day + DAY
        lines = [_line(one, end) for one in world.tries if _is_of(one, day, end)]
        if lines:
            text = "\n".join(["|".join([*_COLUMNS, *_MOVING]), *lines]) + "\n"
            path = folder / f"{day_of(day).isoformat()}.txt"
            path.write_text(text, encoding="utf-8")


def _is_of(one: Try, start: int, end: int) -> bool:
    if one.start == 0:
        return one.submitted < end
    return one.start < end and one.end > start


def _line(one: Try, asked: int) -> str:
    is_over = 0 < one.end <= asked and one.state != "RUNNING"
    state = one.state if is_over or one.state == "PENDING" else "RUNNING"
    ended = _time(one.end) if is_over else "Unknown"
    elapsed = min(one.end, asked) - one.start if one.start else 0
    return "|".join([*(value(one) for value in _COLUMNS.values()), state, ended, str(elapsed)])
