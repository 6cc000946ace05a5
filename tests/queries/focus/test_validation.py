"""A file without a fault passes; each fault put into it is found, named, and found alone."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs.commands import mlspend
from queries import ModelError
from queries.engines.duckdb import Limits, connect, literal
from queries.focus.model import VERSIONS, Column, columns_of
from queries.focus.validation import Report, validate
from tests.queries.focus import good
from tests.queries.focus.good import ALLOCATED, COVERED, LINES, PURCHASE, TAX, UNUSED, USAGE

SAMPLE = Path("tests/data/focus/sample_1_0/focus_sample.csv")


def errors(report: Report) -> list[tuple[str, str]]:
    return [(each.column, each.rule) for each in report.findings if each.must]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_bill_without_a_fault_conforms_to_every_version(tmp_path: Path, version: str) -> None:
    report = validate(good.write_bill(tmp_path / "bill.csv", version=version))
    assert (report.version, report.rows, report.findings) == (version, len(LINES), ())


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_every_column_that_lacks_is_told_by_its_level(tmp_path: Path, version: str) -> None:
    for column in columns_of(version).values():
        path = good.write_bill(tmp_path / "bill.csv", [TAX], version, without=[column.name])
        (found,) = validate(path, version).findings
        assert (found.column, found.must) == (column.name, column.level == "Mandatory")


@pytest.mark.parametrize("column", list(columns_of("1.4").values()))
def test_a_line_that_lacks_what_every_line_has_is_found(tmp_path: Path, column: Column) -> None:
    path = good.write_bill(tmp_path / "bill.csv", [TAX, TAX | {column.name: ""}])
    told = [(name, rule) for name, rule in errors(validate(path)) if rule == "a value is missing"]
    assert told == ([] if column.allows_null else [(column.name, "a value is missing")])


@pytest.mark.parametrize(
    ("line", "change", "column", "rule"),
    [
        (USAGE, {"BilledCost": "1,000"}, "BilledCost", "a number is written in digits"),
        (USAGE, {"BilledCost": "$3"}, "BilledCost", "a number is written in digits"),
        (USAGE, {"BilledCost": "1_000"}, "BilledCost", "a number is written in digits"),
        (TAX, {"BilledCost": "nan"}, "BilledCost", "a number is written in digits"),
        (TAX, {"ChargePeriodStart": "4/1/25"}, "ChargePeriodStart", "a time is written"),
        (TAX, {"ChargePeriodEnd": "2026-10-02 00:00:00"}, "ChargePeriodEnd", "a time is written"),
        (TAX, {"BillingCurrency": "usd", "InvoiceId": "2"}, "BillingCurrency", "a currency is"),
        (USAGE, {"Tags": "{team: vision}"}, "Tags", "it is a JSON object"),
        (USAGE, {"Tags": '["team"]'}, "Tags", "it is a JSON object"),
        (USAGE, {"Tags": '{"team": {"a": 1}}'}, "Tags", "values are not nested"),
        (USAGE, {"ChargeClass": "Refund"}, "ChargeClass", "the value is not one of"),
        (TAX, {"ServiceCategory": "GPU"}, "ServiceCategory", "the value is not one of"),
        (USAGE, {"ServiceCategory": "Storage"}, "ServiceSubcategory", "a subcategory belongs"),
        (USAGE, {"ListUnitPrice": "-2", "ListCost": "-4"}, "ListUnitPrice", "a price is not neg"),
        (USAGE, {"ListUnitPrice": "3"}, "ListCost", "list cost is list price x quantity"),
        (USAGE, {"ContractedCost": "4"}, "ContractedCost", "contracted cost is contracted"),
        (USAGE, {"ConsumedUnit": ""}, "ConsumedUnit", "a quantity has a unit"),
        (USAGE, {"RegionName": ""}, "RegionName", "a region has a name"),
        (USAGE, {"PricingCategory": ""}, "PricingCategory", "usage and purchases have a pricing"),
        (USAGE, {"PricingCurrencyEffectiveCost": "2"}, "PricingCurrencyEffectiveCost", "cost in"),
        (USAGE, {"CommitmentDiscountName": "x"}, "CommitmentDiscountName", "what is told of a c"),
        (COVERED, {"BilledCost": "3"}, "BilledCost", "what a commitment covers is not billed"),
        (COVERED, {"PricingCategory": "Standard"}, "PricingCategory", "usage under a commitment"),
        (COVERED, {"CommitmentDiscountStatus": ""}, "CommitmentDiscountStatus", "a commitment's"),
        (COVERED, {"CommitmentDiscountType": ""}, "CommitmentDiscountType", "a commitment has a t"),
        (UNUSED, {"ConsumedQuantity": "1", "ConsumedUnit": "h"}, "ConsumedQuantity", "an unused"),
        (PURCHASE, {"EffectiveCost": "6", "PricingCurrencyEffectiveCost": "6"}, "EffectiveCost",
         "a purchase that covers later"),
        (PURCHASE, {"ChargeFrequency": "Usage-Based"}, "ChargeFrequency", "a purchase is not us"),
        (TAX, {"PricingCategory": "Standard"}, "PricingCategory", "a tax has no pricing category"),
        (TAX, {"ChargePeriodEnd": "2026-10-01T00:00:00Z"}, "ChargePeriodEnd", "a period ends"),
        (ALLOCATED, {"AllocatedMethodDetails": '{"Elements": []}'}, "AllocatedMethodDetails",
         "elements have a ratio"),
        (ALLOCATED, {"AllocatedMethodDetails": '{"Elements": [{"AllocatedRatio": 1.5}]}'},
         "AllocatedMethodDetails", "elements have a ratio"),
        (USAGE, {"AllocatedTags": "{}"}, "AllocatedTags", "what is allocated says by which"),
        (TAX, {"InvoiceId": "", "InvoiceDetailId": "1"}, "InvoiceDetailId", "an invoice's detail"),
        (USAGE, {"ContractApplied": '{"Elements": [{"ContractId": "c"}]}'}, "ContractApplied",
         "elements name a contract"),
    ],
)  # fmt: skip
def test_a_fault_is_found_where_it_is_and_alone(
    tmp_path: Path, line: good.Line, change: good.Line, column: str, rule: str
) -> None:
    report = validate(good.write_bill(tmp_path / "bill.csv", [*LINES, line | change]))
    (found,) = [each for each in report.findings if each.must]
    assert found.column == column
    assert found.rule.startswith(rule)
    assert (found.count, [where for where, _ in found.examples]) == (1, [f"row {len(LINES) + 1}"])


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"BillingCurrency": "EUR", "PricingCurrency": "EUR"}, "an invoice has one currency"),
        ({"InvoiceIssuerName": "Reseller"}, "an invoice has one issuer"),
        ({"BillingPeriodEnd": "2026-11-02T00:00:00Z"}, "an account's billing period has one end"),
    ],
)
def test_a_fault_between_lines_is_found(tmp_path: Path, change: good.Line, rule: str) -> None:
    report = validate(good.write_bill(tmp_path / "bill.csv", [USAGE, TAX, TAX | change]))
    assert [told for _, told in errors(report)] == [rule]


@pytest.mark.parametrize(
    "change",
    [
        {"BillingAccountId": "222"},
        {"BillingAccountId": "222", "InvoiceIssuerName": "Reseller"},
    ],
    ids=["accounts", "issuers"],
)
def test_invoices_of_other_accounts_may_have_the_same_id(tmp_path: Path, change: good.Line) -> None:
    other = TAX | {"BillingCurrency": "EUR", "PricingCurrency": "EUR"} | change
    report = validate(good.write_bill(tmp_path / "bill.csv", [USAGE, TAX, other]))
    assert errors(report) == []


def test_a_column_is_what_lines_agree_in_or_what_is_taken_of_them_never_both() -> None:
    rules = tomllib.loads(Path("queries/focus/rules.toml").read_text("utf-8"))["groups"]
    measured = {each: kind for rule in rules for each, kind in rule.get("measures", {}).items()}
    for rule in rules:
        own = {each: kind for each, kind in measured.items() if each in rule["reads"]}
        assert own == rule.get("measures", {}), rule["rule"]
        assert not own.keys() & set(rule["by"]), rule["rule"]


def test_a_commitment_of_which_hours_lack_is_told_as_advice(tmp_path: Path) -> None:
    covered = COVERED | {"EffectiveCost": "2", "PricingCurrencyEffectiveCost": "2"}
    (found,) = validate(good.write_bill(tmp_path / "bill.csv", [PURCHASE, covered])).findings
    assert (found.column, found.must, found.count) == ("EffectiveCost", False, 1)
    whole = [PURCHASE, COVERED, UNUSED]
    assert validate(good.write_bill(tmp_path / "whole.csv", whole)).findings == ()


def test_columns_that_are_none_or_of_another_version_are_told(tmp_path: Path) -> None:
    also = ["ProviderName", "x_Own", "Colour", "resource_id"]
    path = good.write_bill(tmp_path / "bill.csv", without=["ResourceId", "ResourceType"], also=also)
    assert errors(validate(path, "1.4")) == [
        ("Colour", "there is no such column"),
        ("ProviderName", "1.4 has no such column; 1.0 has"),
        ("resource_id", "a column's name is written otherwise"),
    ]


def test_parquet_and_packed_csv_are_read_alike(tmp_path: Path) -> None:
    path = good.write_bill(tmp_path / "bill.csv", [*LINES, USAGE | {"ChargeCategory": "Use"}])
    packed, columnar = tmp_path / "bill.csv.gz", tmp_path / "bill.parquet"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    text = [name for name, each in columns_of("1.4").items() if each.kind in ("String", "JSON")]
    types = ", ".join(f"'{name}': 'varchar'" for name in text)
    con = connect(Limits())
    con.execute(
        f"copy (select * from read_csv({literal(str(path))}, types = {{{types}}})) "
        f"to {literal(str(columnar))}"
    )
    con.close()
    assert errors(validate(path)) == errors(validate(packed))
    found = errors(validate(columnar))
    assert [each for each in found if "type" not in each[1]] == errors(validate(path))


def test_what_breaks_the_rules_in_a_real_bill_is_told_with_its_lines() -> None:
    found = {(each.column, each.rule): each for each in validate(SAMPLE).findings if each.must}
    assert found["Id", "there is no such column"].count == 0
    frequency = found["ChargeFrequency", "the value is not one of those allowed"]
    assert frequency.count == SAMPLE.read_text(encoding="utf-8").count('"Usage-based"')
    assert frequency.examples[0][1] == "Usage-based"


def test_the_command_ends_with_what_it_found(tmp_path: Path) -> None:
    fine, bad = good.write_bill(tmp_path / "good.csv"), tmp_path / "bad.csv"
    good.write_bill(bad, [USAGE | {"BilledCost": "\x1b[31m3"}])
    passed = CliRunner().invoke(mlspend, ["validate", str(fine)])
    assert (passed.exit_code, "conforms to FOCUS 1.4" in passed.output) == (0, True)
    failed = CliRunner().invoke(mlspend, ["validate", str(bad)])
    assert failed.exit_code == 1
    assert "error: BilledCost: a number is written in digits (1 times)" in failed.output
    assert "\x1b" not in failed.output
    told = json.loads(CliRunner().invoke(mlspend, ["validate", "--json", str(bad)]).output)
    assert (told["conforms"], told["rows"], told["findings"][0]["count"]) == (False, 1, 1)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'a,b\n"1,2\n'])
def test_a_file_that_cannot_be_read_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bill.csv"
    path.write_bytes(content)
    with pytest.raises(ModelError) as raised:
        validate(path)
    assert len(raised.value.__notes__) == 2
