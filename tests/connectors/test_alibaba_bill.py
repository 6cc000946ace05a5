"""Alibaba bills as files: which of them count, and what a line is, in either language."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from connectors.alibaba_bill import AlibabaBill
from connectors.base import SourceError
from queries import ModelError
from queries.engines.duckdb import Error
from queries.totals import raw_totals
from tests.connectors.known import Memory
from tests.queries.bills import DATA, lines_of, stage_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOME = DATA / "alibaba_bill"
INSTANCE = HOME / "1234567890123456_InstanceDetailMonthly_202610.csv"
SPLIT = HOME / "1234567890123456_SplitItemDetailDaily_20261103.csv"
TABLE = "alibaba_bill__lines"


def staged(*paths: Path) -> list[dict[str, Any]]:
    return stage_rows("alibaba_bill", paths)


def totals(*paths: Path) -> dict[tuple[str, str, str, str, str], Decimal]:
    return {
        (
            total.billing_account_id,
            total.billing_period,
            total.charge_month,
            total.billing_currency,
            total.measure,
        ): total.amount
        for total in raw_totals(TABLE, paths)
    }


def line(rows: Sequence[dict[str, Any]], resource: str) -> dict[str, Any]:
    (found,) = [row for row in rows if row["resource_id"] == resource]
    return found


@pytest.mark.parametrize(
    ("path", "column", "total"),
    [(INSTANCE, "PretaxAmount", "21934.602455789"), (SPLIT, "应付金额", "9.5")],
)
def test_a_bill_in_either_language_is_staged_to_the_last_digit(
    path: Path, column: str, total: str
) -> None:
    rows = staged(path)
    billed = sum((row["billed_cost"] for row in rows), Decimal(0))
    assert billed == sum(Decimal(each[column]) for each in lines_of(path)) == Decimal(total)
    assert sum((row["effective_cost"] for row in rows), Decimal(0)) == billed
    spread = [row for row in rows if row["pricing_category"] == "Committed"]
    assert len(rows) - max(0, len(spread) - 1) == sum(1 for _ in lines_of(path))


@pytest.mark.parametrize("path", [INSTANCE, SPLIT])
def test_the_models_and_the_raw_totals_agree_under_every_key(path: Path) -> None:
    wanted: dict[tuple[str, str, str, str, str], Decimal] = {}
    for row in staged(path):
        for measure in ("billed_cost", "effective_cost"):
            key = (
                row["billing_account_id"],
                f"{row['billing_period']:%Y-%m}",
                f"{row['charge_date']:%Y-%m}",
                row["billing_currency"],
                measure,
            )
            wanted[key] = wanted.get(key, Decimal(0)) + row[measure]
    assert totals(path) == wanted


def test_times_of_shanghai_become_utc() -> None:
    rows = staged(INSTANCE)
    hourly = line(rows, "i-bp1aaa")
    assert hourly["charge_hour"] == datetime(2026, 10, 5, 0)  # noqa: DTZ001 - raw times are UTC
    storage = line(rows, "cn-hangzhou;standard")
    assert storage["charge_hour"] == datetime(2026, 9, 30, 23)  # noqa: DTZ001
    assert (storage["charge_date"], storage["billing_period"]) == (
        date(2026, 9, 30),
        date(2026, 10, 1),
    )
    daily = line(rows, "i-bp1bbb")
    assert daily["charge_date"] == date(2026, 10, 1)
    assert daily["charge_period_start"] == datetime(2026, 9, 30, 16)  # noqa: DTZ001
    assert daily["charge_hour"] is None
    month = line(rows, "spn-1")
    assert (month["charge_date"], month["x_line_class"]) == (date(2026, 10, 1), "purchase")


def test_vouchers_and_cards_are_means_of_payment_and_coupons_are_not() -> None:
    hourly = line(staged(INSTANCE), "i-bp1aaa")
    assert hourly["billed_cost"] == hourly["effective_cost"] == Decimal("10.939")
    assert hourly["list_cost"] == Decimal("12.71")
    assert hourly["contracted_cost"] == Decimal("11.439")


def test_both_styles_of_tags_are_read() -> None:
    rows = staged(INSTANCE)
    assert line(rows, "i-bp1aaa")["tags"] == {"team": "vision", "user": "alice"}
    assert line(rows, "i-bp1bbb")["tags"] == {"team": "nlp", "user": "bob"}


def test_lines_are_classified_by_product_and_kind() -> None:
    rows = staged(INSTANCE)
    found = {
        row["resource_id"]: (
            row["x_line_class"],
            row["charge_category"],
            row["charge_class"],
            row["x_instance_type"],
        )
        for row in rows
        if row["billed_cost"]
    }
    assert found == {
        "i-bp1aaa": ("instance", "Usage", None, "ecs.gn7i-c32g1.8xlarge"),
        "i-bp1bbb": ("instance", "Usage", None, "ecs.gn6v-c8g1.2xlarge"),
        "cn-hangzhou;standard": ("object_storage", "Usage", None, None),
        "i-bp1ccc": ("instance", "Purchase", None, "ecs.gn8v.4xlarge"),
        "i-bp1ddd": ("instance", "Usage", "Correction", "ecs.gn6i-c4g1.xlarge"),
        "spn-1": ("purchase", "Adjustment", None, None),
    }
    (order,) = (row for row in rows if row["charge_category"] == "Purchase")
    assert order["charge_period_end"] == datetime(2027, 10, 11, 16)  # noqa: DTZ001


def test_a_split_bill_names_buckets() -> None:
    rows = staged(SPLIT)
    found = sorted((row["resource_id"], row["x_line_class"]) for row in rows)
    assert found == [
        ("acme-data", "object_storage"),
        ("acme-data", "transfer"),
        ("i-bp1aaa", "instance"),
    ]
    assert {row["charge_class"] for row in rows} == {None, "Correction"}


def put(folder: Path, *names: str, content: bytes | None = None) -> AlibabaBill:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(INSTANCE.read_bytes() if content is None else content)
    return AlibabaBill(root=str(folder))


def delivered(source: AlibabaBill) -> dict[str, list[str]]:
    return {each.unit: [file.name for file in each.files] for each in source.deliveries(Memory())}


U = "1234567890123456"
CHOICES: dict[str, tuple[list[str], list[str]]] = {
    "the month before its days": (
        ["InstanceDetail_20261001", "InstanceDetail_20261002", "InstanceDetail_202610"],
        ["InstanceDetail_202610"],
    ),
    "every day where there is no month": (
        ["InstanceDetail_20261001", "InstanceDetail_20261002"],
        ["InstanceDetail_20261001", "InstanceDetail_20261002"],
    ),
    "month to date before days": (
        ["InstanceDetail_20261001", "InstanceDetailMonthly_202610"],
        ["InstanceDetailMonthly_202610"],
    ),
    "of month to date the newest": (
        ["InstanceDetailMonthly_20261001", "InstanceDetailMonthly_20261002"],
        ["InstanceDetailMonthly_20261002"],
    ),
    "no other kind": (
        ["InstanceDetailMonthly_202610", "BillingItemDetailMonthly_202610"],
        ["InstanceDetailMonthly_202610"],
    ),
    "all parts": (
        ["InstanceDetailMonthly_202610_1", "InstanceDetailMonthly_202610_2"],
        ["InstanceDetailMonthly_202610_1", "InstanceDetailMonthly_202610_2"],
    ),
}


@pytest.mark.parametrize(("there", "counts"), CHOICES.values(), ids=CHOICES)
def test_a_month_is_counted_once(tmp_path: Path, there: list[str], counts: list[str]) -> None:
    source = put(tmp_path / "oss", *(f"{U}_{name}.csv" for name in there))
    assert delivered(source) == {"2026-10": [f"{U}_{name}.csv" for name in counts]}


def test_accounts_of_a_month_lie_side_by_side(tmp_path: Path) -> None:
    names = [f"{account}_InstanceDetail_202610.csv" for account in (U, "9876543210987654")]
    assert delivered(put(tmp_path / "oss", *names)) == {"2026-10": sorted(names)}


def test_instance_and_split_are_never_read_together(tmp_path: Path) -> None:
    put(tmp_path / "oss", INSTANCE.name)
    put(tmp_path / "oss", SPLIT.name, content=SPLIT.read_bytes())
    source = AlibabaBill(root=str(tmp_path / "oss"))
    assert delivered(source) == {"2026-10": [INSTANCE.name]}
    split = AlibabaBill(root=str(tmp_path / "oss"), bill="split")
    assert delivered(split) == {"2026-11": [SPLIT.name]}
    with pytest.raises(SourceError, match="bill is") as caught:
        AlibabaBill(bill="instance+split")
    assert "count it twice" in caught.value.__notes__[1]
    (tmp_path / "oss" / INSTANCE.name).unlink()
    with pytest.raises(SourceError, match="no instance bill") as caught:
        delivered(source)
    assert 'bill = "split"' in caught.value.__notes__[1]


def packed(*members: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def test_an_archive_of_parts_is_unpacked(tmp_path: Path) -> None:
    header, *rest = INSTANCE.read_bytes().splitlines(keepends=True)
    archive = packed(("a_1.csv", header + b"".join(rest[:2])), ("a_2.csv", header + rest[2]))
    source = put(tmp_path / "oss", f"{U}_InstanceDetail_202610.zip", content=archive)
    (delivery,) = source.deliveries(Memory())
    paths = []
    for number, file in enumerate(delivery.files):
        path = tmp_path / f"{number}.csv"
        with file.open() as stream:
            path.write_bytes(stream.read())
        assert file.size == path.stat().st_size
        paths.append(path)
    assert sum(row["billed_cost"] for row in staged(*paths)) == Decimal("646.102456789")


ZIP = packed(("a.csv", INSTANCE.read_bytes()))
SPOILED_ZIPS: dict[str, tuple[bytes, str]] = {
    "cut": (ZIP[:-30], "not a whole bill"),
    "no archive": (b"BillingCycle\n", "not a whole bill"),
    "empty archive": (packed(), "it holds no file"),
    "a PDF": (packed(("bill.pdf", b"%PDF")), "it holds bill.pdf"),
    "flipped": (ZIP[:200] + bytes([ZIP[200] ^ 1]) + ZIP[201:], "not a whole bill"),
    "an empty part": (packed(("a.csv", b"")), "is empty"),
    "no bytes": (b"", "not a whole bill"),
}


@pytest.mark.parametrize(("content", "said"), SPOILED_ZIPS.values(), ids=SPOILED_ZIPS)
def test_a_spoiled_archive_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    source = put(tmp_path / "oss", f"{U}_InstanceDetail_202610.zip", content=content)
    with pytest.raises(SourceError, match=said) as caught:
        delivered(source)
    assert "202610.zip" in caught.value.__notes__[0]


def test_an_unchanged_month_is_not_delivered_again(tmp_path: Path) -> None:
    source, memory = put(tmp_path / "oss", INSTANCE.name), Memory()
    for delivery in source.deliveries(memory):
        memory.land(delivery)
    assert list(source.deliveries(memory)) == []
    put(tmp_path / "oss", INSTANCE.name, content=SPLIT.read_bytes())
    assert len(list(source.deliveries_at(memory, datetime.now(UTC)))) == 1


LINES = INSTANCE.read_text(encoding="utf-8").splitlines()
CELLS = dict(zip(LINES[0].split(","), LINES[1].split(","), strict=True))
SPOILED_CELLS = [
    *(
        ("PretaxAmount", text)
        for text in (
            *("abc", "¥5", "5 CNY", "1_0", "--1", "1.2.3", '"1,5"', "NaN", "inf", "٣", "0x1"),
            *("1e30", "5-", "(5)", "1 000", "5。0", "=5"),
        )
    ),
    *(
        ("UsageStartTime", text)
        for text in (
            *("5/10/2026", "2026/10/05 08:00", "yesterday", "2026-13-05 08:00:00", "45567"),
            *("2026-10-32 00:00:00", "2026-10-05 25:00:00", "2026-10-05 08:61:00", "20261005"),
            *("05-10-2026", "2026年10月5日", "10-05", "2026-10-05 08:00:00 CST?"),
        )
    ),
    *(
        ("UsageEndTime", text)
        for text in ("noon", "2026-13-05 08:00:00", "20261005", "2026-10-05 24:01:00", "1/2/26")
    ),
    *(
        ("BillingCycle", text)
        for text in ("", "October", "2026-13", "2026", "26-10", "2026/10", "10-2026", "202600")
    ),
]


def read_both_ways(path: Path) -> tuple[Decimal, Decimal]:
    """Return what a bill adds up to on both sides of the books, as a night reads it."""
    found = [each.amount for each in raw_totals(TABLE, [path]) if each.measure == "billed_cost"]
    return sum(found, Decimal(0)), sum((row["billed_cost"] for row in staged(path)), Decimal(0))


@pytest.mark.parametrize(("column", "text"), SPOILED_CELLS)
def test_a_spoiled_cell_is_refused(tmp_path: Path, column: str, text: str) -> None:
    path = tmp_path / "a.csv"
    spoiled = ",".join({**CELLS, column: text}.values())
    path.write_text("\n".join((LINES[0], LINES[2], spoiled)) + "\n", encoding="utf-8")
    with pytest.raises((ModelError, Error)):
        read_both_ways(path)


BODY = "\n".join(LINES[:3]) + "\n"
WHOLE = Decimal("645.979")
SPOILED_FILES: dict[str, bytes] = {
    "no amount": BODY.replace("PretaxAmount", "Pretax").encode(),
    "a field too few": BODY[: BODY.rindex(",")].encode(),
    "a field too many": (BODY[:-1] + ",x\n").encode(),
    "cut in a line": BODY[:-60].encode(),
    "an open quote": BODY.replace("train-2", '"train-2').encode(),
    "semicolons": BODY.replace(",", ";").encode(),
    "tabs": BODY.replace(",", "\t").encode(),
    "GBK": BODY.replace("train-1", "训练").encode("gbk"),
    "UTF-16": BODY.encode("utf-16"),
    "a web page": b"<html><body>403</body></html>\n",
    "JSON": b'{"Code": "Forbidden"}\n',
    "XML": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>\n',
    "no header": "\n".join(LINES[1:3]).encode(),
    "the header twice": (LINES[0] + "\n" + BODY).encode(),
    "a total": (BODY + "Total" + "," * 26 + "645.979,,,,,CNY\n").encode(),
}
ODD_FILES: dict[str, bytes] = {
    "blank lines": (BODY + "\n\n").encode(),
    "Windows lines": BODY.replace("\n", "\r\n").encode(),
    "a BOM": b"\xef\xbb\xbf" + BODY.encode(),
    "no last line end": BODY.rstrip("\n").encode(),
    "quoted cells": BODY.replace("train-1", '"train, the ""first"""').encode(),
    "headers in lower case": (LINES[0].lower() + "\n" + "\n".join(LINES[1:3])).encode(),
    "headers with blanks": BODY.replace("PretaxAmount", "Pretax Amount").encode(),
    "an unknown column": "\n".join(f"{each},x" for each in LINES[:3]).encode(),
    "zero bytes in a name": BODY.replace("train-1", "tra\0in").encode(),
    "NULL": BODY.replace("train-1", "NULL").encode(),
    "a tag twice": BODY.replace("user:alice", "team:nlp").encode(),
    "tags without a value": BODY.replace("team:vision;", "team;:;x:;").encode(),
}


@pytest.mark.parametrize("content", SPOILED_FILES.values(), ids=SPOILED_FILES)
def test_a_spoiled_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises((ModelError, Error)):
        read_both_ways(path)


@pytest.mark.parametrize("content", ODD_FILES.values(), ids=ODD_FILES)
def test_what_is_odd_and_still_right_is_read_right(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    assert read_both_ways(path) == (WHOLE, WHOLE)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bill": "both"}, 'bill is "both"'),
        ({"requests_per_second": 11}, "is not 1 to 10"),
        ({"backfill_months": 0}, "out of range"),
        ({"final_day": 31}, "out of range"),
        ({"endpoint_url": "business.aliyuncs.com"}, "no address"),
        ({"endpoint_url": "https://k:s@business.aliyuncs.com"}, "no address"),
    ],
)
def test_a_config_that_cannot_be_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        AlibabaBill(**change)
