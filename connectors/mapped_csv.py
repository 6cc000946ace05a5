"""Any invoice as CSV or Parquet: the config says which of its columns hold what.

For what no other connector reads: labelling vendors, GPU rental, Selectel, colocation. One source
per kind of invoice. Every file under the root is read, and taken for the month that its path names
(see `billing_files`), else for a unit of its own; a file is replaced as a whole.

The lines land with mlspend's names for the columns that are named, their cells as they are written,
and all other cells beside them.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

from connectors.base import SourceError, Table
from connectors.billing_files import plain_deliveries, raise_all
from connectors.local import FrameFile
from connectors.mapped_lines import Layout, read_lines
from connectors.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Delivery, Known, SourceFile

_NAMED = (
    "date",
    "cost",
    "currency",
    "account",
    "service",
    "category",
    "description",
    "resource",
    "region",
    "invoice",
    "quantity",
    "unit",
)
_CLASSES = (
    "instance",
    "managed_job",
    "volume",
    "object_storage",
    "transfer",
    "support",
    "tax",
    "credit",
    "saas",
    "other",
)
_TEXTS = ("line_no", *_NAMED[1:], "provider", "line_class", "decimal_mark")


@dataclass(frozen=True, slots=True)
class MappedCsv:
    """One kind of invoice."""

    root: str
    """Where the files lie: a folder, or `s3://bucket/prefix`."""
    provider: str
    """Who sends the invoice."""
    date: str
    """The column that holds the day of the charge."""
    cost: str
    """The column that holds what is billed."""
    currency: str
    """The column that holds the currency, as EUR; or `=EUR`, the currency of every line."""
    account: str = ""
    """The column that holds the billing account; or else `account_id`."""
    account_id: str = ""
    """The billing account of every line; two sources of one provider need different ones."""
    service: str = ""
    """The column that holds the service."""
    category: str = ""
    """The column that holds the kind of service."""
    description: str = ""
    """The column that holds what the line is for."""
    resource: str = ""
    """The column that holds the id of what is paid for: a server, a bucket."""
    region: str = ""
    """The column that holds the region."""
    invoice: str = ""
    """The column that holds the invoice's number."""
    quantity: str = ""
    """The column that holds how much was used."""
    unit: str = ""
    """The column that holds the unit of the quantity."""
    tags: tuple[str, ...] = ()
    """Columns that say whose it is; their headers are the tags' keys."""
    line_class: str = "saas"
    """What the lines pay for; `instance` lets runs share machines that `resource` names."""
    date_format: str = ""
    """How days are written, such as %d.%m.%Y; empty: 2026-10-03."""
    decimal_comma: bool = False
    """Whether costs are written 1.234,50."""
    delimiter: str = ","
    """What stands between the fields of CSV."""
    encoding: str = "utf-8"
    """How text is encoded."""
    has_total: bool = False
    """Whether the last line is the total: it is held against the others, and left out."""

    name: ClassVar[str] = "mapped_csv"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "lines",
            {"date": "time", **dict.fromkeys(_TEXTS, "text"), "tags": "tags", "cells": "tags"},
            is_bill=True,
            of_export=("line_no",),
        ),
    )

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises: SourceError
        """
        for text, what, fix in self._mistakes():
            raise SourceError(f"{text} {what}", where="[connectors.mapped_csv]", fix=fix)

    def _mistakes(self) -> Iterator[tuple[str, str, str]]:
        for key in ("provider", "date", "cost", "currency"):
            if not getattr(self, key).strip():
                yield key, "is empty", f"say what the {key} is"
        if self.currency.startswith("=") and not re.fullmatch(r"=[A-Z]{3}", self.currency):
            yield f'currency "{self.currency}"', "is no code", "write it as =EUR, or name a column"
        if self.account and self.account_id:
            yield "account and account_id", "are both given", "give one of them"
        if self.line_class not in _CLASSES:
            yield f'line_class "{self.line_class}"', "is not known", f"one of {', '.join(_CLASSES)}"
        if len(self.delimiter) != 1 or self.delimiter in '"\n\r':
            yield f"delimiter {self.delimiter!r}", "is not one sign", 'write ";" or "\\t"'
        if self.date_format and not {"%Y", "%m", "%d"} <= set(
            re.findall("%.", self.date_format.replace("%b", "%m").replace("%B", "%m"))
        ):
            yield f'date_format "{self.date_format}"', "lacks a part", "it needs %Y, %m and %d"
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            yield f'encoding "{self.encoding}"', "is not known", "write utf-8, cp1251 or the like"

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each month, or file without one, that is new or changed, in the order of names.

        Raises: SourceError for an invoice that cannot be read, after the others.
        """
        store = open_store(self.root)
        errors: list[SourceError] = []
        found = plain_deliveries(
            "lines", store, store.files(), _Mapped(known, self._digest), one_tree=False
        )
        try:
            for delivery in found:
                try:
                    files = [self._mapped(file) for file in delivery.files]
                except SourceError as error:
                    errors.append(error)
                    continue
                version = _version(delivery.version, self._digest)
                yield replace(delivery, version=version, files=files)
        except SourceError as error:
            errors.append(error)
        raise_all(errors)

    @property
    def _digest(self) -> str:
        """What changes when the config says something else of the same files."""
        said = [(each.name, getattr(self, each.name)) for each in fields(self)]
        return hashlib.sha256(repr(said).encode()).hexdigest()[:12]

    @property
    def _layout(self) -> Layout:
        columns: Mapping[str, str] = {key: getattr(self, key) for key in _NAMED}
        return Layout(
            columns={
                key: header
                for key, header in columns.items()
                if header and not (key == "currency" and header.startswith("="))
            },
            tags=self.tags,
            date_format=self.date_format,
            decimal_mark="," if self.decimal_comma else ".",
            delimiter=self.delimiter,
            encoding=self.encoding,
            currency_code=self.currency[1:] if self.currency.startswith("=") else "",
            has_total=self.has_total,
        )

    def _mapped(self, file: SourceFile) -> FrameFile:
        import polars as pl  # noqa: PLC0415  (slow to import; most nights read no new file)

        is_text = file.format != "parquet"
        layout = self._layout if is_text else replace(self._layout, decimal_mark=".")
        rows = read_lines(file, layout)
        for row in rows:
            row["provider"], row["line_class"] = self.provider, self.line_class
            row["decimal_mark"] = layout.decimal_mark
            row["account"] = row.get("account", "") or self.account_id
        columns = self.tables[0].columns
        cells = [{column: row.get(column) or None for column in columns} for row in rows]
        return FrameFile(file.name, pl.DataFrame(cells, schema=dict.fromkeys(columns, pl.String)))


@dataclass(frozen=True, slots=True)
class _Mapped:
    """What earlier nights have landed, by the versions of files as they lie there."""

    known: Known
    digest: str

    def has(self, table: str, unit: str, version: str) -> bool:
        """Tell whether these files have landed, read as they are read now."""
        return self.known.has(table, unit, _version(version, self.digest))

    def cursor(self, table: str) -> str | None:
        """Return none: files have no cursor."""
        return self.known.cursor(table)


def _version(files: str, digest: str) -> str:
    return f"{files}-{digest}"
