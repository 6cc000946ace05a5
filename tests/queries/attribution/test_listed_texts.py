"""Postings say the same whether what they say stands in lists or not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from queries.catalog import models
from queries.words import MOST
from tests.queries.attribution.conftest import Warehouse

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw

COUNT = MOST * 2
POSTINGS = "attribution.postings"


def test_more_names_than_a_list_holds_are_posted_as_they_are(draw: type[Draw]) -> None:
    warehouse = Warehouse()
    warehouse.fill({"cost_lines": [draw.line(2, tags={"team": "nlp"})]})
    warehouse.con.execute(
        "insert into staging.cost_lines by name "
        "select lines.* exclude (x_row, x_tags) replace (map {'user': 'user-' || no} as tags) "
        f"from staging.cost_lines as lines cross join range({COUNT}) as numbers(no)"
    )
    warehouse.build(only=(POSTINGS,))
    users = warehouse.costs("user_raw, user_rule", "user_raw is not null")
    owners = warehouse.costs("team, team_rule", "user_raw is null")
    warehouse.con.close()

    assert users == {(f"user-{no}", "resource_tag"): Decimal(2) for no in range(COUNT)}
    assert owners == {("nlp", "resource_tag"): Decimal(2)}


def test_a_rule_that_is_in_no_list_is_posted_all_the_same(build: Build, draw: type[Draw]) -> None:
    line = draw.line(2, tags={"team": "nlp", "user": "anna"})
    warehouse = build({"cost_lines": [line]}, only=(POSTINGS,))
    listed = warehouse.digest(POSTINGS)
    by_name = {model.name: model for model in models()}
    rules, postings = by_name["attribution.owner_rules"], by_name[POSTINGS]
    assert "'resource_tag'," in rules.sql
    rules = replace(rules, sql=rules.sql.replace("'resource_tag',", ""))
    for model in (rules, postings):
        warehouse.tables.fill(model, model.name, model.sql)

    assert warehouse.costs("user_rule") == {"resource_tag": Decimal(2)}
    assert warehouse.digest(POSTINGS) == listed
