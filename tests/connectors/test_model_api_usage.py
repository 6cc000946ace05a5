"""Models behind an API: a day's cost split by its tokens, exactly; spoiled answers are refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import SourceError
from connectors.model_api_answers import records_of, results_of
from connectors.model_api_usage import ModelApiUsage
from queries.totals import raw_totals
from tests.connectors.model_vendor import (
    COSTS,
    DAY,
    Form,
    Json,
    Reply,
    anthropic_cost,
    anthropic_use,
    openai,
    openai_cost,
    openai_use,
    page,
    serving,
)
from tests.connectors.telemetry import Ledger
from tests.queries.bills import DATA, assert_plain, stage_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from connectors.base import Delivery

HOME = DATA / "model_api_usage"
AT = datetime(2026, 10, 6, 6, tzinfo=UTC)
TABLE = "model_api_usage__records"
KEY: dict[str, Any] = {"admin_key_env": "MLSPEND_TEST_KEY"}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSPEND_TEST_KEY", "canary-77")


def source(address: str, vendor: str = "openai", **more: Any) -> ModelApiUsage:
    return ModelApiUsage(vendor=vendor, url=address, **KEY, **{"backfill_days": 1, **more})


def land(deliveries: Sequence[Delivery], folder: Path) -> list[Path]:
    paths = []
    for delivery in deliveries:
        path = folder / f"{delivery.unit}.parquet"
        with delivery.files[0].open() as stream:
            path.write_bytes(stream.read())
        paths.append(path)
    return paths


def staged(paths: Sequence[Path]) -> list[Json]:
    return stage_rows("model_api_usage", paths)


def by_user(rows: Sequence[Json], meter: str | None) -> dict[str | None, Decimal]:
    return {
        row["tags"].get("user"): row["effective_cost"] for row in rows if row["sku_meter"] == meter
    }


def assert_totals_agree(paths: Sequence[Path]) -> Decimal:
    rows = staged(paths)
    total = sum((row["billed_cost"] for row in rows), Decimal(0))
    for each in raw_totals(TABLE, paths):
        assert each.amount == total
    assert_plain(TABLE, paths)
    return total


def test_a_day_of_openai_is_split_by_tokens_of_its_own_kind(tmp_path: Path) -> None:
    with serving(openai) as (address, asked):
        deliveries = list(source(address, organization="acme").deliveries_at(Ledger(), AT))
    (delivery,) = deliveries
    assert delivery.unit == "2026-10-05"
    assert [(path, form.get("page")) for path, form in asked] == [
        ("organization/costs", None),
        ("organization/costs", ["2"]),
        ("organization/costs", ["4"]),
        ("organization/usage/completions", None),
        ("organization/usage/completions", ["2"]),
    ]
    assert asked[0][1]["group_by"] == ["project_id", "line_item"]
    assert asked[3][1]["group_by"] == ["project_id", "user_id", "api_key_id", "model"]
    assert asked[0][1]["headers"] == ["Bearer canary-77", "", ""]
    paths = land(deliveries, tmp_path)
    rows = staged(paths)
    # 200 and 100 uncached tokens; 100 cached by one; 10 and 20 of output
    assert by_user(rows, "input") == {"user-alice": Decimal(2), "user-bob": Decimal(1)}
    assert by_user(rows, "cached_input") == {"user-alice": Decimal("0.1")}
    third = Decimal(10) / 3
    output = by_user(rows, "output")
    assert abs(output["user-alice"] - third) < Decimal("1e-11")
    assert sum(output.values()) == Decimal("10.000000000000")
    searches = [row for row in rows if row["charge_description"] == "gpt-5, web search"]
    assert {row["tags"]["user"]: row["consumed_quantity"] for row in searches} == {
        "user-alice": 310,
        "user-bob": 120,
    }
    (images,) = [row for row in rows if row["charge_description"] == "image models"]
    assert images["tags"] == {"model": "image models"}
    assert {row["billing_account_id"] for row in rows} == {"acme"}
    assert assert_totals_agree(paths) == Decimal("15.3")
    (beyond,) = {each.beyond for each in raw_totals(TABLE, paths)}
    assert beyond == Decimal("2E-15")


def test_tokens_are_kept_and_a_key_stands_for_a_user_that_is_not_named(tmp_path: Path) -> None:
    uses = [openai_use("key_1", "", tokens=(5, 0, 0)), openai_use("key_2", "", tokens=(15, 0, 0))]

    def reply(path: str, _: Form) -> Reply:
        costs = [openai_cost(1, "gpt-5, input")]
        return 200, page(costs if path.endswith("costs") else uses)

    with serving(reply) as (address, _):
        rows = staged(land(list(source(address).deliveries_at(Ledger(), AT)), tmp_path))
    found = {
        row["tags"]["user"]: (row["effective_cost"], row["consumed_quantity"], row["consumed_unit"])
        for row in rows
    }
    assert found == {
        "key_1": (Decimal("0.25"), 5, "Tokens"),
        "key_2": (Decimal("0.75"), 15, "Tokens"),
    }
    assert {row["tags"]["api_key"] for row in rows} == {"key_1", "key_2"}


def anthropic(path: str, _: Form) -> Reply:
    if path.endswith("cost_report"):
        results = [
            anthropic_cost("123.78912", "uncached_input_tokens"),
            anthropic_cost("50", "cache_creation.ephemeral_5m_input_tokens"),
            anthropic_cost("1.000000000001", None),
        ]
    else:
        results = [
            anthropic_use("apikey_1", None, 100, 30, 0),
            anthropic_use("apikey_2", "user_bob", 300, 10, 0),
        ]
    return 200, page(results, seconds=False)


def test_anthropic_states_cents_and_is_asked_in_its_own_words(tmp_path: Path) -> None:
    with serving(anthropic) as (address, asked):
        paths = land(list(source(address, "anthropic").deliveries_at(Ledger(), AT)), tmp_path)
    (path, form), (other, usage) = asked
    assert (path, other) == (
        "organizations/cost_report",
        "organizations/usage_report/messages",
    )
    assert form["starting_at"] == ["2026-10-05T00:00:00Z"]
    assert form["ending_at"] == ["2026-10-06T00:00:00Z"]
    assert form["group_by[]"] == ["workspace_id", "description"]
    assert usage["group_by[]"] == ["workspace_id", "account_id", "api_key_id", "model"]
    assert form["headers"] == ["", "canary-77", "2023-06-01"]
    rows = staged(paths)
    quarter = Decimal("1.2378912") / 4
    assert by_user(rows, "uncached_input_tokens") == {"apikey_1": quarter, "user_bob": quarter * 3}
    meter = "cache_creation.ephemeral_5m_input_tokens"
    assert by_user(rows, meter) == {"apikey_1": Decimal("0.375"), "user_bob": Decimal("0.125")}
    assert by_user(rows, None) == {None: Decimal("0.010000000000")}
    assert assert_totals_agree(paths) == Decimal("1.7478912")


AMOUNTS = st.decimals(-(10**9), 10**9, places=18) | st.decimals(-1, 1, places=24)


@settings(deadline=None, max_examples=40)
@given(
    amounts=st.lists(AMOUNTS, min_size=1, max_size=5),
    tokens=st.lists(st.integers(0, 10**12), max_size=6),
    digits=st.sampled_from([0, 2]),
)
def test_parts_add_up_to_what_was_stated_and_to_the_raw_total(
    tmp_path_factory: pytest.TempPathFactory,
    amounts: list[Decimal],
    tokens: list[int],
    digits: int,
) -> None:
    same = {"provider": "P", "day": "2026-10-05", "currency": "USD", "model": "m"}
    records: list[Json] = [
        {**same, "kind": "cost", "amount": format(each, "f"), "minor_digits": str(digits)}
        for each in amounts
    ]
    records += [
        {**same, "kind": "usage", "api_key_id": f"k{number}", "tokens": str(each)}
        for number, each in enumerate(tokens)
        if each
    ]
    columns = ModelApiUsage.tables[0].columns
    rows = [{column: record.get(column) for column in columns} for record in records]
    path = tmp_path_factory.mktemp("parts") / "a.parquet"
    pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String)).write_parquet(path)
    assert_totals_agree([path])


def test_the_documented_answers_are_read() -> None:
    day = date(2024, 11, 1)
    costs = json.loads((HOME / "openai_costs.json").read_text("utf-8"))
    (result,), more = results_of(costs, day)
    (cost,) = records_of("openai", "cost", result)
    assert (cost["amount"], cost["currency"], cost["model"], more) == ("0.06", "USD", None, None)
    completions = json.loads((HOME / "openai_completions.json").read_text("utf-8"))
    (result,), more = results_of(completions, day)
    assert more == "AAAAAGdGxdEiJdKOAAAAAGcqsYA="
    found = {
        record["token_type"]: record["tokens"] for record in records_of("openai", "usage", result)
    }
    assert found == {"input": "200", "cached_input": "800", "output": "500"}


def test_days_are_asked_one_by_one_and_the_last_ones_again() -> None:
    ledger = Ledger()
    with serving(openai) as (address, asked):
        vendor = source(address, backfill_days=7, overlap_days=2)
        first = ledger.take(vendor.deliveries_at(ledger, AT))
        assert [each.unit for each in first] == [
            (DAY - timedelta(days=back)).isoformat() for back in range(6, -1, -1)
        ]
        asked.clear()
        second = ledger.take(vendor.deliveries_at(ledger, AT + timedelta(days=1)))
    assert [each.unit for each in second] == ["2026-10-06"]
    assert len({form["start_time"][0] for _, form in asked}) == 3
    assert "canary" not in repr(vendor)


def test_a_day_without_cost_is_not_delivered() -> None:
    with serving(lambda *_: (200, page([]))) as (address, _):
        assert list(source(address).deliveries_at(Ledger(), AT)) == []


def test_a_bad_moment_is_waited_out() -> None:
    bad: list[Reply] = [(429, {"error": {}}), (500, "oh"), (200, "<html>login</html>")]

    def reply(path: str, form: Form) -> Reply:
        return bad.pop() if bad else openai(path, form)

    with serving(reply) as (address, asked):
        assert len(list(source(address).deliveries_at(Ledger(), AT))) == 1
    assert len(asked) == 8


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((401, {"error": {"message": "not an admin key"}}), "answers 401 not an admin key"),
        ((404, {}), "answers 404"),
        ((200, {"data": []}), "cannot be used: it has no data"),
        ((200, page([COSTS[0]], more="again")), "come round again"),
        ((200, page([{"line_item": None}])), "a result has no amount"),
    ],
)
def test_an_answer_that_is_none_says_where_it_came_from(reply: Reply, said: str) -> None:
    with serving(lambda *_: reply) as (address, _), pytest.raises(SourceError) as caught:
        list(source(address).deliveries_at(Ledger(), AT))
    assert said in str(caught.value)
    assert "organization/costs" in caught.value.__notes__[0]
    assert "canary" not in f"{caught.value} {caught.value.__notes__}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vendor": "acme"}, 'vendor is "acme"'),
        ({"url": "api.openai.com"}, "url is no address"),
        ({"url": "https://k:s@api.openai.com"}, "holds credentials"),
        ({"overlap_days": 0}, "days are 1 or more"),
    ],
)
def test_a_config_that_cannot_be_is_refused(change: Json, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        ModelApiUsage(**{"vendor": "openai", **KEY, **change})


def test_a_key_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLSPEND_TEST_KEY")
    with pytest.raises(SourceError, match="MLSPEND_TEST_KEY is not set"):
        list(ModelApiUsage(vendor="openai", **KEY).deliveries_at(Ledger(), AT))
