"""How the lines of each kind of bill add up, in plain words: what `queries/plain.py` goes by.

The rules stand in the formats' own documents, which `queries/totals` names; this is the third time
that they are written down, and the third way.
"""

from __future__ import annotations

import ast
import calendar
import json
from collections import defaultdict
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    Line = Mapping[str, Any]
    """Column -> cell: a text, or a value as Parquet has it; none where the line has none."""
    Lines = Iterable[tuple[str, Line]]
    """The name of a file, and one of its lines."""

UNIT = Decimal("1e-12")
_EXACT = Context(prec=400)
_FAST = 2048
"""Doubles below it are rounded as IEEE multiplies them by 1e12, larger ones by their text."""
_CENT_PLACES = Decimal("1e-20")
_MEASURES = ("billed_cost", "effective_cost")


class Sum:
    """An amount at twelve places, and what the values hold beyond."""

    __slots__ = ("beyond", "units")

    def __init__(self) -> None:
        """Begin at nothing."""
        self.units = Decimal(0)
        self.beyond = Decimal(0)

    def add(self, value: object, sign: int = 1) -> None:
        """Add a value as a file writes it, or take it away; nothing where there is none."""
        if value is None:
            return
        if isinstance(value, float):
            exact = Decimal(repr(value))
            is_fast = abs(value) < _FAST
            kept = _rounded(Decimal(value * 1e12).scaleb(-12, _EXACT) if is_fast else exact)
        else:
            exact = value if isinstance(value, Decimal) else Decimal(str(value).strip())
            kept = _rounded(exact)
        self.units = _EXACT.add(self.units, kept * sign)
        if kept != exact:
            self.beyond = _EXACT.add(self.beyond, _EXACT.subtract(exact, kept) * sign)


Sums = defaultdict[tuple[str, str], Sum]


class Bill(NamedTuple):
    """How one kind of bill is read."""

    columns: Sequence[str]
    """The columns that its rule asks for, as `header` writes them."""
    rule: Callable[[Lines, Sums], None]
    """Adds every line under (currency, measure)."""
    header: Callable[[str], str] = str
    """A header as delivered -> as its rule calls it."""
    nulls: frozenset[str] = frozenset(("",))
    """Cells of CSV that hold nothing; in other formats what holds nothing is not there."""


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(UNIT, ROUND_HALF_UP, _EXACT)


def _cell(line: Line, *columns: str) -> Any:
    """Return the first of some columns that is filled; None where none is."""
    for column in columns:
        value = line.get(column)
        if value is not None and value != "":
            return value
    return None


def _currency(line: Line, *columns: str) -> str:
    """Return the first currency that is there, an empty text too; XXX where none is."""
    found = (line.get(column) for column in columns)
    return str(next((each for each in found if each is not None), "XXX"))


def _text(line: Line, *columns: str) -> str:
    return str(_cell(line, *columns) or "")


def _letters(header: str) -> str:
    return "".join(sign for sign in header.lower() if sign not in "_ -\ufeff")


def _focus(lines: Lines, sums: Sums) -> None:
    for _, line in lines:
        currency = _currency(line, "billingcurrency")
        sums[currency, "billed_cost"].add(_cell(line, "billedcost"))
        sums[currency, "effective_cost"].add(_cell(line, "effectivecost"))


def _alibaba(lines: Lines, sums: Sums) -> None:
    for _, line in lines:
        currency = _currency(line, "currency", "币种")
        for measure in _MEASURES:
            sums[currency, measure].add(_cell(line, "pretaxamount", "应付金额"))


def _google(lines: Lines, sums: Sums) -> None:
    """Add each line's cost and credits; a credit in a text is JSON, or as Python prints it."""
    for _, line in lines:
        currency = _currency(line, "currency")
        reliefs = _cell(line, "credits") or []
        if isinstance(reliefs, str):
            try:
                reliefs = json.loads(reliefs, parse_float=str, parse_int=str)
            except ValueError:
                reliefs = ast.literal_eval(reliefs)
        for measure in _MEASURES:
            sums[currency, measure].add(_cell(line, "cost"))
            for relief in reliefs or []:
                amount = relief.get("amount")
                sums[currency, measure].add(None if amount is None else str(amount))


_AZURE_COSTS = ("costinbillingcurrency", "cost", "pretaxcost")
_AZURE_CURRENCIES = ("billingcurrency", "billingcurrencycode", "currency")


def _azure_letters(header: str) -> str:
    """Return a header's letters; a translated one has the English in brackets behind it."""
    bare = header.strip()
    return _letters(bare[bare.rfind("(") + 1 : -1] if bare.endswith(")") else bare)


