"""Alibaba's bills from its API, by the official client: pages, patience, and no more than asked.

Source: https://www.alibabacloud.com/help/en/boa/api-bssopenapi-2017-12-14-describeinstancebill
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import stamina
from alibabacloud_bssopenapi20171214 import models  # type: ignore[import-untyped]
from alibabacloud_bssopenapi20171214.client import Client  # type: ignore[import-untyped]
from alibabacloud_tea_openapi.utils_models import Config  # type: ignore[import-untyped]
from darabonba.runtime import RuntimeOptions  # type: ignore[import-untyped]
from Tea.exceptions import TeaException  # type: ignore[import-untyped]

from connectors.base import SourceError
from connectors.tally import count_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    Row = dict[str, str | None]

_ATTEMPTS = 6
_LARGEST_PAGE = 300
_MOST_PAGES = 100_000
_FIX = "the next night asks again; the last good delivery stays in force"
_BUSY = ("throttling", "serviceunavailable", "internalerror", "systembusy", "timeout")


class _BusyError(Exception):
    """The service asks for patience."""


@dataclass(slots=True)
class BillService:
    """The bill API of one account."""

    endpoint: str
    """`https://business.aliyuncs.com`."""
    key_id: str = field(repr=False)
    key_secret: str = field(repr=False)
    per_second: int = 8
    timeout_seconds: int = 60
    page_size: int = _LARGEST_PAGE
    _client: Any = field(init=False, repr=False, default=None)
    _next_at: float = field(init=False, repr=False, default=0.0)

    def rows(self, bill: str, cycle: str, day: str | None) -> Iterator[Row]:
        """Yield the rows of a month (`2026-10`), or of a day of it, as the API names their fields.

        Raises: SourceError for an answer that is an error, or not all there is.
        """
        token: str | None = None
        count, seen = 0, set[str]()
        for _ in range(_MOST_PAGES):
            data = self._page(bill, cycle, day, token)
            items = data.get("Items") or []
            if data.get("BillingCycle") not in (None, "", cycle):
                raise self._odd(f"it is of {data['BillingCycle']}, not of {cycle}")
            for item in items:
                count += 1
                yield self._row(item, data, cycle, day)
            token = data.get("NextToken")
            if not token:
                total = data.get("TotalCount")
                if total is None or int(total) != count:
                    raise self._odd(f"it states {total} rows, and {count} came")
                return
            if token in seen or not items:
                raise self._odd("its pages come round again")
            seen.add(token)
        raise self._odd("its pages do not end")

    def _row(self, item: dict[str, Any], data: dict[str, Any], cycle: str, day: str | None) -> Row:
        if item.get("PretaxAmount") is None or not item.get("Currency"):
            raise self._odd("a row lacks PretaxAmount or Currency")
        if day is not None and item.get("BillingDate") not in (day, None, ""):
            raise self._odd(f"a row is of {item['BillingDate']}, not of {day}")
        row = {key: _text(value) for key, value in item.items()}
        row["BillingCycle"] = cycle
        row["BillingDate"] = day
        row["AccountID"] = row.get("BillAccountID") or _text(data.get("AccountID"))
        return row

    def _page(self, bill: str, cycle: str, day: str | None, token: str | None) -> dict[str, Any]:
        """Return a page of the answer.

        Raises: SourceError where it is an error.
        """
        asked = {
            "billing_cycle": cycle,
            "billing_date": day,
            "granularity": "DAILY" if day else "MONTHLY",
            "max_results": self.page_size,
            "next_token": token,
        }
        body: dict[str, Any] = {}
        try:
            for attempt in stamina.retry_context(
                on=_BusyError, attempts=_ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=30
            ):
                with attempt:
                    body = self._ask(bill, asked)
        except _BusyError as error:
            raise SourceError(
                f"Alibaba does not answer, after {_ATTEMPTS} tries: {error}",
                where=self.endpoint,
                fix=_FIX,
            ) from error
        if not body.get("Success") or not isinstance(body.get("Data"), dict):
            said = body.get("Message") or body.get("Code") or "nothing"
            raise self._odd(f"it says {said}")
        data: dict[str, Any] = body["Data"]
        return data

    def _ask(self, bill: str, asked: dict[str, Any]) -> dict[str, Any]:
        self._wait()
        count_request()
        runtime = RuntimeOptions(
            autoretry=False,
            connect_timeout=10_000,
            read_timeout=self.timeout_seconds * 1000,
        )
        client = self._connected()
        try:
            if bill == "split":
                request = models.DescribeSplitItemBillRequest(**asked)
                answer = client.describe_split_item_bill_with_options(request, runtime)
            else:
                request = models.DescribeInstanceBillRequest(
                    **asked, is_billing_item=bill == "items"
                )
                answer = client.describe_instance_bill_with_options(request, runtime)
            body: dict[str, Any] = answer.body.to_map()
        except TeaException as error:
            raise self._refusal(error) from error
        except OSError as error:
            raise _BusyError(str(error)[:200]) from error
        except (AttributeError, TypeError, ValueError) as error:
            raise self._odd("it is not an answer of this API") from error
        code = str(body.get("Code", "")).lower().replace(" ", "")
        if not body.get("Success") and any(word in code for word in _BUSY):
            raise _BusyError(str(body.get("Code")))
        return body

    def _connected(self) -> Any:
        if self._client is None:
            parts = urlsplit(self.endpoint)
            config = Config(
                access_key_id=self.key_id,
                access_key_secret=self.key_secret,
                endpoint=parts.netloc,
                protocol=parts.scheme,
            )
            self._client = Client(config)
        return self._client

    def _wait(self) -> None:
        """Keep below the requests per second that the API allows."""
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 1 / self.per_second

    def _refusal(self, error: Any) -> Exception:
        code = getattr(error, "code", None)
        if not code:  # no answer of the API's: a cut line, or a page of somebody's in front of it
            return _BusyError(str(error)[:200])
        if any(word in str(code).lower() for word in _BUSY):
            return _BusyError(str(code))
        return SourceError(
            f"Alibaba answers {code}: {str(getattr(error, 'message', error))[:200]}",
            where=self.endpoint,
            fix="grant the user of the access key bssapi:DescribeInstanceBill (bill = 'split': "
            "bssapi:DescribeSplitItemBill; cron/alibaba-roles.md), and check the key and the "
            "endpoint (business.aliyuncs.com, or business.ap-southeast-1.aliyuncs.com)",
        )

    def _odd(self, why: str) -> SourceError:
        return SourceError(
            f"an answer of Alibaba's cannot be used: {why}", where=self.endpoint, fix=_FIX
        )


def _text(value: Any) -> str | None:
    """Return a value as text: the client hands out doubles, whose shortest text is what came."""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return None if value is None else str(value)
