"""Owned machines as a bill: a card of what they cost to buy and to run, charged day by day.

The card is one file, CSV with a header or TOML with a [[machines]] table each:

    machine_id, currency, price, life_months, in_service      needed
    residual, out_of_service                                  worth at the end; its last day + 1
    power_watts, price_per_kwh                                drawn all day, unless measured
    hosting_per_month, support_per_month
    machine_name, instance_type, region, gpu_count, cpu_count, memory_gib, team, user, project

`machine_id` is what the cluster or scheduler calls the machine: the last part of its provider id
(an OpenStack or VMware UUID), or its node or host name. What a machine drew may be measured: a CSV
of machine_id, day, kwh.

A machine costs (price - residual) over its life, each day the same but for the last digit, and all
of it by the end; one that leaves earlier is charged the rest on its last day. Nothing is charged
before `in_service`, and no day before it is over. A machine stays on the card when it has gone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import ColumnType, Delivery, SourceError, Table
from connectors.charged_days import charged_months, check_charge_from
from connectors.local import FrameFile, digest_of
from connectors.rate_card_file import MONEY, OPTIONAL, REQUIRED, SIZES, read_card

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known
    from connectors.rate_card_file import Machine

_TIMES = ("day", "in_service", "out_of_service")
_NUMBERS = (*MONEY, *SIZES, "power_watts", "price_per_kwh", "measured_kwh")
_COLUMNS: Mapping[str, ColumnType] = {
    **dict.fromkeys((*REQUIRED, *OPTIONAL, "provider", "account"), "text"),
    **dict.fromkeys(_TIMES, "time"),
    **dict.fromkeys(_NUMBERS, "number"),
    "life_months": "integer",
}


@dataclass(frozen=True, slots=True)
class RateCard:
    """A card of owned machines."""

    path: str
    """The card, `.csv` or `.toml`."""
    measured_path: str = ""
    """A CSV of what machines drew: machine_id, day, kwh."""
    provider: str = "in-house"
    """Who the bill is from; two cards of one provider need different accounts."""
    account: str = ""
    """A name for the room or company that the machines are of; empty: the card's file name."""
    charge_from: str = ""
    """The first day charged, such as 2026-01-01; empty: the day each machine went into service."""

    name: ClassVar[str] = "rate_card"
    tables: ClassVar[Sequence[Table]] = (Table("machine_days", _COLUMNS, is_bill=True),)

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
        path = Path(self.path)
        if path.suffix not in (".csv", ".toml"):
            raise SourceError(
                f"{path.name} is neither CSV nor TOML",
                where=str(path),
                fix="give the card a name that ends in .csv or .toml",
            )
        machines = read_card(path)
        measured = self._measured(machines)
        today = at.astimezone(UTC).date()
        first = min(each.in_service for each in machines)
        for start, end in charged_months(self.charge_from, first, today):
            version = self._version(path, machines, measured, start, end)
            if not known.has("machine_days", f"{start:%Y-%m}", version):
                rows = list(self._rows(machines, measured, start, end))
                if rows:
                    yield _delivery(rows, start, version, at)

    def _measured(self, machines: list[Machine]) -> Mapping[tuple[str, date], str]:
        if not self.measured_path:
            return {}
        from connectors.rate_card_file import read_measured  # noqa: PLC0415 - few have one

        return read_measured(Path(self.measured_path), machines)

    def _version(
        self,
        path: Path,
        machines: Sequence[Machine],
        measured: Mapping[tuple[str, date], str],
        start: date,
        end: date,
    ) -> str:
        """Return what changes with anything that a month's charges depend on.

        The card's time is part of it: a card that is put back is a version of its own.
        """
        drawn = sorted((*key, kwh) for key, kwh in measured.items() if start <= key[1] < end)
        rows = [sorted(each.row.items()) for each in machines if each.in_service < end]
        facts = (self.provider, self._account, str(start), str(end), rows, drawn)
        card = f"{digest_of(path)} {path.stat().st_mtime_ns}"
        return hashlib.sha256(f"{card} {facts!r}".encode()).hexdigest()[:32]

    @property
    def _account(self) -> str:
        return self.account or Path(self.path).stem

    def _rows(
        self,
        machines: Sequence[Machine],
        measured: Mapping[tuple[str, date], str],
        start: date,
        end: date,
    ) -> Iterator[dict[str, str | None]]:
        for machine in machines:
            day = max(start, machine.in_service)
            last = min(end, machine.out_of_service or end)
            while day < last:
                cells = {column: text or None for column, text in machine.row.items()}
                cells["day"] = day.isoformat()
                cells["provider"], cells["account"] = self.provider, self._account
                cells["measured_kwh"] = measured.get((machine.row["machine_id"], day))
                yield cells
                day += timedelta(days=1)


def _delivery(
    rows: Sequence[Mapping[str, str | None]], month: date, version: str, at: datetime
) -> Delivery:
    import polars as pl  # noqa: PLC0415  (slow to import; most nights bring one month)

    frame = pl.DataFrame(rows, schema=dict.fromkeys(_COLUMNS, pl.String))
    unit = f"{month:%Y-%m}"
    return Delivery(
        "machine_days",
        unit,
        version,
        at,
        [FrameFile(f"machines of {unit}", frame)],
        None,
        len(rows),
    )
