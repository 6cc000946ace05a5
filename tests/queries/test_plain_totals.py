"""The totals of the books once more, by nothing but a loop over lines, for every kind of bill.

Third and plainest of three readers: models in SQL, totals in polars (`queries/totals`), and
`queries/plain.py`. Samples are real; drawn lines hold what no sample has.
"""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queries import ModelError
from queries.plain import plain_totals
from queries.plain_rules import BILLS as PLAIN
from queries.totals import BILLS
from tests.queries.bills import DATA, assert_plain, lines_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOCUS, AWS = "focus__cost_and_usage", "aws_cur__line_items"
AZURE, GOOGLE = "azure_cost__cost_details", "gcp_billing__line_items"


def samples(folder: str, *left_out: str) -> list[Path]:
    """Return the samples of a bill, but for those that every reader refuses."""
    found = sorted([*(DATA / folder).rglob("*.csv"), *(DATA / folder).rglob("*.csv.gz")])
    return [path for path in found if not any(name in str(path) for name in left_out)]


SAMPLES = {
    FOCUS: samples("focus", "spec_1_2_refused"),
    AWS: samples("aws_cur", "koku/test_cur.csv"),
    AZURE: samples("azure_cost", "azure_camel_azure_version_2"),
    GOOGLE: samples("gcp_billing"),
    "alibaba_bill__lines": samples("alibaba_bill"),
}
CASES = [(table, path) for table, paths in SAMPLES.items() for path in paths]
OTHERS = {
    *("mapped_csv__lines", "model_api_usage__records"),
    *("people_card__work_days", "rate_card__machine_days"),
}
"""Bills that are no files of lines with a cost: added up in the tests of their connectors."""


def test_every_bill_is_added_up_plainly() -> None:
    assert PLAIN.keys() == set(BILLS)
    assert SAMPLES.keys() | OTHERS == set(BILLS)
    assert all(SAMPLES.values())


@pytest.mark.parametrize(("table", "path"), CASES, ids=[f"{path.stem}" for _, path in CASES])
def test_a_sample_adds_up_plainly_to_what_the_books_are_held_against(
    table: str, path: Path
) -> None:
    assert_plain(table, [path])


def test_an_azure_pair_adds_up_plainly_together() -> None:
    pair = sorted((DATA / "azure_cost" / "finops_toolkit").rglob("*.csv"))

    assert len(pair) == 2
    assert_plain(AZURE, pair)


TEXTS = st.one_of(
    st.just(""),
    st.decimals(-(10**9), 10**9, places=14).map(lambda value: format(value, "f")),
    st.sampled_from(["0.0000000000005", "-5e-13", "4.999E-13", "1E-10", ".5", "5.", "+7", " 1 "]),
)
AWS_MONEY = [column for column in PLAIN[AWS].columns if "cost" in column or "fee" in column]
AWS_MONEY += ["savings_plan_total_commitment_to_date", "savings_plan_used_commitment"]
AWS_KINDS = [
    *("Usage", "Tax", "Credit", "Fee", "Refund", "RIFee", "DiscountedUsage", "EdpDiscount"),
    *("SavingsPlanCoveredUsage", "SavingsPlanNegation", "SavingsPlanUpfrontFee"),
    *("SavingsPlanRecurringFee", "BundledDiscount"),
]
AWS_LINES = st.fixed_dictionaries(
    {
        "line_item_line_item_type": st.sampled_from(AWS_KINDS),
        "line_item_currency_code": st.sampled_from(["USD", "EUR", ""]),
        "bill_payer_account_id": st.sampled_from(["111", "222"]),
        "bill_billing_period_start_date": st.just("2026-10-01T00:00:00Z"),
        "reservation_reservation_a_r_n": st.sampled_from(["", "arn:ri"]),
        "savings_plan_savings_plan_a_r_n": st.sampled_from(["", "arn:sp"]),
        **dict.fromkeys(AWS_MONEY, TEXTS),
    }
)


@settings(deadline=None, max_examples=60)
@given(lines=st.lists(AWS_LINES, min_size=1, max_size=12))
def test_every_kind_of_line_of_aws_adds_up_plainly(
    tmp_path_factory: pytest.TempPathFactory, lines: list[dict[str, str]]
) -> None:
    """With net columns here and there, and discounts in one account or the other."""
    path = tmp_path_factory.mktemp("aws") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, fieldnames=list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)

    assert_plain(AWS, [path])


AZURE_LINES = st.fixed_dictionaries(
    {
        "ChargeType": st.sampled_from(["Usage", "usage", "Refund", "Tax", ""]),
        "PricingModel": st.sampled_from(["OnDemand", "Reservation", "SavingsPlan", "Spot", ""]),
        "ReservationId": st.sampled_from(["", "r-1"]),
        "BenefitId": st.sampled_from(["", "b-1"]),
        "BillingCurrencyCode": st.sampled_from(["EUR", "USD"]),
        "Date": st.just("10/05/2026"),
        "CostInBillingCurrency": TEXTS,
    }
)


