"""Invoices: what the lines of each add up to, whether it is final, and the figure entered."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from queries.catalog import models
from queries.checks import check_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.queries.attribution.conftest import Build, Draw, Row, Warehouse

MODELS = ("attribution.invoice_sums", "marts.invoices")
OCTOBER = date(2026, 10, 1)
ACCOUNT = "111122223333"


def total(provider: str = "AWS", account: str = ACCOUNT, source: str = "aws") -> Row:
    """Return what the ledger says of a bill, for the name of its provider."""
    return {"source": source, "provider": provider, "billing_account_id": account}


def entry(amount: str, number: int = 1, **more: object) -> Row:
    """Return a figure entered for an account's October of AWS, or for what `more` says."""
    return {
        "entry_no": number,
        "provider": "AWS",
        "billing_period": OCTOBER,
        "amount": Decimal(amount),
        "billing_currency": "USD",
        "tolerance": Decimal("0.005"),
    } | more


def lines(draw: type[Draw], costs: dict[str | None, str], **more: object) -> list[Row]:
    """Return a line for each invoice id."""
    own = {"billing_account_id": ACCOUNT} | more
    return [draw.line(cost) | {"invoice_id": invoice} | own for invoice, cost in costs.items()]


def remade(build: Build, tables: Mapping[str, Sequence[Row]]) -> Warehouse:
    """Return a warehouse in which invoices alone are made of `tables`; no bill has a newest day."""
    warehouse = build.kept.get(1) or build({})
    warehouse.fill(tables)
    warehouse.con.execute("delete from attribution.bill_sources")
    for model in models():
        if model.name in MODELS:
            warehouse.con.execute(f"create or replace table {model.name} as {model.sql}")
            check_model(warehouse.con, replace(model, conserves=()))
    return warehouse


def verdicts(build: Build, bill: list[Row], *entries: Row, totals: Any = None) -> list[Any]:
    """Return what the mart says of each invoice."""
    given = {"cost_lines": bill, "raw.totals": totals or [total()], "raw.invoices": entries}
    return remade(build, given).rows(
        "select invoice_id, billed_cost, compared_cost, difference, state, verdict "
        "from marts.invoices order by source nulls first, invoice_id nulls first, billed_cost"
    )


def test_lines_without_an_id_are_estimated_where_the_account_has_ids(
    build: Build, draw: type[Draw]
) -> None:
    bill = lines(draw, {None: "5", "A": "7.25", "B": "-1"})
    assert verdicts(build, bill) == [
        (None, Decimal(5), None, None, "estimated", "not entered"),
        ("A", Decimal("7.25"), None, None, "final", "not entered"),
        ("B", Decimal(-1), None, None, "final", "not entered"),
    ]


def test_a_month_of_a_bill_without_ids_is_final_when_its_provider_says(
    build: Build, draw: type[Draw]
) -> None:
    september = {"billing_period": date(2026, 9, 1), "charge_date": date(2026, 9, 30)}
    for provider, state in (("Microsoft", "estimated"), ("Alibaba Cloud", "final")):
        # the newest day of use is 5 October: day 4 after the end of September
        bill = [*lines(draw, {None: "5"}, **september), *lines(draw, {None: "1"}, source="other")]
        found = build({"cost_lines": bill, "raw.totals": [total(provider)]}).rows(
            "select provider, state from marts.invoices where source = 'aws'"
        )
        assert found == [(provider, state)]


def test_a_record_number_of_alibaba_is_no_invoice(build: Build, draw: type[Draw]) -> None:
    bill = lines(draw, {"1": "5", "2": "6"}, service_provider_name="Alibaba Cloud")
    assert [row[:2] for row in verdicts(build, bill)] == [(None, Decimal(11))]


def test_a_figure_agrees_to_its_last_place_and_no_further(build: Build, draw: type[Draw]) -> None:
    bill = lines(draw, {"A": "10.005"})
    for amount, verdict in (("10", "agrees"), ("10.01", "agrees"), ("9.99", "differs")):
        (row,) = verdicts(build, bill, entry(amount, billing_period=None, invoice_id="A"))
        assert row[2:] == (Decimal("10.005"), Decimal("10.005") - Decimal(amount), "final", verdict)


