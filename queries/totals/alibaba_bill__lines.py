"""What an Alibaba bill adds up to: the pretax amount of every line, as billed and as effective.

A line by the hour is of the month that it is in UTC, eight hours behind Shanghai; any other of the
month that its date says.

Source: https://www.alibabacloud.com/help/en/boa/latest/detailed-file-format
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import polars as pl

from queries.totals.batches import Layout, batches
from queries.totals.exact import KEYS, BadFileError, Sums, month_of

if TYPE_CHECKING:
    from collections.abc import Sequence
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
}
_WANTED = tuple(dict.fromkeys(_NAMES.values()))
_SHANGHAI = timezone(timedelta(hours=8))
_DAY = timedelta(hours=23)


def sum_files(paths: Sequence[Path]) -> list[RawTotal]:
    """Sum the files of one delivery.

    Raises: ModelError for a file or value that cannot be read.
    """
    weights = {"billed_cost": {_AMOUNT: 1}, "effective_cost": {_AMOUNT: 1}}
    sums = Sums((_AMOUNT,), (), lambda _: weights)
    layout = Layout(_name_of, _WANTED, needed=(_AMOUNT,), null_marks=("NULL", "null", "-"))
    for path in paths:
        sums.add_file(path, map(_keyed, batches(path, layout)))
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
    return lines.with_columns(
        pl.lit("Alibaba Cloud").alias("provider"),
        pl.col("AccountID").cast(pl.String).fill_null("").alias("billing_account_id"),
        period.alias("billing_period"),
        used.fill_null(period).alias("charge_month"),
        pl.col("Currency").cast(pl.String).fill_null("XXX").alias(KEYS[-1]),
    )


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