def _azure(lines: Lines, sums: Sums) -> None:
    """Take purchases of commitments from the actual export, all else from the amortised one."""
    for file_name, line in lines:
        currency = _currency(line, *_AZURE_CURRENCIES)
        cost = _cell(line, *_AZURE_COSTS)
        kind = (_text(line, "chargetype") or "usage").lower()
        model = _text(line, "pricingmodel").lower().replace(" ", "")
        has_benefit = bool(_text(line, "reservationid", "benefitid"))
        is_covered = model in ("reservation", "savingsplan") if model else has_benefit
        if file_name.split("/", 1)[0] == "actual":
            if is_covered and kind in ("purchase", "refund"):
                sums[currency, "billed_cost"].add(cost)
            continue
        sums[currency, "effective_cost"].add(cost)
        if not is_covered and not kind.startswith("unused"):
            sums[currency, "billed_cost"].add(cost)


def _cur_2(header: str) -> str:
    """Return CUR 2.0's name of a column of CUR 1: `lineItem/UnblendedCost`."""
    if "/" not in header:
        return header.lower()
    spaced = "".join(
        f"_{sign}" if sign.isupper() and before.isalpha() and before.isascii() else sign
        for before, sign in zip(f"/{header}", header, strict=False)
    )
    return spaced.replace("/", "_").lower()


_AWS_NETS = {
    "line_item_unblended_cost": "line_item_net_unblended_cost",
    "reservation_effective_cost": "reservation_net_effective_cost",
    "reservation_unused_amortized_upfront_fee_for_billing_period": (
        "reservation_net_unused_amortized_upfront_fee_for_billing_period"
    ),
    "reservation_unused_recurring_fee": "reservation_net_unused_recurring_fee",
    "savings_plan_savings_plan_effective_cost": "savings_plan_net_savings_plan_effective_cost",
}
_AWS_ARNS = ("savings_plan_savings_plan_a_r_n", "reservation_reservation_a_r_n")
_AWS_STARTS = ("bill_billing_period_start_date", "line_item_usage_start_date")
_AWS_COMMITTED = ("savings_plan_total_commitment_to_date", "savings_plan_used_commitment")
_AWS_OTHERS = ("line_item_currency_code", "line_item_line_item_type", "bill_payer_account_id")


def _aws(lines: Lines, sums: Sums) -> None:
    """Add every line before and after discounts; where an account's month has a discount line,
    that line is the discount, and so the others count before it.
    """  # noqa: D205
    gross: dict[tuple[str, str], Sums] = defaultdict(lambda: defaultdict(Sum))
    net: dict[tuple[str, str], Sums] = defaultdict(lambda: defaultdict(Sum))
    discounted: set[tuple[str, str]] = set()
    for _, line in lines:
        bill = (_text(line, "bill_payer_account_id"), _text(line, *_AWS_STARTS)[:7])
        currency = _currency(line, "line_item_currency_code")
        if _text(line, "line_item_line_item_type").endswith("Discount"):
            discounted.add(bill)
        both = {"billed_cost": {"line_item_unblended_cost": 1}, "effective_cost": _aws_cost(line)}
        for measure, columns in both.items():
            for column, sign in columns.items():
                gross[bill][currency, measure].add(_cell(line, column), sign)
                after = _cell(line, _AWS_NETS.get(column, column), column)
                net[bill][currency, measure].add(after, sign)
    for bill in gross:
        for key, total in (gross if bill in discounted else net)[bill].items():
            sums[key].units = _EXACT.add(sums[key].units, total.units)
            sums[key].beyond = _EXACT.add(sums[key].beyond, total.beyond)


def _aws_cost(line: Line) -> dict[str, int]:
    """Return the columns of a line that are its amortised cost, by AWS's guide to them."""
    kind = _text(line, "line_item_line_item_type")
    unblended, reserved, upfront, recurring, covered = _AWS_NETS
    if kind == "DiscountedUsage" and _cell(line, reserved) is not None:
        return {reserved: 1}
    if kind == "RIFee" and _cell(line, upfront, recurring) is not None:
        return {upfront: 1, recurring: 1}
    if kind == "SavingsPlanCoveredUsage":
        return {covered: 1}
    if kind == "SavingsPlanRecurringFee" and _cell(line, _AWS_COMMITTED[0]) is not None:
        return {_AWS_COMMITTED[0]: 1, _AWS_COMMITTED[1]: -1}
    is_of_commitment = bool(_text(line, *_AWS_ARNS))
    if kind in ("SavingsPlanNegation", "SavingsPlanUpfrontFee") or (
        kind in ("Fee", "Refund") and is_of_commitment
    ):
        return {}
    return {unblended: 1}


def _mapped(lines: Lines, sums: Sums) -> None:
    """Read an amount sign by sign: digits, one decimal mark, and a minus in front."""
    for _, line in lines:
        written, mark = line["cost"], line["decimal_mark"]
        kept = [sign for sign in written if sign in "0123456789" or sign == mark]
        digits = "".join(kept).replace(mark, ".")
        for measure in _MEASURES:
            sums[line["currency"], measure].add(digits, -1 if written[0] in "-\u2212" else 1)


