"""What the gate let through and no bill shows yet, counted until the bill can be expected."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from jobs.journal import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from jobs.journal import Journal


@dataclass(frozen=True, slots=True)
class Reservation:
    """A piece of work that was let through."""

    members: Mapping[str, str]
    """Dimension -> whose it is, as far as the asker told: team, user, project."""
    gpus: Decimal
    hours: Decimal
    gpu_hours: Decimal
    costs: Mapping[str, Decimal]
    """Currency -> estimate."""


class Reservations:
    """The journal's reservations."""

    def __init__(self, journal: Journal) -> None:
        """Read and write an open journal, within a transaction of the caller's."""
        self.con = journal.con

    def open(self, at: datetime) -> list[Reservation]:
        """Return what has not expired, oldest first."""
        rows = self.con.execute(
            "select team, user, project, gpus, hours, gpu_hours, costs from reservations "
            "where expires_at > ? order by id",
            (as_text(at),),
        )
        return [
            Reservation(
                members={
                    dimension: member
                    for dimension, member in zip(("team", "user", "project"), row, strict=False)
                    if member is not None
                },
                gpus=Decimal(row[3]),
                hours=Decimal(row[4]),
                gpu_hours=Decimal(row[5]),
                costs={key: Decimal(cost) for key, cost in json.loads(row[6]).items()},
            )
            for row in rows
        ]

    def enter(self, new: Reservation, at: datetime, expires_at: datetime) -> int:
        """Enter a piece of work that was let through; return its number."""
        row = self.con.execute(
            "insert into reservations (team, user, project, gpus, hours, gpu_hours, costs, at,"
            " expires_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?) returning id",
            (
                *(new.members.get(dimension) for dimension in ("team", "user", "project")),
                format(new.gpus, "f"),
                format(new.hours, "f"),
                format(new.gpu_hours, "f"),
                json.dumps({key: format(cost, "f") for key, cost in new.costs.items()}),
                as_text(at),
                as_text(expires_at),
            ),
        ).fetchone()
        return int(row[0])
