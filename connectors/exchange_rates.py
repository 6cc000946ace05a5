"""Exchange rates by day: the European Central Bank's reference rates, or a table of one's own.

`path` is a file, or an address that it is fetched from, as CSV or as a zip that holds one CSV:

    Date,USD,JPY,GBP,...            the bank's eurofxref-hist.csv: a column for each currency
    date,currency,rate              one's own: a row for each day and currency

All rates are against the euro. The bank says how many units of a currency one euro buys; a table
of one's own says the same, or with `quoted = "in_euros"` how many euros one unit costs. A day
without a rate (`N/A`, a weekend, a holiday) stays without: what stands in for it is decided where
cost is converted.

The bank publishes around 16:00 in Frankfurt on days when its payment system works. Its file is the
whole history, so a delivery is a month of it and only months that changed are landed; a table of
one's own is one delivery. Checked against samples made in the published format, not against the
live address.

Source: https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from connectors.base import Delivery, SourceError, Table
from connectors.contract_csv import Mistakes, day_of, read_stream
from connectors.damaged import OF_ZIP
from connectors.local import FrameFile, digest_of, written_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    import polars as pl

    from connectors.base import Known
    from connectors.fetched import Fetched

    Rates = dict[tuple[date, str], str]
    """Day, currency -> rate, as written."""

_COLUMNS = ("date", "currency", "rate")
_CURRENCY = re.compile(r"[A-Z]{3}")
_RATE = re.compile(r"[0-9]{1,7}(\.[0-9]{1,12})?")
_AROUND = '" \t\r'
"""What may stand around a name in a header."""
_DIGITS = 12
"""Of a rate, from the first that is not 0: two such rates multiply within 128 bits."""
_NONE = ("", "N/A")
_MOST_BYTES = 200_000_000
"""Of an unpacked file; the bank's own has about two million."""
_FIX = "dates are 2026-10-03, currencies USD, rates 1.0842: above 0, with 12 digits at most"
EURO = "EUR"


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """A file of exchange rates against the euro."""

    path: str
    """The file, `.csv` or `.zip`, or its address."""
    quoted: str = "per_euro"
    """per_euro: units of the currency that one euro buys; in_euros: euros that one unit costs."""
    years: int = 5
    """Calendar years of the bank's history to take, up to its newest; 0: all there are."""

    name: ClassVar[str] = "exchange_rates"
    tables: ClassVar[Sequence[Table]] = (
        Table("rates", {**dict.fromkeys((*_COLUMNS, "quoted"), "text")}),
    )

    def __post_init__(self) -> None:
        """Refuse a way of quoting that there is not."""
        if self.quoted not in ("per_euro", "in_euros"):
            raise SourceError(
                f'quoted is "{self.quoted}", which is neither "per_euro" nor "in_euros"',
                where="[connectors.exchange_rates]",
                fix='write "per_euro" where a euro is 1.08 USD, "in_euros" where a USD is 0.92',
            )

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each month that has changed, or one's own table where it has.

        Raises: SourceError that lists the mistakes of the file.
        """
        fetched = self._fetched()
        text = _text_of(fetched)
        if text.partition("\n")[0].partition(",")[0].strip(_AROUND) == "Date":
            units = _by_month(self._recent(_bank_rates(text, fetched.where)))
        else:
            units = {"all": _own_rates(text, fetched.where)}
        for unit, rates in sorted(units.items()):
            version = _digest(self.quoted, rates)
            if not known.has("rates", unit, version):
                frame = FrameFile(f"rates-{unit}.parquet", _frame(self.quoted, rates))
                yield Delivery("rates", unit, version, fetched.at, [frame], stated_rows=len(rates))

    def _fetched(self) -> Fetched:
        from connectors.fetched import Fetched, fetch  # noqa: PLC0415 - loads an HTTP client

        if "://" in self.path:
            return fetch(self.path, "the exchange rates", most=_MOST_BYTES)
        path = Path(self.path)
        digest_of(path)  # says what is wrong with a file that cannot be read
        return Fetched(path.read_bytes(), str(path), written_at(path))

    def _recent(self, rates: Rates) -> Rates:
        if not self.years:
            return rates
        first = max(day.year for day, _ in rates) - self.years + 1
        return {key: rate for key, rate in rates.items() if key[0].year >= first}


def _text_of(fetched: Fetched) -> str:
    """Return the CSV, unpacked where it came in a zip.

    Raises: SourceError
    """
    content = fetched.content
    try:
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                files = [one for one in packed.infolist() if one.filename.endswith(".csv")]
                if len(files) != 1 or files[0].file_size > _MOST_BYTES:
                    raise SourceError(
                        f"the zip holds {len(files)} CSV files, or too large a one",
                        where=fetched.where,
                        fix="give a zip with one CSV, such as eurofxref-hist.zip",
                    )
                content = packed.read(files[0])
        return content.decode("utf-8-sig")
    except OF_ZIP as error:
        raise SourceError(
            f"the exchange rates are neither CSV in UTF-8 nor a zip of it: {error}",
            where=fetched.where,
            fix="fetch the file again, whole",
        ) from error


def _bank_rates(text: str, where: str) -> Rates:
    """Read the bank's table, one column for each currency.

    Raises: SourceError that names the first line that is not as the bank writes it.
    """
    rates: Rates = {}
    header: list[str] = []
    for number, row in _lines_of(text, where):
        cells = [cell.strip() for cell in row]
        if not header:
            header = cells
            odd = [name for name in header[1:] if name and not _CURRENCY.fullmatch(name)]
            _refuse(f"{odd[0]!r} is no currency" if odd else "", number, where)
            continue
        if not any(cells):
            continue
        day = day_of(cells[0])
        wrong = "" if day else f"{cells[0]!r} is not a date"
        if len(cells) != len(header):
            wrong = "it has another number of fields than the header, as if it broke off"
        for currency, rate in zip(header[1:], cells[1:], strict=False):
            if day is None or not currency or rate in _NONE:
                continue
            wrong = wrong or _wrong_rate(rate)
            if (day, currency) in rates:
                wrong = wrong or f"{currency} of {day} is there twice"
            rates[day, currency] = rate
        _refuse(wrong, number, where)
    if not rates:
        _refuse("there is no rate in it", 1, where)
    return rates


def _lines_of(text: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line.

    Raises: SourceError for what is no CSV.
    """
    reader = csv.reader(io.StringIO(text))
    try:
        yield from enumerate(reader, 1)
    except csv.Error as error:
        _refuse(f"it is not CSV: {error}", reader.line_num, where)


