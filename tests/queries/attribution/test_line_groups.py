"""Sums of lines that several files, or several sets of texts, have of one kind are one group."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from queries import ModelError
from queries.catalog import models
from queries.checks import check_model

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Warehouse

GROUPS = "attribution.line_groups"


def groups_of(built: Warehouse) -> list[tuple[Any, ...]]:
    """Group the sums that are there now."""
    for model in models():
        if model.name in ("attribution.line_kinds", GROUPS):
            built.tables.fill(model, model.name, model.sql)
    return built.rows(
        f"select resource_id, slot, instance_type, is_provisional, effective_cost from {GROUPS} "
        "inner join attribution.line_kinds using (kind_no) order by all"
    )


def test_what_two_files_say_alike_is_one_group(build: Build, draw: type[Draw]) -> None:
    lines = [draw.machine(5, hour=3), draw.machine(7, hour=3), draw.line(2, resource_id="bucket")]
    built = build({"cost_lines": lines}, only=("attribution.postings",))
    alone = groups_of(built)
    for table in ("line_sums", "line_texts"):  # as another file of the same lines would be
        built.con.execute(f"insert into attribution.{table} from attribution.{table}")

    assert alone == [
        ("bucket", None, None, True, Decimal(2)),
        ("i-1", 3, None, True, Decimal(12)),
    ]
    assert groups_of(built) == [(*row[:-1], 2 * row[-1]) for row in alone]


def test_texts_that_attribution_does_not_tell_apart_are_one_group(
    build: Build, draw: type[Draw]
) -> None:
    lines = [
        draw.machine(5, hour=3, x_instance_type="p4d.24xlarge", invoice_id="7"),
        draw.machine(7, hour=3),
        draw.machine(1, hour=4, invoice_id="7"),
    ]
    built = build({"cost_lines": lines}, only=("attribution.postings",))

    assert groups_of(built) == [
        ("i-1", 3, "p4d.24xlarge", True, Decimal(12)),
        ("i-1", 4, None, False, Decimal(1)),
    ]


def test_a_group_with_two_methods_is_found_where_postings_are_held_against_sums(
    build: Build, draw: type[Draw]
) -> None:
    built = build({"cost_lines": [draw.line(5)]}, only=("attribution.postings",))
    by_name = {model.name: model for model in models()}
    methods = "attribution.line_methods"
    postings = by_name["attribution.postings"]
    built.con.execute(f"insert into {methods} from {methods}")
    built.tables.fill(postings, postings.name, postings.sql)

    with pytest.raises(ModelError, match=r"effective_cost of attribution\.postings is 10"):
        check_model(built.con, postings)