def test_a_figure_of_a_month_is_held_against_all_its_lines(build: Build, draw: type[Draw]) -> None:
    bill = lines(draw, {None: "5", "A": "7"})
    assert [row[2:] for row in verdicts(build, bill, entry("12"))] == [
        (Decimal(12), Decimal(0), "estimated", "agrees"),
        (Decimal(12), Decimal(0), "final", "agrees"),
    ]
    assert {row[-1] for row in verdicts(build, bill, entry("20"))} == {"open"}
    done = lines(draw, {"A": "7", "B": "5"})
    assert {row[-1] for row in verdicts(build, done, entry("20"))} == {"differs"}


def test_a_figure_by_id_comes_before_the_months_which_has_a_row_of_its_own(
    build: Build, draw: type[Draw]
) -> None:
    by_id = entry("7", 2, billing_period=None, invoice_id="A")
    assert verdicts(build, lines(draw, {"A": "7"}), entry("8"), by_id) == [
        (None, Decimal(0), Decimal(7), Decimal(-1), "final", "differs"),
        ("A", Decimal(7), Decimal(7), Decimal(0), "final", "agrees"),
    ]


def test_a_figure_of_an_account_comes_before_that_of_all(build: Build, draw: type[Draw]) -> None:
    bill = [*lines(draw, {None: "7"}), *lines(draw, {None: "2"}, billing_account_id="2")]
    own = entry("7", 2, billing_account_id=ACCOUNT)
    totals = [total(), total(account="2")]
    assert [row[1:3] for row in verdicts(build, bill, entry("9"), own, totals=totals)] == [
        (Decimal(2), Decimal(9)),
        (Decimal(7), Decimal(7)),
    ]


def test_a_figure_that_no_line_is_of_is_told(build: Build, draw: type[Draw]) -> None:
    bill = lines(draw, {"A": "7"})
    for other in (
        {"billing_currency": "EUR"},
        {"billing_account_id": "999"},
        {"provider": "Microsoft"},
        {"provider": None, "source": "azure"},
        {"billing_period": date(2026, 9, 1)},
        {"billing_period": None, "invoice_id": "B"},
    ):
        rows = verdicts(build, bill, entry("7", **other))
        assert sorted(row[-1] for row in rows) == ["no bill", "not entered"]


def test_an_invoice_on_two_sources_and_months_is_one_sum(build: Build, draw: type[Draw]) -> None:
    september = {"billing_period": date(2026, 9, 1), "billing_account_id": f"/accounts/{ACCOUNT}"}
    bill = [*lines(draw, {"A": "7"}), *lines(draw, {"A": "3"}, source="old", **september)]
    entered = entry("10", billing_period=None, invoice_id="A", billing_account_id=ACCOUNT)
    totals = [total(), total(account=f"/accounts/{ACCOUNT}", source="old")]
    assert [(row[1], *row[2:]) for row in verdicts(build, bill, entered, totals=totals)] == [
        (cost, Decimal(10), Decimal(0), "final", "agrees") for cost in (Decimal(7), Decimal(3))
    ]


@settings(max_examples=100, deadline=None)
@given(drawn=st.data())
def test_invoices_add_up_to_the_bill_whatever_is_entered(
    build: Build, draw: type[Draw], drawn: st.DataObject
) -> None:
    """However figures overlap, no row of a bill is lost or counted twice."""
    ids = st.sampled_from([None, "A", "B"])
    cents = st.decimals(-1000, 1000, places=12)
    bill = [
        draw.line(cost, invoice_id=invoice, source=source, billing_account_id=account)
        for cost, invoice, source, account in drawn.draw(
            st.lists(
                st.tuples(cents, ids, st.sampled_from("xy"), st.sampled_from([None, "1"])),
                min_size=1,
                max_size=8,
            )
        )
    ]
    wanted = drawn.draw(
        st.dictionaries(st.tuples(ids, st.sampled_from([None, "1"])), cents, max_size=4)
    )
    entries = [
        entry(
            str(amount),
            number,
            provider=None,
            source="x",
            billing_account_id=account,
            invoice_id=invoice,
            billing_period=None if invoice else OCTOBER,
        )
        for number, ((invoice, account), amount) in enumerate(wanted.items(), 1)
    ]
    built = remade(build, {"cost_lines": bill, "raw.invoices": entries})
    found = built.rows("select source, sum(billed_cost) from marts.invoices group by source")
    expected: dict[str, Decimal] = {}
    for line in bill:
        expected[line["source"]] = expected.get(line["source"], Decimal(0)) + line["billed_cost"]
    assert {source: cost for source, cost in found if cost} == {
        source: cost for source, cost in expected.items() if cost
    }
    shown = built.rows("select distinct entered_amount from marts.invoices")
    assert {row[0] for row in shown} - {None} == set(wanted.values())
