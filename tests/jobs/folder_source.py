"""A source that is a folder: the smallest real connector, for tests of what the jobs do with one.

`<root>/<table>/<unit>/<version>/<files>`; a file `stated.json` beside them states sizes and
digests: `{"part.csv": {"size": 12, "sha256": "..."}}`.
"""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from connectors.base import Checksum, Delivery, Format, SourceError, Table
from jobs.ledger import LedgerTotal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from connectors.base import Known

LINES = Table(
    "lines",
    {"account": "text", "period": "text", "month": "text", "currency": "text", "cost": "number"},
    is_bill=True,
)
RUNS = Table("runs", {"run": "text", "at": "time"})


@dataclass(frozen=True, slots=True)
class FolderFile:
    """One file, with what is stated of it."""

    path: Path
    size: int | None = None
    checksum: Checksum | None = None

    @property
    def name(self) -> str:
        """Its name in the folder."""
        return self.path.name

    @property
    def format(self) -> Format:
        """By its ending."""
        return cast("Format", self.path.name.partition(".")[2])

    def open(self) -> BinaryIO:
        """Open it."""
        return self.path.open("rb")


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder of deliveries."""

    root: str
    token_env: str | None = None
    tags: tuple[str, ...] = ()
    days: int = 7
    is_strict: bool = False

    name: ClassVar[str] = "folder"
    tables: ClassVar[Sequence[Table]] = (LINES, RUNS)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield every version that is not known; versions are named by their time."""
        if not Path(self.root).is_dir():
            raise SourceError("there is no such folder", where=self.root, fix="make it")
        for folder in sorted(Path(self.root).glob("*/*/*")):
            table, unit, version = folder.parts[-3:]
            if not known.has(table, unit, version):
                yield delivery_of(folder, table, unit, version)


def delivery_of(folder: Path, table: str, unit: str, version: str) -> Delivery:
    """Return a version's folder as a delivery."""
    stated = folder / "stated.json"
    facts = json.loads(stated.read_text(encoding="utf-8")) if stated.exists() else {}
    files = []
    for path in sorted(folder.iterdir()):
        if path == stated:
            continue
        fact = facts.get(path.name, {})
        checksum = Checksum("sha256", fact["sha256"]) if "sha256" in fact else None
        files.append(FolderFile(path, fact.get("size"), checksum))
    return Delivery(
        table=table,
        unit=unit,
        version=version,
        version_at=datetime.fromisoformat(version),
        files=files,
    )


def write_version(
    root: Path, unit: str, version: str, lines: str, *, name: str = "part.csv"
) -> Path:
    """Write a bill's version: `lines` are `account,period,month,currency,cost`, `;` between."""
    folder = root / "lines" / unit / version
    folder.mkdir(parents=True)
    text = "account,period,month,currency,cost\n" + lines.replace(";", "\n") + "\n"
    data = gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode()
    (folder / name).write_bytes(data)
    return folder


def sum_lines(raw_name: str, paths: Sequence[Path], names: Sequence[str]) -> list[LedgerTotal]:
    """Sum the bills that `write_version` wrote."""
    assert raw_name == "folder__lines"
    assert len(names) == len(paths)
    sums: dict[tuple[str, str, str, str], list[Decimal]] = {}
    for path in paths:
        opener = gzip.open if path.name.endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(cast("Iterator[str]", lines)):
                key = (row["account"], row["period"], row["month"], row["currency"])
                sums.setdefault(key, []).append(Decimal(row["cost"]))
    return [
        LedgerTotal(
            provider="Folder",
            billing_account_id=account,
            billing_period=period,
            charge_month=month,
            billing_currency=currency,
            measure=measure,
            rows=len(costs),
            amount=sum(costs, Decimal(0)),
            beyond=Decimal(0),
        )
        for (account, period, month, currency), costs in sums.items()
        for measure in ("billed_cost", "effective_cost")
    ]
