"""What OpenAI and Anthropic answer of a day's cost and use, checked, and told as records.

A record of cost is an amount as it was stated; a record of use is tokens of one kind, by project,
key, user and model.

Source: https://platform.openai.com/docs/api-reference/usage
Source: https://platform.claude.com/docs/en/api/admin/cost_report
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Json = dict[str, Any]
Record = dict[str, str | None]

_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,40})?")
_CURRENCY = re.compile(r"[A-Za-z]{3}")


class OddAnswerError(ValueError):
    """An answer that is not what the API's documentation says."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request of a day."""

    kind: str
    """cost or usage."""
    path: str
    group_by: Sequence[str]


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor's API."""

    url: str
    provider: str
    questions: Sequence[Question]
    list_key: str
    """How a list is asked for: `group_by`, or `group_by[]`."""

    def form(self, question: Question, day: date, page: str | None) -> list[tuple[str, str]]:
        """Return what is asked of a day."""
        form = [("bucket_width", "1d"), ("limit", "1"), *self._window(day)]
        form += [(self.list_key, name) for name in question.group_by]
        return form + ([("page", page)] if page else [])

    def _window(self, day: date) -> list[tuple[str, str]]:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        end = datetime.fromordinal(day.toordinal() + 1).replace(tzinfo=UTC)
        if self.list_key == "group_by":
            return [
                ("start_time", str(int(start.timestamp()))),
                ("end_time", str(int(end.timestamp()))),
            ]
        return [
            ("starting_at", f"{start:%Y-%m-%dT%H:%M:%SZ}"),
            ("ending_at", f"{end:%Y-%m-%dT%H:%M:%SZ}"),
        ]


VENDORS: Mapping[str, Vendor] = {
    "openai": Vendor(
        "https://api.openai.com/v1",
        "OpenAI",
        (
            Question("cost", "organization/costs", ("project_id", "line_item")),
            Question(
                "usage",
                "organization/usage/completions",
                ("project_id", "user_id", "api_key_id", "model"),
            ),
        ),
        "group_by",
    ),
    "anthropic": Vendor(
        "https://api.anthropic.com/v1",
        "Anthropic",
        (
            Question("cost", "organizations/cost_report", ("workspace_id", "description")),
            Question(
                "usage",
                "organizations/usage_report/messages",
                ("workspace_id", "account_id", "api_key_id", "model"),
            ),
        ),
        "group_by[]",
    ),
}


def results_of(answer: Json, day: date) -> tuple[list[Json], str | None]:
    """Return the results of a page, all of one day, and the next page.

    Raises: OddAnswerError
    """
    buckets, more = answer.get("data"), answer.get("has_more")
    if not isinstance(buckets, list) or not isinstance(more, bool):
        raise OddAnswerError("it has no data, or does not say whether there is more")
    results: list[Json] = []
    for bucket in buckets:
        if not isinstance(bucket, dict) or not isinstance(bucket.get("results"), list):
            raise OddAnswerError("a bucket has no results")
        start = bucket.get("start_time", bucket.get("starting_at"))
        if _day_of(start) != day:
            raise OddAnswerError(f"a bucket begins at {start!r}, not on {day}")
        if not all(isinstance(result, dict) for result in bucket["results"]):
            raise OddAnswerError("a result is no object")
        results += bucket["results"]
    page = answer.get("next_page")
    if more and not (isinstance(page, str) and page):
        raise OddAnswerError("there is more, and no next page")
    return results, page if more else None


