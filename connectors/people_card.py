"""People's time as a bill: what a crew of labellers or engineers costs, and whom it works for.

The card is a CSV of crews:

    crew, currency, price_per_month, starts      needed
    ends, work                                   its last day + 1; what it does, such as Labelling

Whom a crew works for is a second CSV, by fixed shares or by the days worked:

    crew, share, project, team, user, model      of 1; what is missing to 1 is nobody's
    crew, day, days, project, team, user, model  a month's price goes by all days of that month

Without a card no person's time costs anything: nothing is guessed from logins, commits or hours.
Each day of a month bears the same of its price but for the last digit, weekends too, from `starts`
on and once it is over. Each day is split alike, so a month is told anew while its days come in.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import ColumnType, Delivery, Table
from connectors.charged_days import charged_months, check_charge_from
from connectors.local import FrameFile, digest_of
from connectors.people_card_files import CREW, CREW_MORE, FOR, read_people

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known
    from connectors.people_card_files import Crew

_COLUMNS: Mapping[str, ColumnType] = {
    **dict.fromkeys((*CREW, *CREW_MORE, *FOR, "provider", "account", "split"), "text"),
    **dict.fromkeys(("day", "starts", "ends"), "time"),
    **dict.fromkeys(("price_per_month", "part"), "number"),
}


@dataclass(frozen=True, slots=True)
class PeopleCard:
    """A card of people whose work is charged."""

    path: str
    """A CSV of crews."""
    split_path: str = ""
    """A CSV of whom they work for; empty: for nobody in particular."""
    provider: str = "in-house"
    """Who the bill is from; two cards of one provider need different accounts."""
    account: str = ""
    """A name for the cost centre; empty: the card's file name."""
    charge_from: str = ""
    """The first day charged, such as 2026-01-01; empty: the day each crew starts."""

    name: ClassVar[str] = "people_card"
    tables: ClassVar[Sequence[Table]] = (Table("work_days", _COLUMNS, is_bill=True),)

    def __post_init__(self) -> None:
        """Refuse a day that is none.

        Raises: SourceError
        """
        check_charge_from(self.charge_from, self.name)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each month that is new or changed, oldest first.

        Raises: SourceError that lists every mistake of a file.
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what has been charged by the time `at`: all days that are over."""
        crews = read_people(Path(self.path), Path(self.split_path) if self.split_path else None)
        today = at.astimezone(UTC).date()
        first = min(crew.starts for crew in crews)
        for start, end in charged_months(self.charge_from, first, today):
            rows = [row for crew in crews for row in self._rows(crew, start, end)]
            version = self._version(rows)
            if rows and not known.has("work_days", f"{start:%Y-%m}", version):
                yield _delivery(rows, start, version, at)

    def _version(self, rows: Sequence[Mapping[str, str | None]]) -> str:
        """Return what changes with a month's charges, and with the files' times.

        The times are part of it: a card that is put back is a version of its own.
        """
        paths = [Path(self.path), *([Path(self.split_path)] if self.split_path else [])]
        files = [f"{digest_of(path)} {path.stat().st_mtime_ns}" for path in paths]
        facts = [files, [sorted(row.items(), key=str) for row in rows]]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]

    def _rows(self, crew: Crew, start: date, end: date) -> Iterator[dict[str, str | None]]:
        """Yield a row for each day of a month and each whom the crew worked for."""
        work = sorted(crew.work_of(f"{start:%Y-%m}").items())
        split = "shares" if crew.shares else "days" if work else None
        about = {column: text or None for column, text in crew.row.items()}
        about |= {
            "provider": self.provider,
            "account": self.account or Path(self.path).stem,
            "split": split,
        }
        if split == "shares" and (left := 1 - sum(part for _, part in work)):
            work.append((("",) * len(FOR), Decimal(left)))
        day, last = max(start, crew.starts), min(end, crew.ends or end)
        while day < last:
            for whom, part in work or [(("",) * len(FOR), Decimal(1))]:
                named = {name: text or None for name, text in zip(FOR, whom, strict=True)}
                yield {**about, **named, "day": day.isoformat(), "part": format(part, "f")}
            day += timedelta(days=1)


def _delivery(
    rows: Sequence[Mapping[str, str | None]], month: date, version: str, at: datetime
) -> Delivery:
    import polars as pl  # noqa: PLC0415  (slow to import; most nights bring one month)

    frame = pl.DataFrame(rows, schema=dict.fromkeys(_COLUMNS, pl.String))
    unit = f"{month:%Y-%m}"
    file = FrameFile(f"work of {unit}", frame)
    return Delivery("work_days", unit, version, at, [file], None, len(rows))
