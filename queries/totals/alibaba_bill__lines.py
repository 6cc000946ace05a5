"""What an Alibaba bill adds up to: the pretax amount of every line, as billed and as effective.

A line by the hour is of the month that it is in UTC, eight hours behind Shanghai; any other of the
month that its date says. An order that is paid for longer than a day is billed where it begins, and
effective in each month of its term, by days.

Source: https://www.alibabacloud.com/help/en/boa/latest/detailed-file-format
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import polars as pl

from queries.totals.batches import Layout, batches
from queries.totals.exact import KEYS, BadFileError, Sums, month_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from queries.totals import RawTotal

_AMOUNT = "PretaxAmount"
_NAMES = {
    "pretaxamount": _AMOUNT,
    "应付金额": _AMOUNT,
    "currency": "Currency",
    "币种": "Currency",
    "accountid": "AccountID",
    "billaccountid": "AccountID",
    "账号id": "AccountID",
    "billingcycle": "BillingCycle",
    "账期": "BillingCycle",
    "账单月份": "BillingCycle",
    "billingdate": "BillingDate",
    "账单日期": "BillingDate",
    "usagestarttime": "UsageStartTime",
    "使用开始时间": "UsageStartTime",
    "费用发生开始时间": "UsageStartTime",
    "usageendtime": "UsageEndTime",
    "使用结束时间": "UsageEndTime",
    "费用发生结束时间": "UsageEndTime",
    "item": "Item",
    "账单类型": "Item",
    "账单类别": "Item",
    "serviceperiod": "ServicePeriod",
    "服务时长": "ServicePeriod",
    "serviceperiodunit": "ServicePeriodUnit",
    "服务时长单位": "ServicePeriodUnit",
}
_TERM = ("UsageStartTime", "BillingDate", "UsageEndTime", "ServicePeriod", "ServicePeriodUnit")
_WANTED = tuple(dict.fromkeys(_NAMES.values()))
_SHANGHAI = timezone(timedelta(hours=8))
_DAY = timedelta(hours=23)
_PLACES = Decimal("1e-12")
_EXACT = Context(prec=200)
_LONGEST = 3660
"""Days of the longest term that is spread."""
_MOST_SECONDS, _MOST_MONTHS = 320_000_000, 120
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
_KIND = "counts as"
_WEIGHTS = {
    "line": {"billed_cost": {_AMOUNT: 1}, "effective_cost": {_AMOUNT: 1}},
    "order": {"billed_cost": {_AMOUNT: 1}, "effective_cost": {}},
    "part": {"billed_cost": {}, "effective_cost": {_AMOUNT: 1}},
}
_SECONDS = {
    **dict.fromkeys(("秒", "s", "second", "seconds"), 1),
    **dict.fromkeys(("小时", "hour", "hours"), 3_600),
    **dict.fromkeys(("天", "日", "day", "days"), 86_400),
    **dict.fromkeys(("周", "week", "weeks"), 604_800),
}
_MONTHS = {
    **dict.fromkeys(("月", "个月", "month", "months"), 1),
    **dict.fromkeys(("年", "year", "years"), 12),
}


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    money, parts = (_AMOUNT,), [("part",)]
    sums = Sums(money, (_KIND,), lambda kinds: _WEIGHTS[kinds[0]], parts, stated=money)
    layout = Layout(_name_of, _WANTED, needed=(_AMOUNT,), null_marks=("NULL", "null", "-"))
    sums.add_files((path, map(_keyed, batches(path, layout))) for path in paths)
    return sums.totals()


def _name_of(header: str) -> str:
    plain = header.replace("_", "").replace(" ", "").replace("-", "").replace("\ufeff", "").lower()
    return _NAMES.get(plain, header)


def _keyed(lines: pl.DataFrame) -> pl.DataFrame:
    """Add the keys that totals are by."""
    times = lines.select(
        pl.coalesce("UsageStartTime", "BillingDate").cast(pl.String), pl.col("UsageEndTime")
    ).rows()
    known = {pair: _moment(*pair) for pair in set(times)}
    used = month_of(pl.Series([known[pair] for pair in times], dtype=pl.String))
    period = month_of(
        lines["BillingCycle"].cast(pl.String).str.replace(r"^(\d{4})-?(\d{2})$", "$1-$2-01")
    )
    if period.null_count():
        raise BadFileError("a line has no billing cycle")
    keyed = lines.with_columns(
        pl.lit("Alibaba Cloud").alias("provider"),
        pl.col("AccountID").cast(pl.String).fill_null("").alias("billing_account_id"),
        period.alias("billing_period"),
        used.fill_null(period).alias("charge_month"),
        pl.col("Currency").cast(pl.String).fill_null("XXX").alias(KEYS[-1]),
        pl.lit("line").alias(_KIND),
    ).select(*KEYS, _KIND, _AMOUNT, "Item", *_TERM)
    return _spread(keyed)


def _spread(lines: pl.DataFrame) -> pl.DataFrame:
    """Take orders for what is billed alone, and add what each month of their term bears."""
    item = pl.col("Item").cast(pl.String)
    is_named = (item == "SubscriptionOrder") | item.str.contains("订单|预付")
    is_order = is_named & ~item.str.contains("退款|退订|调账")
    orders = lines.filter(is_order)
    rest = lines.filter(is_order.is_null() | ~is_order).drop("Item", *_TERM)
    if orders.is_empty():
        return rest
    rows: list[dict[str, object]] = []
    for order in orders.cast({_AMOUNT: pl.String}).iter_rows(named=True):
        rows.extend(_rows_of(order))
    added = pl.DataFrame(rows, schema={**rest.schema, _AMOUNT: pl.String})
    return pl.concat([rest.cast({_AMOUNT: pl.String}), added])


def _rows_of(order: dict[str, Any]) -> Iterator[dict[str, object]]:
    """Yield an order as it is billed, then its months; as a line where it is not spread."""
    bare = {key: order[key] for key in (*KEYS, _KIND, _AMOUNT)}
    days = _days_of(*(order[column] for column in _TERM))
    amount = _amount(order[_AMOUNT])
    rounded = amount.quantize(_PLACES, ROUND_HALF_UP, _EXACT)
    if len(days) <= 1 or rounded <= 0:
        yield bare
        return
    yield {**bare, _KIND: "order"}
    units, past, parts = int(rounded.scaleb(12, _EXACT)), 0, {}
    for month, upto in _month_ends(days):
        part = units * upto // len(days) - units * past // len(days)
        parts[month], past = Decimal(part).scaleb(-12, _EXACT), upto
    # What lies beyond twelve places stays where it does not change how the rest is rounded.
    largest = max(parts, key=lambda month: parts[month])
    parts[largest] = _EXACT.add(parts[largest], _EXACT.subtract(amount, rounded))
    for month, exact in parts.items():
        yield {**bare, _KIND: "part", "charge_month": month, _AMOUNT: format(exact, "f")}


def _month_ends(days: range) -> Iterator[tuple[Any, int]]:
    """Yield each month of some days, as ordinals, and how many of the days are over at its end."""
    day = date.fromordinal(days.start)
    while day.toordinal() < days.stop:
        following = (day.replace(day=1) + timedelta(days=31)).replace(day=1)
        month = month_of(pl.Series([day.replace(day=1).isoformat()], dtype=pl.String))[0]
        yield month, min(following.toordinal(), days.stop) - days.start
        day = following


def _days_of(
    start: str | None, day: str | None, end: str | None, period: str | None, unit: str | None
) -> range:
    """Return the days of Shanghai in an order's term, as ordinals; none where it is not told."""
    text = start or day
    if text is None:
        return range(0)
    begun = _local(text)
    over = _local(end) if end else begun
    if over <= begun:
        over = _after(begun, period, unit)
    last = (over - timedelta(seconds=1)).date().toordinal()
    days = range(begun.date().toordinal(), last + 1)
    return days if len(days) <= _LONGEST else range(0)


