"""What a delivery is to the warehouse: files that have landed, and what their table declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path


class Declared(Protocol):
    """What a connector says of one of its tables; `connectors.base.Table` is one."""

    @property
    def name(self) -> str:
        """The table."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Declared column -> type, a key of TYPES."""
        ...

    @property
    def maps(self) -> Mapping[str, str]:
        """A `tags` column -> prefix of the loose columns packed into it."""
        ...

    @property
    def rename(self) -> Callable[[str], str] | None:
        """Header as delivered -> declared name."""
        ...

    @property
    def aliases(self) -> Mapping[str, Sequence[str]]:
        """A declared column -> its other names, the first that is there counts."""
        ...

    @property
    def of_file(self) -> Mapping[str, Callable[[str], str]]:
        """A `text` column -> what a file's name says of all its rows."""
        ...

    @property
    def month_first(self) -> bool:
        """Whether times in text may be MM/DD/YYYY."""
        ...

    @property
    def null_marks(self) -> Sequence[str]:
        """Texts that mean null in CSV."""
        ...

    @property
    def is_bill(self) -> bool:
        """Whether its rows are money."""
        ...


def declaration(table: Declared) -> str:
    """Return what a table declares as one text: where it differs, files read differently."""
    columns = [f"{column} {kind}" for column, kind in table.columns.items()]
    maps = [f"{column} {prefix}" for column, prefix in table.maps.items()]
    aliases = [f"{column} {' '.join(names)}" for column, names in table.aliases.items()]
    told = [*table.of_file, "month first" if table.month_first else ""]
    return repr((table.name, columns, maps, aliases, told, list(table.null_marks)))


@dataclass(frozen=True, slots=True)
class LandedFile:
    """One file in the raw store."""

    path: Path
    name: str
    """As the source names it."""
    format: str
    """csv, csv.gz, json, json.gz or parquet."""
    sha256: str
    kept: tuple[tuple[str, str], ...] = ()
    """Of text that was made Parquet: its columns there, each with its header."""
    few: frozenset[str] = frozenset()
    """Of these columns, those that say few things many times over."""


@dataclass(frozen=True, slots=True)
class Landed:
    """One delivery in the raw store."""

    source: str
    connector: str
    table: str
    unit: str
    version: str
    version_at: datetime
    """UTC, without a zone."""
    files: tuple[LandedFile, ...]
    landed_at: datetime
    """UTC, without a zone."""

    @property
    def raw_name(self) -> str:
        """`<connector>__<table>`: the raw table, and the stem of the staging models over it."""
        return f"{self.connector}__{self.table}"
