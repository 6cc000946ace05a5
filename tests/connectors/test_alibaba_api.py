"""Alibaba's bill API, by the official client against a server made of the client's own models."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from alibabacloud_bssopenapi20171214 import models  # type: ignore[import-untyped]

from connectors.alibaba_bill import AlibabaBill
from connectors.base import SourceError
from connectors.tally import counting
from queries.totals import raw_totals
from tests.connectors.telemetry import Ledger
from tests.queries.bills import stage_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

AT = datetime(2026, 10, 4, 3, tzinfo=UTC)  # 2 October has been over for a day in Shanghai
Asked = dict[str, str]
Reply = tuple[int, Any]


def item(cost: float, **more: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "InstanceID": "i-bp1aaa",
        "InstanceSpec": "ecs.gn7i-c8g1.2xlarge",
        "ProductCode": "ecs",
        "ProductName": "Elastic Compute Service",
        "Item": "PayAsYouGoBill",
        "PretaxAmount": cost,
        "PretaxGrossAmount": cost * 2,
        "InvoiceDiscount": cost,
        "Currency": "CNY",
        "Region": "cn-hangzhou",
        "Tag": "key:team value:vision; key:user value:alice",
        "BillAccountID": "1234567890123456",
        "OwnerID": "22",
        **more,
    }
    return facts


def body(asked: Asked, items: list[dict[str, Any]], **data: Any) -> dict[str, Any]:
    """Return an answer as the client's own models write it."""
    facts = {
        "AccountID": "1234567890123456",
        "AccountName": "acme",
        "BillingCycle": asked["BillingCycle"],
        "Items": items,
        "TotalCount": len(items),
        "MaxResults": int(asked["MaxResults"]),
        **data,
    }
    whole = {"Code": "Success", "Success": True, "RequestId": "r", "Message": "OK", "Data": facts}
    kind: Any = (
        models.DescribeSplitItemBillResponseBody
        if asked["Action"] == "DescribeSplitItemBill"
        else models.DescribeInstanceBillResponseBody
    )
    answer: dict[str, Any] = kind().from_map(whole).to_map()
    return answer


