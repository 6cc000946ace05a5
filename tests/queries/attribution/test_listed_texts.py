"""Postings say the same whether the names of a company fit into lists or not."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from queries.words import MOST
from tests.queries.attribution.conftest import Warehouse

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Draw

COUNT = MOST * 2


def test_more_names_than_a_list_holds_are_posted_as_they_are(draw: type[Draw]) -> None:
    warehouse = Warehouse()
    warehouse.fill({"cost_lines": [draw.line(2, tags={"team": "nlp"})]})
    warehouse.con.execute(
        "insert into staging.cost_lines by name "
        "select lines.* exclude (x_row, x_tags) replace (map {'user': 'user-' || no} as tags) "
        f"from staging.cost_lines as lines cross join range({COUNT}) as numbers(no)"
    )
    warehouse.build(only=("attribution.postings",))
    users = warehouse.costs("user_raw, user_rule", "user_raw is not null")
    owners = warehouse.costs("team, team_rule", "user_raw is null")
    warehouse.con.close()

    assert users == {(f"user-{no}", "resource_tag"): Decimal(2) for no in range(COUNT)}
    assert owners == {("nlp", "resource_tag"): Decimal(2)}