@settings(deadline=None, max_examples=40)
@given(halves=st.tuples(*(st.lists(AZURE_LINES, min_size=1, max_size=8) for _ in "ab")))
def test_both_exports_of_azure_add_up_plainly(
    tmp_path_factory: pytest.TempPathFactory, halves: Sequence[list[dict[str, str]]]
) -> None:
    home, paths = tmp_path_factory.mktemp("azure"), []
    for name, lines in zip(("actual", "amortized"), halves, strict=True):
        (home / name).mkdir()
        paths.append(home / name / "a.csv")
        with paths[-1].open("w", encoding="utf-8", newline="") as text:
            writer = csv.DictWriter(text, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)

    assert_plain(AZURE, paths)


@settings(deadline=None, max_examples=40)
@given(
    costs=st.lists(
        st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-150),
        min_size=1,
        max_size=40,
    )
)
def test_doubles_add_up_plainly_as_they_are_rounded(
    tmp_path_factory: pytest.TempPathFactory, costs: list[float]
) -> None:
    path = tmp_path_factory.mktemp("doubles") / "a.parquet"
    month = pl.lit("2026-10-01T00:00:00Z").str.to_datetime(time_zone="UTC")
    pl.DataFrame(
        {"BilledCost": costs, "EffectiveCost": pl.Series(costs, dtype=pl.Float32)}
    ).with_columns(BillingPeriodStart=month).write_parquet(path)

    assert_plain(FOCUS, [path])


def google_line(cost: Any, *amounts: Any) -> dict[str, Any]:
    return {
        "cost": cost,
        "currency": "EUR",
        "credits": [{"name": "CUD", "amount": amount} for amount in amounts],
        "usage_start_time": "2026-10-05T00:00:00Z",
    }


def test_lines_in_json_add_up_plainly_whatever_their_numbers_are_written_as(tmp_path: Path) -> None:
    lines = [google_line(1.5, -0.25), google_line("0.0000000000004", -1, None), google_line(2)]
    path = tmp_path / "a.json"
    path.write_text("\n".join(json.dumps(line) for line in lines) + "\n\n", encoding="utf-8")

    assert_plain(GOOGLE, [path])
    found, count = plain_totals(GOOGLE, [(path, path.name)])
    wanted = (Decimal("2.25"), Decimal("4e-13"))
    assert (found, count) == (
        {("EUR", one): wanted for one in ("billed_cost", "effective_cost")},
        3,
    )


def test_a_line_that_cannot_be_added_up_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("BilledCost,BillingCurrency\n1,USD\nmuch,USD\n", encoding="utf-8")

    with pytest.raises(ModelError, match="cannot be added up plainly") as error:
        plain_totals(FOCUS, [(path, path.name)])
    assert str(path) in error.value.__notes__[0]


CURRENCIES = {
    FOCUS: ("focus/sample_1_0/focus_sample.csv", "BillingCurrency"),
    AWS: ("aws_cur/keboola/keboola_cur2.csv", "line_item_currency_code"),
    AZURE: ("azure_cost/finops_toolkit/amortized/EA_AmortizedCost_Small.csv", "BillingCurrency"),
    GOOGLE: ("gcp_billing/koku/gcp_2022-08-01_5.csv", "currency"),
    "alibaba_bill__lines": (
        *("alibaba_bill/1234567890123456_InstanceDetailMonthly_202610.csv", "Currency"),
    ),
}


@pytest.mark.parametrize("mark", ["", "NULL", "null", "(null)", "None", "''", "-", " ", "N/A"])
@pytest.mark.parametrize("table", CURRENCIES)
def test_what_means_nothing_in_a_format_means_nothing_plainly(
    tmp_path: Path, table: str, mark: str
) -> None:
    """Else one cell of one bill would stop the night: two readers agree, and the third does not."""
    sample, column = CURRENCIES[table]
    rows = list(lines_of(DATA / sample))[:4]
    rows[1][column] = mark
    path = tmp_path / "amortized" / "bill.csv"
    path.parent.mkdir()
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    assert_plain(table, [path])


@pytest.mark.parametrize("written", ["", "None", "NULL", None])
def test_parquet_holds_nothing_but_where_it_says_so(tmp_path: Path, written: str | None) -> None:
    path = tmp_path / "focus.parquet"
    start = pl.datetime(2026, 10, 1)
    lines = pl.DataFrame(
        {"BilledCost": [1.5], "BillingCurrency": pl.Series([written], dtype=pl.String)}
    )
    lines.with_columns(BillingPeriodStart=start, ChargePeriodStart=start).write_parquet(path)
    assert_plain(FOCUS, [path])


def test_times_of_any_zone_and_texts_as_bytes_add_up_plainly(tmp_path: Path) -> None:
    path = tmp_path / "cur.parquet"
    start = pl.datetime(2026, 10, 1, 0, time_zone="UTC").dt.convert_time_zone("America/New_York")
    lines = pl.DataFrame(
        {"line_item_unblended_cost": [1.5, -0.25], "line_item_currency_code": [b"USD", b"EUR"]}
    )
    lines.with_columns(
        bill_billing_period_start_date=start, line_item_usage_start_date=start
    ).write_parquet(path)
    assert_plain(AWS, [path])
