"""DuckDB, in this process, within a memory limit: the engine that a night runs on.

Every command pays for what it loads, so this is the engine alone (`_duckdb`): the Python package
around it takes four times as long to load, and adds relations and frames, which nothing here uses.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import _duckdb as duckdb

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

ENGINE_VERSION: str = duckdb.__version__
Connection = duckdb.DuckDBPyConnection
Error = duckdb.Error
MachineError = (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InterruptException)
"""What the machine refuses (memory, disk) or a person stops: no delivery is to blame for it."""
MemoryLimitError = duckdb.OutOfMemoryException
StoppedError = duckdb.InterruptException
NotListedError = duckdb.ConversionException
"""Among other texts that cannot be cast: one that is not in the list of its type."""

STORAGE_VERSION = "v1.4.0"
"""Published files are written so that BI tools on DuckDB 1.4 and 1.5 can open them."""


_UNITS = {"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_TEXT_MEMORY = 750_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a night may use of the machine."""

    memory: str = "1500MB"
    """As DuckDB writes it; the process may take 15 % more."""
    threads: int = 2
    spill: Path | None = None
    """Where what does not fit into memory goes; none: nowhere."""


def connect(limits: Limits) -> Connection:
    """Open an empty database in memory, in UTC, that keeps to `limits`.

    It makes no checkpoints: they pack tables that are soon thrown away, all work waiting for it.
    """
    con = duckdb.connect(
        config={"autoinstall_known_extensions": "false", "python_enable_replacements": "false"}
    )
    _settle(con)
    con.execute(f"set memory_limit = {literal(limits.memory)}")
    con.execute(f"set variable memory_limit = {literal(limits.memory)}")
    con.execute(f"set threads = {int(limits.threads)}")
    con.execute("set preserve_insertion_order = false")
    con.execute("set checkpoint_threshold = '1TB'")
    con.execute("set parquet_metadata_cache = true")  # files never change; many queries read each
    if limits.spill is not None:
        limits.spill.mkdir(parents=True, exist_ok=True)
        con.execute(f"set temp_directory = {literal(str(limits.spill))}")
    return con


def another(con: Connection) -> Connection:
    """Open another connection to a database that `connect` opened, for another thread."""
    other = con.cursor()
    _settle(other)
    return other


def _settle(con: Connection) -> None:
    """Set what each connection has of its own."""
    con.execute("set TimeZone = 'UTC'")
    con.execute("set enable_progress_bar = false")


@contextmanager
def reading_text(con: Connection) -> Iterator[None]:
    """Keep to less memory for a while, where `con` may take more.

    Of files of gzipped text that are more than twice its threads DuckDB 2.0 keeps what it has
    unpacked until the limit stops it, and only then lets go of it.
    """
    row = con.execute("select current_setting('memory_limit'), getvariable('memory_limit')")
    shown, configured = row.fetchone() or ("", None)
    number, _, unit = str(shown).partition(" ")
    if configured is None or float(number) * _UNITS.get(unit, 0) <= _TEXT_MEMORY:
        yield
        return
    with suppress(duckdb.OutOfMemoryException):  # tables in memory take more: then as it was
        con.execute(f"set memory_limit = '{_TEXT_MEMORY}B'")
    try:
        yield
    finally:
        con.execute(f"set memory_limit = {literal(configured)}")


def open_read_only(path: Path) -> Connection:
    """Open a database that is not to change, with nothing in reach but itself."""
    return duckdb.connect(
        str(path),
        read_only=True,
        config={
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        },
    )


def literal(text: str) -> str:
    """Quote a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """Quote a text as a SQL identifier."""
    return '"' + text.replace('"', '""') + '"'


def literals(texts: Sequence[str]) -> str:
    """Quote texts as a SQL list."""
    return "[" + ", ".join(literal(text) for text in texts) + "]"


def in_days(column: str, days: Collection[str]) -> str:
    """Return the condition that a date is one of some days (ISO), by the stretches that they form.

    A list of more than a few would become a join, which hides from the planner how many rows a scan
    has: whatever reads them joins the wrong way round, and files of other days are read through.
    """
    stretches: list[list[date]] = []
    for day in sorted(map(date.fromisoformat, days)):
        if stretches and day - stretches[-1][-1] == timedelta(days=1):
            stretches[-1].append(day)
        else:
            stretches.append([day])
    told = [f"{column} between date '{days[0]}' and date '{days[-1]}'" for days in stretches]
    return f"({' or '.join(told)})" if told else "false"


def create_macros(con: Connection, tag_keys: Mapping[str, Sequence[str]]) -> None:
    """Create the shared macros, and `tag_of_<owner>(tags)` for each entry of `tag_keys`.

    `tag_of_team(tags)` is the first of the configured keys under which a line names somebody.
    """
    from queries.catalog import shared_macros  # noqa: PLC0415 - what reads files needs no models

    con.execute(shared_macros())
    for owner, keys in tag_keys.items():
        values = ", ".join(f"named_owner(tags[{literal(key)}])" for key in keys) or "null"
        con.execute(f"create or replace macro tag_of_{owner}(tags) as coalesce({values}, null)")


def create_seeds(con: Connection) -> None:
    """Load the small reference tables, each as `seeds.<file name>`, every column text."""
    from queries.catalog import HOME  # noqa: PLC0415

    con.execute("create schema if not exists seeds")
    for path in sorted((HOME / "seeds").glob("*.csv")):
        header, _, _ = path.read_text(encoding="utf-8").partition("\n")
        columns = ", ".join(f"{literal(column)}: 'varchar'" for column in header.split(","))
        con.execute(
            f"create or replace table seeds.{name(path.stem)} as "
            f"select * from read_csv({literal(str(path))}, header = true, auto_detect = false, "
            f"columns = {{{columns}}})"
        )
