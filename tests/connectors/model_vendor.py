"""A vendor of models behind an API, for tests: a server, and a day of OpenAI's answers."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DAY = date(2026, 10, 5)
Json = dict[str, Any]
Form = dict[str, list[str]]
Reply = tuple[int, Any]


@contextmanager
def serving(reply: Callable[[str, Form], Reply]) -> Iterator[tuple[str, list[tuple[str, Form]]]]:
    """Run a vendor that answers a path and form so; yield its address and what it was asked."""
    asked: list[tuple[str, Form]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            form = parse_qs(parts.query)
            headers = ("authorization", "x-api-key", "anthropic-version")
            form["headers"] = [self.headers.get(name) or "" for name in headers]
            asked.append((parts.path.removeprefix("/v1/"), form))
            status, content = reply(*asked[-1])
            body = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()


def page(results: Sequence[Json], day: date = DAY, more: str = "", *, seconds: bool = True) -> Json:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    bucket: Json = {"results": list(results)}
    if seconds:
        bucket["start_time"] = int(start.timestamp())
    else:
        bucket["starting_at"] = start.isoformat().replace("+00:00", "Z")
    return {"data": [bucket], "has_more": bool(more), "next_page": more or None}


def openai_cost(value: float, item: str | None, project: str | None = "proj_a") -> Json:
    amount = {"value": value, "currency": "usd"}
    return {"amount": amount, "line_item": item, "project_id": project}


def openai_use(key: str, user: str, *, tokens: tuple[int, int, int], model: str = "gpt-5") -> Json:
    whole, cached, output = tokens
    return {
        "input_tokens": whole,
        "input_cached_tokens": cached,
        "output_tokens": output,
        "num_model_requests": 1,
        "project_id": "proj_a",
        "user_id": user,
        "api_key_id": key,
        "model": model,
    }


COSTS = [
    openai_cost(3.0, "gpt-5, input"),
    openai_cost(0.1, "gpt-5, cached input"),
    openai_cost(10.000000000000002, "gpt-5, output"),
    openai_cost(1.5, "image models", None),
    openai_cost(0.7, "gpt-5, web search"),
]
USES = [
    openai_use("key_1", "user-alice", tokens=(300, 100, 10)),
    openai_use("key_2", "user-bob", tokens=(100, 0, 20)),
    openai_use("key_3", "", tokens=(0, 0, 3), model="gpt-5-mini"),
]


def openai(path: str, form: Form) -> Reply:
    """Answer in pages of two results."""
    day = datetime.fromtimestamp(int(form["start_time"][0]), UTC).date()
    results = COSTS if path.endswith("costs") else USES
    start = int(form.get("page", ["0"])[0])
    more = str(start + 2) if start + 2 < len(results) else ""
    return 200, page(results[start : start + 2], day, more)


def anthropic_cost(amount: str, token_type: str | None) -> Json:
    return {
        "amount": amount,
        "currency": "USD",
        "cost_type": "tokens" if token_type else "web_search",
        "context_window": "0-200k",
        "description": "Claude Sonnet Usage",
        "model": "claude-sonnet-4" if token_type else None,
        "service_tier": "standard",
        "token_type": token_type,
        "workspace_id": "wrkspc_1",
    }


def anthropic_use(key: str, account: str | None, fresh: int, cached: int, output: int) -> Json:
    return {
        "uncached_input_tokens": fresh,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": cached},
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": 1},
        "api_key_id": key,
        "account_id": account,
        "workspace_id": "wrkspc_1",
        "model": "claude-sonnet-4",
    }
