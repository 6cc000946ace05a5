"""Names that no identity knows: what they cost, where they stand, and whose they may be."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

PEOPLE: list[dict[str, Any]] = [
    {"user_id": "ada", "user_name": "Ada Lovelace", "email": "ada.lovelace@acme.example"},
    {"user_id": "u17", "user_name": "Jürgen Schröder", "email": None},
    {"user_id": "u18", "user_name": "Grace Hopper", "email": "hopper@acme.example"},
    {"user_id": "u19", "user_name": "Grete Hopper", "email": None},
    {"user_id": "robot", "user_name": "Nightly", "is_service": True},
]


def named(draw: type[Draw], name: str, cost: int = 1) -> Row:
    return draw.line(cost, tags={"user": name})


def test_cost_and_runs_of_unknown_names_are_told_by_source(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [
                named(draw, "x1", 5),
                named(draw, "x1", 2),
                draw.line(3, tags={"user": "x1"}, billing_currency="EUR"),
                named(draw, "ADA", 7),
                draw.line(11),
            ],
            "runs": [
                draw.run("a", user_raw="x1"),
                draw.run("b", user_raw="x2"),
                draw.run("c", user_raw="x2"),
                draw.run("d", user_raw="ada"),
            ],
            "people": PEOPLE,
        }
    )
    assert built.rows(
        "select user_id, source, billing_currency, effective_cost, run_count "
        "from marts.unknown_names order by all"
    ) == [
        ("x1", "aws", "EUR", Decimal(3), 0),
        ("x1", "aws", "USD", Decimal(7), 0),
        ("x1", "mlflow", None, Decimal(0), 1),
        ("x2", "mlflow", None, Decimal(0), 2),
    ]


LIKELY = {
    "Ada.Lovelace": "ada",
    "ACME\\alovelace": "ada",
    "arn:aws:iam::1:user/ada": "ada",
    "adalovelance@other.example": "ada",
    "jurgen_schroder": "u17",
    "jdoe": "u17",
    "hoppers": "u18",
    "ghopper": None,  # Grace or Grete
    "someone": None,
    "---": None,
}


def test_a_hint_is_given_where_one_person_is_called_alike(build: Build, draw: type[Draw]) -> None:
    aliases: list[Row] = [{"alias": "org/jdoe", "user_id": "u17"}]
    lines = [named(draw, name) for name in LIKELY]
    built = build({"cost_lines": lines, "people": PEOPLE, "aliases": aliases})
    assert dict(built.rows("select user_id, fix from marts.unknown_names")) == {
        name: f"make it an alias of {likely}, if it is that one's"
        if likely
        else "add it to the people, the service accounts or the aliases"
        for name, likely in LIKELY.items()
    }


def test_a_name_is_known_from_the_day_on_that_an_alias_says(build: Build, draw: type[Draw]) -> None:
    tables: dict[str, list[Row]] = {
        "cost_lines": [named(draw, "x1")],
        "people": PEOPLE,
        "aliases": [{"alias": "X1", "user_id": "robot", "valid_from": draw.day}],
    }
    assert build(tables).rows("from marts.unknown_names") == []
    del tables["aliases"][0]["valid_from"]
    tables["aliases"][0]["valid_to"] = draw.day
    assert len(build(tables).rows("from marts.unknown_names")) == 1