def _model_api(lines: Lines, sums: Sums) -> None:
    """Read what a vendor states, of cents at 20 places, and divide cents."""
    for _, line in lines:
        if line["kind"] != "cost":
            continue
        stated, places = Decimal(line["amount"]), -int(line["minor_digits"])
        read = stated.quantize(_CENT_PLACES, ROUND_HALF_UP, _EXACT)
        kept = _rounded(read.scaleb(places, _EXACT))
        for measure in _MEASURES:
            total = sums[line["currency"], measure]
            total.add(kept)
            rest = _EXACT.subtract(stated.scaleb(places, _EXACT), kept)
            total.beyond = _EXACT.add(total.beyond, rest)


def _people(lines: Lines, sums: Sums) -> None:
    """Add each day of each crew once: what a month costs up to it, less what it cost before."""
    crews = {
        (line["provider"], line["account"], line["currency"], line["crew"], line["day"]): line
        for _, line in lines
    }
    for line in crews.values():
        for measure in _MEASURES:
            sums[line["currency"], measure].add(
                _of_month(Decimal(line["price_per_month"]), date.fromisoformat(line["day"]))
            )


def _machines(lines: Lines, sums: Sums) -> None:
    """Add each day of each machine: depreciation, hosting, support, power."""
    for _, line in lines:
        day = date.fromisoformat(line["day"])
        monthly = (line["hosting_per_month"], line["support_per_month"])
        costs = [_of_month(Decimal(price), day) for price in monthly if price is not None]
        costs.append(_depreciation(line, day))
        if line["price_per_kwh"] is not None:
            price = Decimal(line["price_per_kwh"])
            if line["measured_kwh"] is not None:
                costs.append(_EXACT.multiply(Decimal(line["measured_kwh"]), price))
            elif line["power_watts"] is not None:
                watt_hours = Decimal(line["power_watts"]) * 24
                costs.append(_EXACT.multiply(watt_hours, price).scaleb(-3, _EXACT))
        for measure in _MEASURES:
            for cost in costs:
                sums[line["currency"], measure].add(cost)


def _depreciation(line: Line, day: date) -> Decimal:
    """Return a day's part of what a machine loses in its life; the last day bears the rest."""
    begun = date.fromisoformat(line["in_service"])
    loss = Decimal(line["price"]) - Decimal(line["residual"] or 0)
    months = begun.year * 12 + begun.month - 1 + int(line["life_months"])
    year, month = months // 12, months % 12 + 1
    last = calendar.monthrange(year, month)[1]
    life = (date(year, month, min(begun.day, last)) - begun).days
    age = (day - begun).days
    before = _share(loss, min(age, life), life)
    end = line["out_of_service"]
    if end is not None and (date.fromisoformat(end) - day).days == 1:
        return loss - before
    return _share(loss, min(age + 1, life), life) - before


def _of_month(price: Decimal, day: date) -> Decimal:
    days = calendar.monthrange(day.year, day.month)[1]
    return _share(price, day.day, days) - _share(price, day.day - 1, days)


def _share(amount: Decimal, part: int, whole: int) -> Decimal:
    """Return a part of an amount, cut down to twelve places."""
    exact = _EXACT.divide(_EXACT.multiply(amount, Decimal(part)), Decimal(whole))
    return exact.quantize(UNIT, ROUND_FLOOR, _EXACT)


BILLS: Mapping[str, Bill] = {
    "alibaba_bill__lines": Bill(
        ("pretaxamount", "应付金额", "currency", "币种"),
        _alibaba,
        _letters,
        frozenset(("", "NULL", "null", "-")),
    ),
    "aws_cur__line_items": Bill(
        (*_AWS_NETS, *_AWS_NETS.values(), *_AWS_ARNS, *_AWS_STARTS, *_AWS_COMMITTED, *_AWS_OTHERS),
        _aws,
        _cur_2,
    ),
    "azure_cost__cost_details": Bill(
        (
            *(*_AZURE_COSTS, *_AZURE_CURRENCIES, "chargetype", "pricingmodel"),
            *("reservationid", "benefitid"),
        ),
        _azure,
        _azure_letters,
    ),
    "focus__cost_and_usage": Bill(
        ("billedcost", "effectivecost", "billingcurrency"),
        _focus,
        _letters,
        frozenset(("", "NULL", "null", "(null)", "None", "''")),
    ),
    "gcp_billing__line_items": Bill(("cost", "credits", "currency"), _google, str.lower),
    "mapped_csv__lines": Bill(("cost", "currency", "decimal_mark"), _mapped),
    "model_api_usage__records": Bill(("kind", "amount", "minor_digits", "currency"), _model_api),
    "people_card__work_days": Bill(
        ("provider", "account", "currency", "crew", "day", "price_per_month"), _people
    ),
    "rate_card__machine_days": Bill(
        (
            *("day", "currency", "in_service", "out_of_service", "life_months", "price"),
            *("residual", "hosting_per_month", "support_per_month", "price_per_kwh"),
            *("measured_kwh", "power_watts"),
        ),
        _machines,
    ),
}
"""Raw tables that are bills; a source of any of them is proved without more."""
