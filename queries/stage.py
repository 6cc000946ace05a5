"""Deliveries -> staged rows in the lake: bills by period and day, telemetry by day.

A delivery whose bytes and SQL are known is not read again. A restated one is hashed by day while
it is read, and only the days that differ are written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queries import ModelError
from queries.catalog import DAY, HOME, canonical_columns
from queries.engines.duckdb import Error, MachineError
from queries.lake import write
from queries.manifest import StagedGroup, digest
from queries.raw import create_raw_view, declaration, find_bad_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from queries.catalog import Model
    from queries.engines.duckdb import Connection
    from queries.raw import Declared, Landed


class DeliveryError(Exception):
    """One delivery cannot be read; the others can."""

    def __init__(self, delivery: Landed, error: ModelError) -> None:
        """Blame `delivery`; `error` says why, for the reader."""
        super().__init__(str(error))
        self.delivery = delivery
        self.error = error


_DAYS_AT_ONCE = 7
"""Telemetry staged in one go: a first night may bring months of it, and memory is bounded."""
_DAY_UNIT = re.compile(r"^\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class Stager:
    """Stages the deliveries of one model."""

    con: Connection
    model: Model
    sql: str
    """The model's SQL, its parameters filled in."""
    connector: str
    table: Declared
    lake: Path
    progress: Callable[[str], None]

    @property
    def model_digest(self) -> str:
        """What the rows depend on besides the delivery."""
        files = ("raw.py", "raw_values.py", "shapes.py")
        reader = [(HOME / name).read_text(encoding="utf-8") for name in files]
        macros = (HOME / "macros.sql").read_text(encoding="utf-8")
        seeds = sorted(
            table.removeprefix("seeds.") for table in self.model.reads if "seeds." in table
        )
        looked_up = [(HOME / "seeds" / f"{seed}.csv").read_text(encoding="utf-8") for seed in seeds]
        return digest(self.sql, reader, macros, looked_up, declaration(self.table))

    def stage(
        self, landed: Sequence[Landed], before: Mapping[str, StagedGroup]
    ) -> dict[str, StagedGroup]:
        """Return every group's rows, staged anew where the deliveries or the SQL changed.

        Raises: ModelError for a value that is not of its declared type.
        """
        groups: dict[str, list[Landed]] = {}
        for delivery in newest(landed):
            groups.setdefault(_group_of(delivery), []).append(delivery)
        return {
            key: self._stage_group(key, deliveries, before.get(key))
            for key, deliveries in sorted(groups.items())
        }

    def _stage_group(
        self, key: str, deliveries: Sequence[Landed], before: StagedGroup | None
    ) -> StagedGroup:
        units = {delivery.unit: _content_of(delivery) for delivery in deliveries}
        if before is None or before.model != self.model_digest:
            before = StagedGroup(self.model_digest)
        changed = [
            delivery
            for delivery in deliveries
            if before.units.get(delivery.unit) != units[delivery.unit]
        ]
        gone = set(before.units) - set(units)
        if not changed and not gone:
            return before
        self.progress(f"stage {self.model.name} {key}: {len(changed)} of {len(deliveries)} units")
        by_day = _DAY_UNIT.match(next(iter(units)))
        try:
            if by_day:
                return self._stage_days(key, units, changed, before, gone)
            return self._stage_period(key, units, changed, before)
        except MachineError as error:
            raise self._cannot_work(key, error) from error
        except Error as error:
            raise self._blame(changed, error) from error

    def _cannot_work(self, key: str, error: Exception) -> ModelError:
        return ModelError(
            f"{self.model.name} cannot be staged on this machine: {str(error).splitlines()[0]}",
            where=key,
            fix="free disk space, or raise [engine] memory_limit; nothing is lost",
        )

    def _blame(self, changed: Sequence[Landed], error: Exception) -> DeliveryError:
        """Find the delivery that cannot be read, and the value in it."""
        for delivery in changed:
            try:
                self._create_view([delivery])
                self._hash_days("select * from staged")
            except Error as own_error:
                bad = find_bad_value(self.con, self.table, [delivery])
                return DeliveryError(delivery, bad or self._cannot_read(delivery, own_error))
        return DeliveryError(changed[0], self._cannot_read(changed[0], error))

    def _cannot_read(self, delivery: Landed, error: Exception) -> ModelError:
        return ModelError(
            f"{self.model.name} cannot read a delivery: {str(error).splitlines()[0]}",
            where=f"source {delivery.source}, {delivery.unit}: "
            + ", ".join(file.name for file in delivery.files[:3]),
            fix="have the source write it again; the last good delivery stays in force",
        )

    def _stage_days(
        self,
        key: str,
        units: dict[str, str],
        changed: Sequence[Landed],
        before: StagedGroup,
        gone: set[str],
    ) -> StagedGroup:
        """Stage units that are days: the day is the unit, so whole days are replaced."""
        after = StagedGroup(before.model, units, {}, before.table)
        after.table.replace(gone, None)
        for start in range(0, len(changed), _DAYS_AT_ONCE):
            batch = changed[start : start + _DAYS_AT_ONCE]
            days = sorted(delivery.unit for delivery in batch)
            self._create_view(batch)
            path = self._path(key, [units[day] for day in days])
            in_days = ", ".join(f"date '{day}'" for day in days)
            query = f"select * from staged where {DAY} in ({in_days})"
            after.table.replace(days, write(self.con, query, self.lake, path))
        return after

    def _stage_period(
        self, key: str, units: dict[str, str], changed: Sequence[Landed], before: StagedGroup
    ) -> StagedGroup:
        """Stage a bill's period: all of it the first time, then the days that differ."""
        self._create_view(changed)
        path = self._path(key, units.values())
        after = StagedGroup(before.model, units, {}, before.table)
        if not before.units:
            written = write(self.con, "select * from staged", self.lake, path)
            after.table.replace(set(), written)
            return after
        old = before.hashes or self._hash_days(after.table.scan(self.lake))
        new = self._hash_days("select * from staged")
        days = {day for day in old.keys() | new.keys() if old.get(day) != new.get(day)}
        after.hashes = new
        written = None
        if days & new.keys():
            in_days = ", ".join(f"date '{day}'" for day in sorted(days))
            query = f"select * from staged where {DAY} in ({in_days})"
            written = write(self.con, query, self.lake, path)
        after.table.replace(days, written)
        return after

    def _hash_days(self, query: str | None) -> dict[str, str]:
        if query is None:
            return {}
        rows = self.con.execute(
            f"select cast(line.{DAY} as varchar), count(*), bit_xor(hash(line)), "
            f"sum(cast(hash(line) as hugeint)) from ({query}) as line group by line.{DAY}"
        ).fetchall()
        return {row[0]: f"{row[1]}-{row[2]}-{row[3]}" for row in rows}

    def _path(self, key: str, contents: Iterable[str]) -> str:
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", key)
        return f"{self.model.name}/{safe}/{digest(self.model_digest, contents)[:24]}.parquet"

    def _create_view(self, landed: Sequence[Landed]) -> None:
        create_raw_view(self.con, self.connector, self.table, landed)
        self.con.execute(f"create or replace temp view staged as {self.sql}")
        if self.model.feeds is not None:
            check_feed(self.con, self.model, "staged")


