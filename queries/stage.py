"""Deliveries -> staged rows in the lake: bills by period and day, telemetry by day.

A delivery whose bytes and SQL are known is not read again. A restated one is hashed by day while
it is read, and only the days that differ are written.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from queries import ModelError
from queries.catalog import DAY, HOME, LINES, canonical_columns, shared_macros
from queries.engines.duckdb import (
    Error,
    MachineError,
    StoppedError,
    in_days,
    literal,
    name,
    reading_text,
)
from queries.lake import write
from queries.landed import declaration
from queries.manifest import StagedGroup, digest
from queries.packing import ALIKE, MAPS, OF_A_BILL, Packing, proven
from queries.raw import create_raw_view, find_bad_value, show_raw
from queries.raw_days import DayReader, RawDays, gathering, only_days
from queries.shapes import is_big_text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from queries.catalog import Model
    from queries.engines.duckdb import Connection
    from queries.landed import Declared, Landed


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
    superseded: Sequence[Landed] = ()
    """Versions that count no more, whose files are there still."""

    @property
    def model_digest(self) -> str:
        """What the rows depend on besides the delivery."""
        files = ("packing.py", "raw.py", "raw_values.py", "shapes.py", "unpacked.py")
        reader = [(HOME / name).read_text(encoding="utf-8") for name in files]
        seeds = sorted(
            table.removeprefix("seeds.") for table in self.model.reads if "seeds." in table
        )
        looked_up = [(HOME / "seeds" / f"{seed}.csv").read_text(encoding="utf-8") for seed in seeds]
        return digest(self.sql, reader, shared_macros(), looked_up, declaration(self.table))

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
            with (
                self._unpacked(changed) as readable,
                reading_text(self.con) if is_text(readable) else nullcontext(),
            ):
                if by_day:
                    return self._stage_days(key, units, readable, before, gone)
                return self._stage_period(key, units, readable, before)
        except MachineError as error:
            raise self._cannot_work(key, error) from error
        except Error as error:
            raise self._blame(changed, error) from error

    def _unpacked(self, changed: Sequence[Landed]) -> AbstractContextManager[Sequence[Landed]]:
        files = [file for delivery in changed for file in delivery.files]
        if not self.table.is_bill or not any(map(is_big_text, files)):
            return nullcontext(changed)
        from queries.unpacked import unpacked  # noqa: PLC0415 - what it reads with is slow to load

        row = self.con.execute("select current_setting('threads')").fetchone() or (1,)
        columns = self._columns_read()
        return unpacked(self.table, columns, changed, self.lake / self.model.name, int(row[0]))

    def _columns_read(self) -> set[str]:
        """Return the declared columns that the model may read: it names them, or yields them."""
        words = set(re.findall(r"\w+", self.sql.lower()))
        if self.model.feeds is not None:
            words |= set(canonical_columns()[f"staging.{self.model.feeds}"])
        return {column for column in self.table.columns if column.lower() in words}

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

    def _has_no_day(self, delivery: Landed) -> ModelError:
        return ModelError(
            "there are lines without a day",
            where=f"source {delivery.source}, {delivery.unit}, {' and '.join(self.model.dated)}",
            fix="have the source give every line the time it is for",
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
        after = StagedGroup(before.model, units, table=before.table)
        after.table.replace(gone, None)
        for start in range(0, len(changed), _DAYS_AT_ONCE):
            batch = changed[start : start + _DAYS_AT_ONCE]
            days = sorted(delivery.unit for delivery in batch)
            self._create_view(batch)
            path = self._path(key, [units[day] for day in days])
            written = write(self.con, _of_days(days), self.lake, path, self._packing())
            after.table.replace(days, written)
        return after

    def _stage_period(
        self, key: str, units: dict[str, str], changed: Sequence[Landed], before: StagedGroup
    ) -> StagedGroup:
        """Stage a bill's period: all of it the first time, then the days that differ."""
        raw = self._create_view(changed)
        after = StagedGroup(before.model, units, table=before.table)
        if not before.units:
            packing = self._packing() if is_text(changed) else self._packing_of_all(raw)
            path = self._path(key, units.values())
            written = write(self.con, "select * from staged", self.lake, path, packing)
            after.table.replace(set(), written)
            return after
        found = self._read_days(changed)
        after.raw_days = dict(found.digests)
        known = (before.raw_days or self._raw_days_of(before)) if found.digests else {}
        if known:
            days = _differing(known, after.raw_days)
            there = days & found.digests.keys()
            if there:
                lines = only_days(raw, self.model, there, is_reaching=found.is_reaching)
                show_raw(self.con, self.connector, self.table, lines)
            if there and found.are_few(there):
                raw_table = f"raw.{self.connector}__{self.table.name}"
                self._show_staged(gathering(self.sql, raw_table, sorted(self._columns_read())))
            self._replace_days(key, after, days, there)
        else:
            self._replace_rows(key, after, changed, before.hashes)
        return after

    def _raw_days_of(self, before: StagedGroup) -> Mapping[str, str]:
        """Return the days of the raw lines that were staged before; none where it cannot be told.

        Text is not unpacked for it: that takes longer than to stage what is unpacked already.
        """
        staged = [row for row in self.superseded if before.units.get(row.unit) == _content_of(row)]
        if not before.units.keys() <= {row.unit for row in staged} or is_text(staged):
            return {}
        try:
            return self._day_reader().read(staged).digests
        except StoppedError:
            raise
        except (Error, ModelError):  # it counts no more, and what is staged of it does
            return {}

    def _day_reader(self) -> DayReader:
        return DayReader(self.con, self.model, self.table, self._columns_read())

    def _read_days(self, changed: Sequence[Landed]) -> RawDays:
        """Return the days of raw lines; none where the model does not say which day one is of."""
        if not self.model.dated:
            return RawDays({}, is_reaching=False)
        found = self._day_reader().read(changed)
        if "" in found.digests:
            raise DeliveryError(changed[0], self._has_no_day(changed[0]))
        return found

    def _replace_rows(
        self, key: str, after: StagedGroup, changed: Sequence[Landed], hashes: Mapping[str, str]
    ) -> None:
        """Look at all staged lines, to see by their rows which days differ, and replace those."""
        with self._read_once(changed, self._path(key, after.units.values())):
            old = hashes or self._hash_days(after.table.scan(self.lake))
            after.hashes = self._hash_days("select * from staged")
            days = _differing(old, after.hashes)
            self._replace_days(key, after, days, days & after.hashes.keys())

    def _replace_days(
        self, key: str, after: StagedGroup, days: set[str], there: Collection[str]
    ) -> None:
        """Put what is staged in the place of some days; `there` are those of them that have lines.

        The file's name says its days, too: a delivery may come again, other days having changed.
        """
        written = None
        if there:
            path = self._path(key, [*after.units.values(), *sorted(there)])
            written = write(self.con, _of_days(there), self.lake, path, self._packing())
        after.table.replace(days, written)

    def _packing(self) -> Packing:
        return Packing(alike=ALIKE, as_text=MAPS) if self.model.feeds == LINES else Packing()

    def _packing_of_all(self, raw: str) -> Packing:
        """Return how all lines of a bill are to be written, whose raw rows are those of `raw`."""
        packing = self._packing()
        if not packing.alike:
            return packing
        show_raw(self.con, self.connector, self.table, f"select * from ({raw}) limit 1")
        first = self.con.execute(f"select {', '.join(OF_A_BILL)} from staged").fetchone()
        show_raw(self.con, self.connector, self.table, raw)
        guesses = dict(zip(OF_A_BILL, first, strict=True)) if first else {}
        return replace(packing, constants=proven(self.con, "staged", guesses))

    @contextmanager
    def _read_once(self, changed: Sequence[Landed], path: str) -> Iterator[None]:
        """Let `staged` be a file for a while where it comes from text, which each query unpacks."""
        rows = "select * from staged"
        written = write(self.con, rows, self.lake, f"{path}.once") if is_text(changed) else None
        if written is None:
            yield
            return
        once = self.lake / written.path
        scan = f"select * from read_parquet({literal(str(once))})"
        self.con.execute(f"create or replace temp view staged as {scan}")
        try:
            yield
        finally:
            once.unlink()

    def _hash_days(self, query: str | None) -> dict[str, str]:
        if query is None:
            return {}
        columns = ", ".join(name(row[0]) for row in self.con.execute("describe staged").fetchall())
        rows = self.con.execute(
            f"select cast(line.{DAY} as varchar), count(*), bit_xor(hash(line)), "
            f"sum(cast(hash(line) as hugeint)) from (select {columns} from ({query})) as line "
            f"group by line.{DAY}"
        ).fetchall()
        return {row[0]: f"{row[1]}-{row[2]}-{row[3]}" for row in rows}

    def _path(self, key: str, contents: Iterable[str]) -> str:
        safe = re.sub(r"[^A-Za-z0-9._-]", "_", key)
        return f"{self.model.name}/{safe}/{digest(self.model_digest, contents)[:24]}.parquet"

    def _create_view(self, landed: Sequence[Landed]) -> str:
        """Show deliveries as `staged`; returns the query of their raw rows."""
        raw = create_raw_view(self.con, self.connector, self.table, landed)
        self._show_staged(self.sql)
        if self.model.feeds is not None:
            check_feed(self.con, self.model, "staged")
        return raw

    def _show_staged(self, sql: str) -> None:
        self.con.execute(f"create or replace temp view staged as {sql}")


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    return {day for day in old.keys() | new.keys() if old.get(day) != new.get(day)}


def _of_days(days: Collection[str]) -> str:
    return f"select * from staged where {in_days(DAY, days)}"


def is_text(landed: Sequence[Landed]) -> bool:
    """Tell whether any file of some deliveries is text, which every query unpacks anew."""
    return any(file.format != "parquet" for delivery in landed for file in delivery.files)


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
    wanted = _types_of(con, canonical_columns()[f"staging.{model.feeds}"])
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


def _types_of(con: Connection, columns: Mapping[str, str]) -> dict[str, str]:
    """Return the columns' types as the engine calls them, asked in one go: it is asked often."""
    nulls = ", ".join(f"cast(null as {kind}) as {column}" for column, kind in columns.items())
    return {row[0]: row[1] for row in con.execute(f"describe select {nulls}").fetchall()}


def _group_of(delivery: Landed) -> str:
    """Days of one source are staged together; a bill's period stands alone."""
    if _DAY_UNIT.match(delivery.unit):
        return f"{delivery.source}/days"
    return f"{delivery.source}/{delivery.unit}"


def _content_of(delivery: Landed) -> str:
    return digest(delivery.source, delivery.unit, [file.sha256 for file in delivery.files])