@contextmanager
def serving(reply: Callable[[Asked], Reply]) -> Iterator[tuple[str, list[Asked]]]:
    """Run a server that answers so; yield its address and what it was asked."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            form = self.rfile.read(length).decode() if length else ""
            parts = parse_qs(urlsplit(self.path).query) | parse_qs(form)
            each = {key: values[0] for key, values in parts.items()}
            each.setdefault("Action", self.headers.get("x-acs-action") or "")
            each["at"] = repr(time.monotonic())
            each["signed"] = self.headers.get("authorization") or ""
            asked.append(each)
            status, content = reply(each)
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST  # noqa: N815 - its name there

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "canary-id")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "canary-secret")


def source(address: str, **more: Any) -> AlibabaBill:
    settings = {"endpoint_url": address, "backfill_months": 1, "requests_per_second": 10, **more}
    return AlibabaBill(**settings)


def daily(asked: Asked) -> Reply:
    """Answer each day with three rows, two on the first page."""
    day = asked["BillingDate"]
    costs = [0.1, 12.345678, 1e-7]
    if not asked.get("NextToken"):
        items = [item(cost, BillingDate=day) for cost in costs[:2]]
        return 200, body(asked, items, TotalCount=3, NextToken="page-2")
    return 200, body(asked, [item(costs[2], BillingDate=day)], TotalCount=3)


def test_a_month_is_asked_day_by_day_page_by_page(tmp_path: Path) -> None:
    with serving(daily) as (address, asked), counting() as tally:
        (delivery,) = source(address).deliveries_at(Ledger(), AT)
    assert (delivery.unit, delivery.stated_rows) == ("2026-10", 6)
    assert tally.requests == len(asked)
    pages = [(each["BillingDate"], each.get("NextToken")) for each in asked]
    assert pages == [
        ("2026-10-01", None),
        ("2026-10-01", "page-2"),
        ("2026-10-02", None),
        ("2026-10-02", "page-2"),
    ]
    assert {each["Action"] for each in asked} == {"DescribeInstanceBill"}
    assert {each["Granularity"] for each in asked} == {"DAILY"}
    assert all("canary-secret" not in str(each) for each in asked)
    path = tmp_path / "a.parquet"
    with delivery.files[0].open() as stream:
        path.write_bytes(stream.read())
    rows: list[dict[str, Any]] = stage_rows("alibaba_bill", [path])
    wanted = 2 * Decimal("12.4456781")
    assert sum((row["billed_cost"] for row in rows), Decimal(0)) == wanted
    assert {str(row["charge_date"]) for row in rows} == {"2026-10-01", "2026-10-02"}
    assert rows[0]["tags"] == {"team": "vision", "user": "alice"}
    assert rows[0]["x_instance_type"] == "ecs.gn7i-c8g1.2xlarge"
    assert (rows[0]["billing_account_id"], rows[0]["sub_account_id"]) == ("1234567890123456", "22")
    found = raw_totals("alibaba_bill__lines", [path])
    assert {each.measure: each.amount for each in found} == {
        "billed_cost": wanted,
        "effective_cost": wanted,
    }


def test_the_split_bill_has_an_action_of_its_own() -> None:
    def reply(asked: Asked) -> Reply:
        each = item(3, SplitItemID="acme-data", ProductCode="oss", BillingItem="Storage")
        return 200, body(asked, [each])

    with serving(reply) as (address, asked):
        (delivery,) = source(address, bill="split").deliveries_at(Ledger(), AT)
    assert {each["Action"] for each in asked} == {"DescribeSplitItemBill"}
    assert delivery.stated_rows == 2


def test_no_more_is_asked_per_second_than_is_allowed() -> None:
    with serving(daily) as (address, asked):
        started = time.monotonic()
        list(source(address, requests_per_second=5).deliveries_at(Ledger(), AT))
        took = time.monotonic() - started  # as the client sees it: the first may arrive late
    assert len(asked) > 2
    assert took >= (len(asked) - 1) / 5


def test_the_month_before_is_asked_again_until_it_is_final() -> None:
    ledger = Ledger()
    with serving(daily) as (address, asked):
        from_september = source(address, backfill_months=2)
        seen = ledger.take(from_september.deliveries_at(ledger, AT))
        assert [each.unit for each in seen] == ["2026-09", "2026-10"]
        asked.clear()
        assert ledger.take(from_september.deliveries_at(ledger, AT)) == []
        assert {each["BillingCycle"] for each in asked} == {"2026-09", "2026-10"}
        asked.clear()
        later = datetime(2026, 10, 20, tzinfo=UTC)
        assert [each.unit for each in from_september.deliveries_at(ledger, later)] == ["2026-10"]
        assert {each["BillingCycle"] for each in asked} == {"2026-10"}


def test_throttling_and_bad_moments_are_waited_out() -> None:
    bad: list[Reply] = [
        (400, {"Code": "Throttling.User", "Message": "slow down", "RequestId": "r"}),
        (503, {"Code": "ServiceUnavailable", "Message": "later", "RequestId": "r"}),
        (200, {"Code": "InternalError", "Success": False, "Message": "oh"}),
    ]

    def reply(asked: Asked) -> Reply:
        return bad.pop(0) if bad else daily(asked)

    with serving(reply) as (address, asked):
        (delivery,) = source(address).deliveries_at(Ledger(), AT)
    assert delivery.stated_rows == 6
    assert len(asked) == 7


def good(asked: Asked, **data: Any) -> dict[str, Any]:
    return body(asked, [item(1)], **data)


def without(asked: Asked, *path: str) -> dict[str, Any]:
    content: Any = body(asked, [item(1)])
    place = content
    for key in path[:-1]:
        place = place[key] if key != "0" else place[0]
    del place[path[-1]]
    whole: dict[str, Any] = content
    return whole


SPOILED: dict[str, tuple[Callable[[Asked], Reply], str]] = {
    "forbidden": (
        lambda _: (403, {"Code": "Forbidden.RAM", "Message": "no", "RequestId": "r"}),
        "answers Forbidden.RAM",
    ),
    "a wrong key": (
        lambda _: (404, {"Code": "InvalidAccessKeyId.NotFound", "Message": "no"}),
        "InvalidAccessKeyId.NotFound",
    ),
    "no success": (
        lambda _: (200, {"Code": "NotApplicable", "Success": False, "Message": "a reseller"}),
        "it says a reseller",
    ),
    "no data": (lambda asked: (200, without(asked, "Data")), "cannot be used"),
    "an empty object": (lambda _: (200, {}), "it says nothing"),
    "another month": (
        lambda asked: (200, good(asked, BillingCycle="2026-01")),
        "of 2026-01, not of 2026-10",
    ),
    "rows missing": (lambda asked: (200, good(asked, TotalCount=2)), "states 2 rows, and 1 came"),
    "rows too many": (lambda asked: (200, good(asked, TotalCount=0)), "states 0 rows, and 1"),
    "no count": (lambda asked: (200, without(asked, "Data", "TotalCount")), "states None rows"),
    "no amount": (
        lambda asked: (200, without(asked, "Data", "Items", "0", "PretaxAmount")),
        "lacks PretaxAmount",
    ),
    "no currency": (
        lambda asked: (200, without(asked, "Data", "Items", "0", "Currency")),
        "lacks PretaxAmount or Currency",
    ),
    "another day": (
        lambda asked: (200, body(asked, [item(1, BillingDate="2026-10-30")])),
        "of 2026-10-30",
    ),
    "pages in a ring": (
        lambda asked: (200, good(asked, NextToken="again", TotalCount=9)),
        "come round again",
    ),
    "a page of nothing": (
        lambda asked: (200, body(asked, [], NextToken="more", TotalCount=9)),
        "come round again",
    ),
}


@pytest.mark.parametrize(("reply", "said"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_answer_is_refused(reply: Callable[[Asked], Reply], said: str) -> None:
    with serving(reply) as (address, _), pytest.raises(SourceError) as caught:
        list(source(address).deliveries_at(Ledger(), AT))
    assert said in str(caught.value)
    assert "canary" not in f"{caught.value} {caught.value.__notes__}"


@pytest.mark.parametrize("text", ["", "<html>login</html>", "[]", '{"Code": "Succ', "null"])
def test_what_is_no_answer_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.alibaba_api._ATTEMPTS", 2)
    with serving(lambda _: (200, text)) as (address, _), pytest.raises(SourceError) as caught:
        list(source(address).deliveries_at(Ledger(), AT))
    assert "cannot be used" in str(caught.value) or "does not answer" in str(caught.value)


def test_keys_come_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
    with pytest.raises(SourceError, match="ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set"):
        list(AlibabaBill().deliveries_at(Ledger(), AT))