def _own_rates(text: str, where: str) -> Rates:
    """Read one's own table, one row for each rate.

    Raises: SourceError that lists every mistake.
    """
    rates: Rates = {}
    path = Path(where)
    mistakes = Mistakes(path)
    rows = read_stream(io.StringIO(text), path, required=_COLUMNS, optional=(), mistakes=mistakes)
    for line, row in rows:
        day, currency = day_of(row["date"]), row["currency"]
        if not day:
            mistakes.add(line, f"date {row['date']!r} is not a date like 2026-10-03")
        if not _CURRENCY.fullmatch(currency):
            mistakes.add(line, f"currency {currency!r} is not three capital letters, as in USD")
        elif currency == EURO:
            mistakes.add(line, "every rate is against the euro, so the euro has none")
        if wrong := _wrong_rate(row["rate"]):
            mistakes.add(line, wrong)
        if not day:
            continue
        if (day, currency) in rates:
            mistakes.add(line, f"{currency} of {day} is there twice")
        rates[day, currency] = row["rate"]
    mistakes.refuse(_FIX)
    return rates


def _wrong_rate(rate: str) -> str:
    if not _RATE.fullmatch(rate) or not rate.strip("0."):
        return f"rate {rate!r} is not a number above 0 with 12 places at most"
    digits = len(rate.replace(".", "").strip("0"))
    return f"rate {rate} has {digits} digits, more than 12" if digits > _DIGITS else ""


def _refuse(wrong: str, line: int, where: str) -> None:
    if wrong:
        raise SourceError(
            f"the bank's table, line {line}: {wrong}",
            where=where,
            fix="fetch the file again, whole",
        )


def _by_month(rates: Rates) -> dict[str, Rates]:
    months: dict[str, Rates] = {}
    for (day, currency), rate in rates.items():
        months.setdefault(f"{day:%Y-%m}", {})[day, currency] = rate
    return months


def _digest(quoted: str, rates: Rates) -> str:
    rows = sorted(f"{day} {currency} {rate}" for (day, currency), rate in rates.items())
    return hashlib.sha256("\n".join([quoted, *rows]).encode()).hexdigest()[:32]


def _frame(quoted: str, rates: Rates) -> pl.DataFrame:
    import polars as pl  # noqa: PLC0415  (slow to load; most nights have one month of it)

    rows = [(f"{day}", currency, rate, quoted) for (day, currency), rate in sorted(rates.items())]
    return pl.DataFrame(rows, schema=[*_COLUMNS, "quoted"], orient="row")
