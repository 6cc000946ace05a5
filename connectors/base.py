"""What every source looks like from outside: a connector yields deliveries.

A connector copies; it never transforms, never guesses a type, never drops a row. What the columns
mean is the business of the staging SQL that reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Literal, Protocol, runtime_checkable

from connectors.hiding import hidden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

ColumnType = Literal["text", "number", "integer", "time", "flag", "tags"]
"""number: DECIMAL(38,12); integer: BIGINT; time: TIMESTAMP in UTC; tags: MAP(text, text)."""

Format = Literal["csv", "csv.gz", "json", "json.gz", "parquet"]
"""json: an object per line, as BigQuery extracts a table."""


class SourceError(Exception):
    """A source cannot be read. The notes say where, and how to put it right."""

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        """Say what is wrong in one line, `where` it is, and the `fix`; secrets are left out."""
        super().__init__(hidden(what))
        self.add_note(f"in:  {hidden(where)}")
        self.add_note(f"fix: {fix}")


@dataclass(frozen=True, slots=True)
class Table:
    """One kind of record a source delivers, with the columns that mlspend reads.

    A declared column that a file lacks reads as null; one that is not declared stays in the raw
    file and is reported by `mlspend sources`.
    """

    name: str
    columns: Mapping[str, ColumnType]
    """Column as mlspend names it -> type. Names are compared without regard to case."""
    maps: Mapping[str, str] = field(default_factory=dict)
    """A `tags` column -> prefix of the loose columns packed into it (`resourceTags/`)."""
    rename: Callable[[str], str] | None = None
    """A header as delivered -> the declared name; none where the two are the same."""
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """A declared column -> what else a source calls it, read where it is absent; the first counts.

    Compared after `rename`, without regard to case.
    """
    of_file: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    """A `text` column that no file holds -> what a file's name says of all its rows."""
    month_first: bool = False
    """Whether times in text may be MM/DD/YYYY: each file is of one way, told by its first time."""
    null_marks: Sequence[str] = ("",)
    """Texts that mean null in CSV."""
    is_bill: bool = False
    of_export: Sequence[str] = ()
    """Of a bill, columns in which a line differs from one export to the next, in small letters.

    Numbers of lines, and of invoices: there is none before the month is closed.
    """


@dataclass(frozen=True, slots=True)
class Checksum:
    """A digest that the source itself states for a file."""

    algorithm: Literal["md5", "sha256"]
    hex_digest: str


class SourceFile(Protocol):
    """One file of a delivery, not read yet."""

    @property
    def name(self) -> str:
        """The file as the source names it, unique within its delivery; errors quote it."""
        ...

    @property
    def format(self) -> Format:
        """How the bytes are to be read."""
        ...

    @property
    def size(self) -> int | None:
        """Bytes, where the source states them."""
        ...

    @property
    def checksum(self) -> Checksum | None:
        """The digest that the source states, if it does."""
        ...

    def open(self) -> BinaryIO:
        """Open the bytes for one reading from the start; the caller closes it."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One unit of one table, whole; of several versions the one with the highest `version_at`."""

    table: str
    unit: str
    """What the source restates as a whole: a billing period `2026-10`, a day `2026-10-03`."""
    version: str
    """The source's own word for this state of the unit; equal versions hold equal data."""
    version_at: datetime
    """UTC; orders the versions of a unit."""
    files: Sequence[SourceFile]
    cursor: str | None = None
    """For the connector's own use: handed back the next night by `Known.cursor`."""
    stated_rows: int | None = None
    """Rows as the source's manifest states them."""
    note: str = ""
    """What fetching it took, for the line of progress."""
    is_plain: bool = False
    """Whether files stand for themselves: nothing but their lines tells whether two are one."""


class Known(Protocol):
    """What earlier nights have landed of this source."""

    def has(self, table: str, unit: str, version: str) -> bool:
        """Tell whether this version of this unit lies in the raw store already."""
        ...

    def cursor(self, table: str) -> str | None:
        """Return the cursor of the newest delivery of `table`, none on the first night."""
        ...


class Connector(Protocol):
    """One configured source. A frozen dataclass: its fields are its table in the config file."""

    name: ClassVar[str]
    tables: ClassVar[Sequence[Table]]

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield what is new, oldest unit first.

        Raises: SourceError for what stops this source; deliveries yielded before stay good.
        """
        ...


@dataclass(frozen=True, slots=True)
class Stated:
    """What a provider itself says that it billed."""

    billing_period: str
    """YYYY-MM."""
    billing_currency: str
    """ISO 4217."""
    billed_cost: Decimal


@runtime_checkable
class Checked(Protocol):
    """A connector that can tell by its settings alone that they cannot be meant."""

    def check(self) -> None:
        """Refuse settings that contradict each other.

        Raises: SourceError
        """
        ...


@runtime_checkable
class Telling(Protocol):
    """A connector whose provider can be asked what it billed, apart from what it delivered."""

    def stated(self, periods: Sequence[str]) -> Sequence[Stated]:
        """Return what was billed in months YYYY-MM; none where it is not configured to ask.

        Raises: SourceError where the provider cannot be asked.
        """
        ...

    def exports(self) -> Sequence[str]:
        """Return a line about each export that the provider has; none as above.

        Raises: SourceError where the provider cannot be asked.
        """
        ...
