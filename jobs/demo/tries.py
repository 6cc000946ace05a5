"""Runs in places that are no pods: tries of Slurm jobs, and whoever says where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jobs.demo.world import Machine, Run


@dataclass(slots=True)
class Try:
    """A try of a Slurm job: it holds as much of each of its nodes."""

    job_id: int
    attempt: int
    name: str
    login: str
    account: str
    wckey: str
    partition: str
    state: str
    gpus: int
    """Of all nodes, as are the next two."""
    cores: int
    memory_gib: int
    nodes: list[Machine]
    submitted: int
    start: int
    end: int
    limit_minutes: int
    comment: str = ""
    run: Run | None = None
    """None while it waits."""


class Claim(NamedTuple):
    """A run in a place for a time."""

    run: Run
    start: int
    end: int
    gpus: int
    """That it says it holds there."""
    cores: int = 0
    """As are these; 0: it does not say."""
    memory_gib: int = 0
