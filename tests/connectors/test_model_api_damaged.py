"""Spoiled pages and results of model vendors: refused, never quietly wrong."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest

from connectors.model_api_answers import OddAnswerError, records_of, results_of
from tests.connectors.model_vendor import (
    COSTS,
    DAY,
    USES,
    Json,
    anthropic_cost,
    anthropic_use,
    page,
)

BAD_PAGES: dict[str, Json] = {
    "no data": {"has_more": False},
    "data as an object": {"data": {}, "has_more": False},
    "no has_more": {"data": []},
    "has_more as text": {"data": [], "has_more": "no"},
    "a bucket as text": {"data": ["x"], "has_more": False},
    "no results": {"data": [{"start_time": 1791158400}], "has_more": False},
    "results as an object": {"data": [{"results": {}}], "has_more": False},
    "a result as text": page(["x"]),  # type: ignore[list-item]
    "another day": page([], DAY + timedelta(days=1)),
    "no day": {"data": [{"results": []}], "has_more": False},
    "a day as a flag": {"data": [{"start_time": True, "results": []}], "has_more": False},
    "noon": {"data": [{"start_time": 1791158400 + 43200, "results": []}], "has_more": False},
    "milliseconds": {"data": [{"start_time": 1791158400000, "results": []}], "has_more": False},
    "a far day": {"data": [{"start_time": 10**30, "results": []}], "has_more": False},
    "a text for a day": {"data": [{"starting_at": "today", "results": []}], "has_more": False},
    "more without a page": {**page([]), "has_more": True},
    "an empty page": {**page([]), "has_more": True, "next_page": ""},
    "a page as a number": {**page([]), "has_more": True, "next_page": 2},
}


@pytest.mark.parametrize("answer", BAD_PAGES.values(), ids=BAD_PAGES)
def test_a_spoiled_page_is_refused(answer: Json) -> None:
    with pytest.raises(OddAnswerError):
        results_of(answer, DAY)


def spoiled(result: Json, *path: str, value: Any = ...) -> Json:
    """Return a result with one thing put in place of another, or taken away."""
    changed = deepcopy(result)
    place = changed
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


BAD_NUMBERS: list[Any] = [None, "", "abc", "1e3", "NaN", True, [1], {}, "1,5", "$1", "9" * 16]
BAD_COUNTS: list[Any] = [None, "5", -1, 1.5, True, [5]]
COST, USE = COSTS[0], USES[0]
CENTS, TOKENS = anthropic_cost("1", "output_tokens"), anthropic_use("k", None, 1, 2, 3)
BAD_RESULTS: list[tuple[str, str, Json]] = [
    ("openai", "cost", spoiled(COST, "amount")),
    ("openai", "cost", spoiled(COST, "amount", value=3.0)),
    ("openai", "cost", spoiled(COST, "amount", "currency")),
    ("openai", "cost", spoiled(COST, "amount", "currency", value="US$")),
    ("openai", "cost", spoiled(COST, "amount", "value", value=float("nan"))),
    ("openai", "cost", spoiled(COST, "amount", "value", value=float("inf"))),
    ("openai", "cost", spoiled(COST, "amount", "value", value=1e30)),
    ("openai", "cost", spoiled(COST, "project_id", value=7)),
    ("openai", "cost", spoiled(COST, "line_item", value=["gpt-5"])),
    ("openai", "usage", spoiled(USE, "input_cached_tokens", value=301)),
    ("openai", "usage", spoiled(USE, "model", value=5)),
    ("openai", "usage", spoiled(USE, "api_key_id", value={})),
    ("openai", "usage", spoiled(USE, "user_id", value=1)),
    ("openai", "usage", spoiled(USE, "output_tokens")),
    ("anthropic", "cost", spoiled(CENTS, "amount")),
    ("anthropic", "cost", spoiled(CENTS, "currency")),
    ("anthropic", "cost", spoiled(CENTS, "token_type", value=1)),
    ("anthropic", "cost", spoiled(CENTS, "workspace_id", value=1)),
    ("anthropic", "usage", spoiled(TOKENS, "cache_creation", value=5)),
    (
        "anthropic",
        "usage",
        spoiled(TOKENS, "cache_creation", "ephemeral_5m_input_tokens", value="1"),
    ),
    ("anthropic", "usage", spoiled(TOKENS, "output_tokens")),
    ("anthropic", "usage", spoiled(TOKENS, "account_id", value=3)),
    *(("openai", "cost", spoiled(COST, "amount", "value", value=value)) for value in BAD_NUMBERS),
    *(("anthropic", "cost", spoiled(CENTS, "amount", value=value)) for value in BAD_NUMBERS),
    *(("openai", "usage", spoiled(USE, "input_tokens", value=value)) for value in BAD_COUNTS),
    *(
        ("anthropic", "usage", spoiled(TOKENS, "uncached_input_tokens", value=value))
        for value in BAD_COUNTS
    ),
]


@pytest.mark.parametrize(("vendor", "kind", "result"), BAD_RESULTS)
def test_a_spoiled_result_is_refused(vendor: str, kind: str, result: Json) -> None:
    with pytest.raises(OddAnswerError):
        list(records_of(vendor, kind, result))