def _day_of(start: object) -> date | None:
    """Return the day that begins at a time; none where none does."""
    try:
        if isinstance(start, int) and not isinstance(start, bool):
            time = datetime.fromtimestamp(start, UTC)
        else:
            time = datetime.fromisoformat(str(start)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return time.date() if time.time().isoformat() == "00:00:00" else None


def records_of(vendor: str, kind: str, result: Json) -> Iterator[Record]:
    """Yield what a result says: one record of cost, or one for each kind of token.

    Raises: OddAnswerError
    """
    if kind == "cost":
        yield _openai_cost(result) if vendor == "openai" else _anthropic_cost(result)
    elif vendor == "openai":
        yield from _openai_usage(result)
    else:
        yield from _anthropic_usage(result)


def _openai_cost(result: Json) -> Record:
    amount = result.get("amount")
    if not isinstance(amount, dict):
        raise OddAnswerError("a result has no amount")
    item = _name(result, "line_item")
    model, _, what = (item or "").partition(",")
    return {
        "amount": _amount(amount.get("value")),
        "minor_digits": "0",
        "currency": _currency(amount.get("currency")),
        "project_id": _name(result, "project_id"),
        "model": model.strip() or None,
        "token_type": _openai_token_type(what.lower()),
        "description": item,
    }


def _openai_token_type(what: str) -> str | None:
    if "output" in what:
        return "output"
    if "input" in what:
        return "cached_input" if "cache" in what else "input"
    return None


def _anthropic_cost(result: Json) -> Record:
    """Amounts are in the smallest unit of the currency, as text: "123.45" is 1.2345 USD."""
    return {
        "amount": _amount(result.get("amount")),
        "minor_digits": "2",
        "currency": _currency(result.get("currency")),
        "project_id": _name(result, "workspace_id"),
        "model": _name(result, "model"),
        "token_type": _name(result, "token_type"),
        "description": _name(result, "description"),
    }


def _openai_usage(result: Json) -> Iterator[Record]:
    cached = _tokens(result, "input_cached_tokens", is_needed=False)
    whole = _tokens(result, "input_tokens")
    if cached > whole:
        raise OddAnswerError(f"{cached} of {whole} input tokens were cached")
    counts = {
        "input": whole - cached,
        "cached_input": cached,
        "output": _tokens(result, "output_tokens"),
    }
    yield from _usage(result, "project_id", "user_id", counts)


def _anthropic_usage(result: Json) -> Iterator[Record]:
    created = result.get("cache_creation") or {}
    if not isinstance(created, dict):
        raise OddAnswerError("cache_creation is no object")
    counts = {
        key: _tokens(result, key)
        for key in ("uncached_input_tokens", "cache_read_input_tokens", "output_tokens")
    }
    for key in ("ephemeral_1h_input_tokens", "ephemeral_5m_input_tokens"):
        counts[f"cache_creation.{key}"] = _tokens(created, key, is_needed=False)
    yield from _usage(result, "workspace_id", "account_id", counts)


def _usage(result: Json, project: str, user: str, counts: Mapping[str, int]) -> Iterator[Record]:
    for token_type, tokens in counts.items():
        if tokens:
            yield {
                "project_id": _name(result, project),
                "user_id": _name(result, user),
                "api_key_id": _name(result, "api_key_id"),
                "model": _name(result, "model"),
                "token_type": token_type,
                "tokens": str(tokens),
            }


def _amount(value: object) -> str:
    """Return an amount as text, in full: a number of JSON by the shortest text that it reads."""
    if isinstance(value, float):
        text = format(Decimal(repr(value)), "f")
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    else:
        text = value if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text):
        raise OddAnswerError(f"an amount is {value!r}, which is no number")
    return text


def _currency(value: object) -> str:
    if not isinstance(value, str) or not _CURRENCY.fullmatch(value):
        raise OddAnswerError(f"a currency is {value!r}, which is no code")
    return value.upper()


def _name(result: Json, key: str) -> str | None:
    value = result.get(key)
    if value is not None and not isinstance(value, str):
        raise OddAnswerError(f"{key} is {value!r}, which is no text")
    return value or None


def _tokens(result: Json, key: str, *, is_needed: bool = True) -> int:
    value = result.get(key)
    if value is None and not is_needed:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise OddAnswerError(f"{key} is {value!r}, which is no number of tokens")
    return value