def newest(landed: Sequence[Landed]) -> list[Landed]:
    """Return the delivery of each unit that counts: the one with the highest `version_at`."""
    best: dict[tuple[str, str], Landed] = {}
    for delivery in landed:
        key = (delivery.source, delivery.unit)
        other = best.get(key)
        if other is None or (other.version_at, other.landed_at) < (
            delivery.version_at,
            delivery.landed_at,
        ):
            best[key] = delivery
    return [best[key] for key in sorted(best)]


def check_feed(con: Connection, model: Model, relation: str) -> None:
    """Prove that a feeder yields its canonical table's columns, no more and no less.

    Raises: ModelError
    """
    wanted = {
        column: _type_of(con, kind)
        for column, kind in canonical_columns()[f"staging.{model.feeds}"].items()
    }
    given = {row[0]: row[1] for row in con.execute(f"describe {relation}").fetchall()}
    wrong = [
        f"{column} is {given.get(column, 'absent')}, not {wanted.get(column, 'wanted')}"
        for column in sorted(wanted.keys() | given.keys())
        if given.get(column) != wanted.get(column)
    ]
    if wrong:
        raise ModelError(
            f"{model.name} does not yield the columns of staging.{model.feeds}: {'; '.join(wrong)}",
            where=f"queries/staging/{model.name.partition('.')[2]}.sql",
            fix="queries/staging/contracts.sql lists them",
        )


def _type_of(con: Connection, kind: str) -> str:
    row = con.execute(f"select typeof(cast(null as {kind}))").fetchone()
    return str(row[0]) if row else kind


def _group_of(delivery: Landed) -> str:
    """Days of one source are staged together; a bill's period stands alone."""
    if _DAY_UNIT.match(delivery.unit):
        return f"{delivery.source}/days"
    return f"{delivery.source}/{delivery.unit}"


def _content_of(delivery: Landed) -> str:
    return digest(delivery.source, delivery.unit, [file.sha256 for file in delivery.files])
