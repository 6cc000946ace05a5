"""Exact sums of money by key: whole numbers of 1e-12, and what lies beyond.

A value is its digits, a whole number, times a power of ten. Sums of digits per power are exact and
few, so what a million doubles of seventeen digits hold beyond twelve places is found without
looking at any of them alone.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Context, Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any

import polars as pl

from queries import ModelError
from queries.totals import RawTotal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

PLACES = 12
KEYS = ("provider", "billing_account_id", "billing_period", "charge_month", "billing_currency")
_AT_ONCE = 2
"""Files that are read side by side: more would keep more in memory."""
_FEW = 4
"""Texts per different text, from which on each different one is parsed once."""
_LARGEST_FAST = 2048
_DIGITS = 30
_LARGEST = 1e24
_WIDEST = 38
"""Digits that a 128 bit number holds in any case."""
_PLAIN = r"^-?[0-9]{1,18}(?:\.[0-9]{1,12})?$"
"""Decimals that need neither rounding nor a look at how large they are."""
_EXACT = Context(prec=400)
Key = tuple[Any, ...]


class BadFileError(ValueError):
    """A file holds what cannot be summed."""


@dataclass(slots=True)
class _Sum:
    units: int = 0
    """Of 1e-12."""
    blank: int = 0
    """Lines whose value is empty."""
    beyond_units: int = 0
    """Of `units`, those of values that hold more than 12 places."""
    digits: dict[int, int] = field(default_factory=dict)
    """Of the same values: power of ten -> sum of digits."""

    def beyond(self) -> Decimal:
        total = Decimal(0)
        for power, digits in self.digits.items():
            total = _EXACT.add(total, _EXACT.scaleb(Decimal(digits), power))
        return _EXACT.subtract(total, _EXACT.scaleb(Decimal(self.beyond_units), -PLACES))


@dataclass(slots=True)
class Sums:
    """Sums of the measures by key, grown batch by batch."""

    money: Sequence[str]
    """The columns that hold money."""
    kinds: Sequence[str]
    """The columns that decide how a line's money counts."""
    weigh: Callable[[Key], Mapping[str, Mapping[str, int]]]
    """A line's kinds -> measure -> money column -> 1 or -1; a column left out counts nothing."""
    parts: Collection[Key] = ()
    """The kinds of rows that are no lines of their own, but parts of one."""
    stated: Sequence[str] = ()
    """Of the money, what a line that counts by it alone is to state, be it 0."""
    rows: dict[Key, int] = field(default_factory=dict)
    sums: dict[tuple[Key, str], _Sum] = field(default_factory=dict)
    one_at_a_time: Lock = field(default_factory=Lock)
    """Whoever adds to them holds it."""

    def add_files(self, files: Iterable[tuple[Path, Iterable[pl.DataFrame]]]) -> None:
        """Add lines of files: the KEYS (months as `month_of` gives them), the kinds, the money.

        Raises: ModelError for a value that is not of its kind, of the first file that holds one.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for added in [pool.submit(self._add_file, path, lines) for path, lines in files]:
                added.result()

    def _add_file(self, path: Path, batches: Iterable[pl.DataFrame]) -> None:
        try:
            for lines in batches:
                self._add(lines)
        except BadFileError as error:
            raise ModelError(
                str(error),
                where=str(path),
                fix="have the source write it again; the last good delivery stays in force",
            ) from error

    def _add(self, lines: pl.DataFrame) -> None:
        if lines.is_empty():
            return
        if lines["charge_month"].null_count():
            raise BadFileError("a line has neither a billing period nor a time of use")
        lines = lines.with_columns(pl.col(pl.Float32).cast(pl.Float64))
        present = [column for column in self.money if _counts(lines[column])]
        frame = lines.with_columns(
            series for column in present for series in _units(lines[column], column)
        )
        gaps = [column for column in self.stated if lines[column].null_count()]
        sums = [pl.col(f"{column}#").cast(pl.Int128).sum() for column in present]
        nulls = [pl.col(column).null_count().alias(f"{column}!") for column in gaps]
        rows = _grouped(frame, (*KEYS, *self.kinds), [pl.len(), *sums, *nulls])
        with self.one_at_a_time:
            for row in rows:
                self._add_row(row, present, gaps)
        for column in present:
            if frame[f"{column}?"].any():
                self._add_beyond(frame.filter(pl.col(f"{column}?")), column)

    def _add_row(self, row: tuple[Any, ...], present: Sequence[str], gaps: Sequence[str]) -> None:
        key, kind, (count, *found) = self._split(row)
        self.rows[key] = self.rows.get(key, 0) + (0 if kind in self.parts else count)
        by_column = dict(zip(present, found, strict=False))
        blank = dict(zip(gaps, found[len(present) :], strict=True))
        for measure, weights in self.weigh(kind).items():
            total = self.sums.setdefault((key, measure), _Sum())
            for column, weight in weights.items():
                total.units += weight * by_column.get(column, 0)
            if len(weights) == 1:
                total.blank += blank.get(next(iter(weights)), 0)

    def _split(self, row: tuple[Any, ...]) -> tuple[Key, Key, tuple[Any, ...]]:
        keys, kinds = len(KEYS), len(self.kinds)
        return row[:keys], row[keys : keys + kinds], row[keys + kinds :]

    def _add_beyond(self, rest: pl.DataFrame, column: str) -> None:
        """Add the values of one column that hold more than 12 places."""
        parsed = rest.with_columns(_digits(rest[column]))
        sums = [pl.col("digits").sum(), pl.col(f"{column}#").cast(pl.Int128).sum()]
        rows = _grouped(parsed, (*KEYS, *self.kinds, "power"), sums)
        with self.one_at_a_time:
            for row in rows:
                key, kind, (power, digits, units) = self._split(row)
                for measure, weights in self.weigh(kind).items():
                    weight = weights.get(column, 0)
                    total = self.sums.setdefault((key, measure), _Sum())
                    total.digits[power] = total.digits.get(power, 0) + weight * digits
                    total.beyond_units += weight * units

    def totals(self) -> list[RawTotal]:
        """Return the totals, in the order of their keys."""
        found = [self._total(key, measure, total) for (key, measure), total in self.sums.items()]
        return sorted(
            found,
            key=lambda total: tuple(getattr(total, name) for name in (*KEYS, "measure")),
        )

    def _total(self, key: Key, measure: str, total: _Sum) -> RawTotal:
        provider, account, period, month, currency = key
        return RawTotal(
            provider=str(provider),
            billing_account_id=str(account),
            billing_period=month_text(period),
            charge_month=month_text(month),
            billing_currency=str(currency),
            measure=measure,
            rows=self.rows[key],
            amount=_EXACT.scaleb(Decimal(total.units), -PLACES),
            beyond=total.beyond(),
            blank=total.blank,
        )


def _grouped(
    frame: pl.DataFrame, by: Sequence[str], sums: Sequence[pl.Expr]
) -> list[tuple[Any, ...]]:
    """Return a row per group: the columns of `by`, then the sums.

    Most of a bill's keys are the same on every line; hashing those would be most of the work.
    """
    constant = {name: frame[name][0] for name in by if _is_constant(frame[name])}
    varying = [name for name in by if name not in constant]
    grouped = frame.group_by(varying).agg(sums) if varying else frame.select(sums)
    rows = []
    for row in grouped.iter_rows():
        values = dict(zip(varying, row, strict=False)) | constant
        rows.append((*(values[name] for name in by), *row[len(varying) :]))
    return rows


def _is_constant(values: pl.Series) -> bool:
    return bool(values.eq_missing(values[0]).all())


def _counts(values: pl.Series) -> bool:
    """Tell whether a column may hold anything but nulls and zeros."""
    if values.null_count() == values.len():
        return False
    return values.dtype != pl.Float64 or bool(((values != 0) | values.is_nan()).any())


def _units(values: pl.Series, column: str) -> tuple[pl.Series, pl.Series]:
    """Return the values as whole numbers of 1e-12, and whether each holds more than that."""
    if values.dtype == pl.Float64:
        return _units_of_doubles(values, column)
    if values.dtype == pl.String:
        return _units_of_written(values, column)
    return _units_of_said(values, column)


def _units_of_written(values: pl.Series, column: str) -> tuple[pl.Series, pl.Series]:
    """Return what texts are as `_units` does: those that are plain decimals as such, fast."""
    if _is_constant(values):
        units, is_more = _units_of_texts(values.head(1), column)
        return units.new_from_index(0, values.len()), is_more.new_from_index(0, values.len())
    is_plain = values.str.contains(_PLAIN)
    units = values.cast(pl.Decimal(_WIDEST, PLACES), strict=False).to_physical()
    is_more = pl.Series([False]).new_from_index(0, values.len())
    rest = (~is_plain).fill_null(value=False).arg_true()
    if rest.len():
        rest_units, rest_is_more = _units_of_said(values.gather(rest), column)
        units, is_more = units.scatter(rest, rest_units), is_more.scatter(rest, rest_is_more)
    return units.rename(f"{column}#"), is_more.rename(f"{column}?")


def _units_of_said(values: pl.Series, column: str) -> tuple[pl.Series, pl.Series]:
    """Return what values are as `_units` does: each different one is looked at once, if few are."""
    said = values.unique(maintain_order=True)
    if said.len() * _FEW > values.len():
        return _units_of_texts(values, column)
    units, is_more = _units_of_texts(said, column)
    known = pl.DataFrame([said.alias("said"), units, is_more])
    found = (
        values.alias("said")
        .to_frame()
        .join(known, on="said", how="left", nulls_equal=True, maintain_order="left")
    )
    return found[units.name], found[is_more.name]


def _units_of_texts(values: pl.Series, column: str) -> tuple[pl.Series, pl.Series]:
    parsed = _digits(values)
    return (
        _rounded(parsed).rename(f"{column}#"),
        (parsed["power"] < -PLACES).fill_null(value=False).rename(f"{column}?"),
    )


def _units_of_doubles(values: pl.Series, column: str) -> tuple[pl.Series, pl.Series]:
    if not values.is_finite().fill_null(value=True).all():
        raise _not_a_number(values.filter(~values.is_finite())[0], column)
    is_small = values.abs() < _LARGEST_FAST
    frame = pl.select(
        pl.when(is_small).then((values * 10.0**PLACES).round(0, "half_away_from_zero"))
    )
    whole = frame.to_series()
    # Divided by a column: by a number, polars multiplies with its inverse, and that is not exact.
    is_exact = (whole / pl.repeat(10.0**PLACES, whole.len(), eager=True) == values) & is_small
    units = whole.cast(pl.Int64)
    large = (~is_small).fill_null(value=False).arg_true()
    if large.len():
        by_text = _rounded(_digits(values.gather(large)))
        units = units.cast(pl.Int128).scatter(large, by_text)
    return units.rename(f"{column}#"), (~is_exact).fill_null(value=False).rename(f"{column}?")


def _rounded(parsed: pl.DataFrame) -> pl.Series:
    """Round digits times powers to whole numbers of 1e-12, half away from zero."""
    powers = parsed["power"].drop_nulls().unique().to_list()
    scale = pl.DataFrame(
        {
            "power": powers,
            "up": [10 ** min(max(power + PLACES, 0), _WIDEST) for power in powers],
            "down": [10 ** min(max(-PLACES - power, 0), _WIDEST) for power in powers],
            "is_none": [-PLACES - power > _WIDEST for power in powers],
        },
        schema={"power": pl.Int32, "up": pl.Int128, "down": pl.Int128, "is_none": pl.Boolean},
    )
    digits, down = pl.col("digits"), pl.col("down")
    size = digits.abs() * pl.col("up")
    # Not (size + down / 2) / down: that sum may not fit.
    whole = size // down + ((size % down) >= (down - size % down)).cast(pl.Int128)
    joined = parsed.join(scale, on="power", how="left", maintain_order="left")
    return joined.select(
        pl.when("is_none").then(pl.lit(0, pl.Int128)).otherwise(whole * digits.sign())
    ).to_series()


def _digits(values: pl.Series) -> pl.DataFrame:
    """Return each value as `digits`, a whole number, times ten to the `power`, by its text.

    Raises: BadFileError for a text that is not a number, has more than 30 digits, or is past 1e24:
        sums of a batch fit into 128 bits with room to spare.
    """
    text = values.cast(pl.String).str.strip_chars().str.to_lowercase()
    parts = pl.DataFrame({"text": text}).select(
        "text",
        mantissa=pl.col("text").str.extract(r"^[+-]?([0-9]*\.?[0-9]*)(?:e[+-]?[0-9]+)?$"),
        power=pl.col("text").str.extract(r"e([+-]?[0-9]+)$").cast(pl.Int32, strict=False),
        sign=pl.when(pl.col("text").str.starts_with("-")).then(-1).otherwise(1).cast(pl.Int128),
    )
    places = pl.col("mantissa").str.len_bytes() - pl.col("mantissa").str.find(".", literal=True) - 1
    whole = pl.col("mantissa").str.replace(".", "", literal=True).cast(pl.Int128, strict=False)
    found = parts.select(
        "text",
        digits=whole * pl.col("sign"),
        power=pl.col("power").fill_null(0) - places.cast(pl.Int32).fill_null(0),
    )
    fits = (pl.col("digits").abs() < 10**_DIGITS) & (
        pl.col("text").cast(pl.Float64, strict=False).abs() < _LARGEST
    )
    bad = found.filter(pl.col("text").is_not_null() & ~fits.fill_null(value=False))
    if bad.height:
        raise _not_a_number(bad["text"][0], values.name)
    return found.select(
        "digits", pl.when(pl.col("digits").is_not_null()).then("power").alias("power")
    )


def _not_a_number(value: object, column: str) -> BadFileError:
    return BadFileError(
        f"column {column} holds {value!r}, which is not a number of at most {_DIGITS} digits"
    )


def month_of(times: pl.Series) -> pl.Series:
    """Return each time's month in UTC, counted from year 0; text is read by its offset.

    Raises: BadFileError for a text that is not a time.
    """
    if times.dtype == pl.String:
        texts = times.unique(maintain_order=True).drop_nulls()
        known = {text: _month_number(text, times.name) for text in texts}
        return times.replace_strict(known, return_dtype=pl.Int32).cast(pl.Int32)
    if times.dtype == pl.Null:
        return times.cast(pl.Int32)
    if isinstance(times.dtype, pl.Datetime) and times.dtype.time_zone is not None:
        times = times.dt.convert_time_zone("UTC")
    ends = _month_numbers(pl.Series([times.min(), times.max()], dtype=times.dtype))
    if ends[0] == ends[1]:  # of most bills all lines are; to take all times apart is dear
        return pl.select(pl.when(times.is_not_null()).then(ends[0])).to_series()
    return _month_numbers(times)


def _month_numbers(times: pl.Series) -> pl.Series:
    return times.dt.year() * 12 + times.dt.month().cast(pl.Int32) - 1


def _month_number(text: str, column: str) -> int:
    try:
        time = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError as error:
        what = f"column {column} holds {text!r}, which" if column else repr(text)
        raise BadFileError(f"{what} is not a time as ISO 8601 writes it") from error
    utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return utc.year * 12 + utc.month - 1


def month_text(month: object) -> str:
    """Return a month that `month_of` gave as YYYY-MM."""
    number = int(str(month))
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
