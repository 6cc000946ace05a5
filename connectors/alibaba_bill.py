"""Alibaba Cloud bills: the files of a subscription to OSS, or the bill API.

`bill` says which of Alibaba's views of the same money is read: `instance` (a row per instance),
`items` (a row per billing item) or `split` (a row per bucket, address or pod, the best for storage
and traffic). They are never added: two sources with different views of one account deliver the same
bill, and the second is left out.

Headers are English or Chinese, as the account's language is. Times are of Shanghai. A month is
rewritten daily until the fourth of the next, so the month is the unit.

Source: https://www.alibabacloud.com/help/en/boa/latest/detailed-file-format
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from connectors.alibaba_files import TYPES, find_months, other_kinds, parts_of, refuse_empty
from connectors.base import ColumnType, Delivery, SourceError, Table
from connectors.billing_files import raise_all
from connectors.charged_days import next_month
from connectors.local import FrameFile
from connectors.secrets import secret_of
from connectors.store import open_store
from connectors.stored import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Known

_log = logging.getLogger(__name__)
_WHERE = "[connectors.alibaba_bill]"

_TEXTS: Mapping[str, str] = {
    "account_id": "账号ID",
    "account_name": "账号",
    "billing_cycle": "账期",
    "billing_date": "账单日期",
    "billing_item": "计费项",
    "billing_type": "计费方式",
    "commodity_code": "商品Code",
    "cost_unit": "财务单元",
    "currency": "币种",
    "instance_id": "实例ID",
    "instance_spec": "实例规格",
    "item": "账单类型",
    "nick_name": "实例昵称",
    "owner_account_name": "Owner账号",
    "owner_id": "Owner账号ID",
    "product_code": "产品Code",
    "product_detail": "产品明细",
    "product_name": "产品",
    "record_id": "账单ID",
    "region": "地域",
    "resource_group": "资源组",
    "service_period": "服务时长",
    "service_period_unit": "服务时长单位",
    "split_item_id": "分拆项ID",
    "split_item_name": "分拆项名称",
    "subscription_type": "消费类型",
    "tag": "实例标签",
    "usage_end_time": "使用结束时间",
    "usage_start_time": "使用开始时间",
    "usage_unit": "用量单位",
    "zone": "可用区",
}
"""Column -> its header in Chinese."""
_NUMBERS: Mapping[str, str] = {
    "invoice_discount": "优惠金额",
    "list_price": "官网价单价",
    "pretax_amount": "应付金额",
    "pretax_gross_amount": "原价",
    "usage": "用量",
}
_MORE: Mapping[str, str] = {
    "accountid": "account_id",
    "billaccountid": "account_id",
    "billaccountname": "account_name",
    "ownername": "owner_account_name",
    "splititem": "split_item_id",
    "账单月份": "billing_cycle",
    "账单类别": "item",
    "标签": "tag",
    "目录总价": "pretax_gross_amount",
    "官网价": "pretax_gross_amount",
    "财务核算单元": "cost_unit",
    "费用发生开始时间": "usage_start_time",
    "费用发生结束时间": "usage_end_time",
    "资源id": "instance_id",
    "资源昵称": "nick_name",
}
_BY_LETTERS: Mapping[str, str] = {
    **{column.replace("_", ""): column for column in (*_TEXTS, *_NUMBERS)},
    **{header.lower(): column for column, header in (*_TEXTS.items(), *_NUMBERS.items())},
    **_MORE,
}
_COLUMNS: Mapping[str, ColumnType] = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(_NUMBERS, "number"),
}


def declared_name(header: str) -> str:
    """Return the declared name of a header, English or Chinese; itself where it is not declared."""
    letters = "".join(sign for sign in header if sign not in "_ -\ufeff").lower()
    return _BY_LETTERS.get(letters, header)


@dataclass(frozen=True, slots=True)
class AlibabaBill:
    """One account's bill, of one of its kinds."""

    root: str = ""
    """Where the subscription delivers: a folder, or `s3://bucket/prefix`; empty: the API."""
    bill: str = "instance"
    """Which view of the bill is read: `instance`, `items` or `split`."""
    access_key_id_env: str = "ALIBABA_CLOUD_ACCESS_KEY_ID"
    """Environment variable that holds the access key's id; for the API."""
    access_key_secret_env: str = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"  # noqa: S105 - a variable's name
    """Environment variable that holds the access key's secret."""
    endpoint_url: str = "https://business.aliyuncs.com"
    """The API's address; accounts outside China have `business.ap-southeast-1.aliyuncs.com`."""
    backfill_months: int = 3
    """Months to ask for on the first night; the API has 18 (split: 12)."""
    final_day: int = 5
    """Until which day the month before is asked for again."""
    requests_per_second: int = 8
    """How often the API is asked; it allows 10."""
    timeout_seconds: int = 60
    """How long one request may take."""

    name: ClassVar[str] = "alibaba_bill"
    tables: ClassVar[Sequence[Table]] = (
        Table(
            "lines",
            _COLUMNS,
            rename=declared_name,
            null_marks=("", "NULL", "null", "-"),
            is_bill=True,
        ),
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises: SourceError
        """
        if self.bill not in TYPES:
            raise _misuse(
                f'bill is "{self.bill}"',
                f"choose one of {', '.join(TYPES)}: each is the whole bill, so two count it twice",
            )
        if not 1 <= self.requests_per_second <= 10:  # noqa: PLR2004
            raise _misuse("requests_per_second is not 1 to 10", "Alibaba allows 10")
        if not 1 <= self.backfill_months <= 18 or not 1 <= self.final_day <= 28:  # noqa: PLR2004
            raise _misuse("backfill_months or final_day is out of range", "1 to 18, and 1 to 28")
        parts = urlsplit(self.endpoint_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise _misuse("endpoint_url is no address", "write https://business.aliyuncs.com")

    @property
    def is_filed(self) -> bool:
        """Whether files are read, which takes no key."""
        return bool(self.root)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield each month that is new or changed, oldest first.

        Raises: SourceError for a month that is not whole, after the others.
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield what there is to deliver at the time `at`."""
        yield from self._filed(known, at) if self.root else self._asked(known, at)

    def _filed(self, known: Known, at: datetime) -> Iterator[Delivery]:
        files = open_store(self.root).files()
        months = find_months(files, self.bill)
        others = other_kinds(files, self.bill)
        if not months:
            raise SourceError(
                f"there is no {self.bill} bill here",
                where=self.root,
                fix=f'set bill = "{others[0]}"'
                if others
                else "check `root`; files are named <account>_<type>_<month>.csv",
            )
        if others:
            _log.info("alibaba_bill: %s lies there too, and is not read", ", ".join(others))
        errors: list[SourceError] = []
        for month, named in sorted(months.items()):
            version = fingerprint([each.file for each in named])
            if known.has("lines", month, version):
                continue
            try:
                parts = [part for each in named for part in parts_of(each)]
                refuse_empty(parts)
            except SourceError as error:
                errors.append(error)
                continue
            yield Delivery("lines", month, version, at, parts)
        raise_all(errors)

    def _asked(self, known: Known, at: datetime) -> Iterator[Delivery]:
        from connectors.alibaba_api import BillService  # noqa: PLC0415  (slow to load)

        service = BillService(
            self.endpoint_url,
            secret_of(self.access_key_id_env, where=_WHERE),
            secret_of(self.access_key_secret_env, where=_WHERE),
            per_second=self.requests_per_second,
            timeout_seconds=self.timeout_seconds,
        )
        # A day is asked for when it has been over for a day, in Shanghai.
        last = (at.astimezone(UTC) + timedelta(hours=8)).date() - timedelta(days=2)
        for month in self._months(known.cursor("lines"), last):
            following = next_month(month)
            days = [month + timedelta(days=number) for number in range((following - month).days)]
            cycle = f"{month:%Y-%m}"
            rows = [
                row
                for day in days
                if day <= last
                for row in service.rows(self.bill, cycle, day.isoformat())
            ]
            version = hashlib.sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()[:32]
            if rows and not known.has("lines", cycle, version):
                yield self._delivery(rows, cycle, version, at)

    def _months(self, newest: str | None, last: date) -> list[date]:
        """Return the first days of the months to ask for: those that may still change."""
        month = last.replace(day=1)
        back = self.backfill_months - 1
        if newest is not None:
            first = date.fromisoformat(f"{newest}-01")
            back = (month.year - first.year) * 12 + month.month - first.month
            if last.day <= self.final_day:
                back = max(back, 1)
        found = [month]
        for _ in range(back):
            found.insert(0, (found[0] - timedelta(days=1)).replace(day=1))
        return found

    def _delivery(
        self, rows: Sequence[Mapping[str, str | None]], cycle: str, version: str, at: datetime
    ) -> Delivery:
        import polars as pl  # noqa: PLC0415  (slow to import)

        names = sorted({name for row in rows for name in row})
        frame = pl.DataFrame(
            {name: [row.get(name) for row in rows] for name in names},
            schema=dict.fromkeys(names, pl.String),
        )
        files = [FrameFile(f"{self.bill} bill of {cycle}", frame)]
        return Delivery("lines", cycle, version, at, files, cycle, stated_rows=len(rows))


def _misuse(what: str, fix: str) -> SourceError:
    return SourceError(what, where=_WHERE, fix=fix)