def _after(begun: datetime, period: str | None, unit: str | None) -> datetime:
    """Return when a term of some units ends; the moment it began where that is not told."""
    count = int(period) if period and _COUNT.fullmatch(period) else 0
    named = (unit or "").lower()
    seconds = count * _SECONDS.get(named, 0)
    months = count * _MONTHS.get(named, 0)
    if seconds > _MOST_SECONDS or months > _MOST_MONTHS or not seconds + months:
        return begun
    if seconds:
        return begun + timedelta(seconds=seconds)
    months += begun.month - 1
    year, month = begun.year + months // 12, months % 12 + 1
    return begun.replace(year=year, month=month, day=min(begun.day, monthrange(year, month)[1]))


def _amount(text: str | None) -> Decimal:
    """Return an amount exactly; 0 for what is none, which the sums refuse or leave out."""
    try:
        amount = Decimal(text or 0)
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() else Decimal(0)


def _moment(start: str | None, end: str | None) -> str | None:
    """Return the moment whose month a line is of; none where it says none."""
    if start is None:
        return None
    begun, over = _local(start), _local(end) if end else None
    is_midnight = begun.time().isoformat() == "00:00:00"
    if is_midnight and (over is None or over - begun >= _DAY):
        return begun.replace(tzinfo=None).isoformat()
    return begun.astimezone(UTC).isoformat()


def _local(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadFileError(f"{text!r} is not a time") from error
    return time.replace(tzinfo=_SHANGHAI) if time.tzinfo is None else time.astimezone(_SHANGHAI)
