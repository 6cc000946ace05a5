"""Prometheus behind a bad line: busy, broken off, partial, refusing, or not Prometheus at all."""

from __future__ import annotations

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import pytest

from connectors.base import SourceError
from connectors.prometheus import Prometheus
from connectors.promql import QUERIES
from tests.connectors.telemetry import MIDNIGHT, SETTLED, Ledger, answer, source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOOD = answer(({"node": "node-a"}, "60"))


@dataclass(frozen=True)
class Reply:
    """What a server says to one request."""

    status: int = 200
    body: str = GOOD
    missing: int = 0
    """Bytes that are announced and do not come."""
    location: str = ""


@contextmanager
def serving(reply_to: Callable[[int], Reply]) -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    """Run a server that answers its n-th request so; yield its address and what it was asked."""
    asked: list[dict[str, list[str]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            asked.append(parse_qs(self.rfile.read(length).decode()))
            reply = reply_to(len(asked))
            self.send_response(reply.status)
            self.send_header("retry-after", "0")
            self.send_header("content-length", str(len(reply.body) + reply.missing))
            if reply.location:
                self.send_header("location", reply.location)
            self.end_headers()
            self.wfile.write(reply.body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "bad",
    [
        Reply(429),
        Reply(503),
        Reply(500, "<html>"),
        Reply(200, GOOD, missing=50),
        Reply(200, GOOD[:-9]),
        Reply(200, "<html>a login page</html>"),
    ],
    ids=["busy", "unavailable", "broken", "cut off", "half", "not JSON"],
)
def test_a_bad_moment_is_waited_out_and_nothing_is_lost(bad: Reply) -> None:
    with serving(lambda number: bad if number in (2, 3, 9) else Reply()) as (address, asked):
        (delivery,) = source(address).deliveries_at(Ledger(), SETTLED)
        (same,) = source(address).deliveries_at(Ledger(), SETTLED)
    assert delivery.unit == "2026-10-05"
    assert delivery.version == same.version
    times = Counter(form["query"][0] for form in asked)
    assert sorted(times.values()) == [2] * (len(QUERIES) - 2) + [3, 4]


def test_a_day_is_asked_for_at_the_ends_of_its_hours() -> None:
    with serving(lambda _: Reply()) as (address, asked):
        list(source(address).deliveries_at(Ledger(), SETTLED))
    spans = {(form["start"][0], form["end"][0], form["step"][0]) for form in asked}
    assert spans == {(str(MIDNIGHT + 3600), str(MIDNIGHT + 86400), "3600")}


@pytest.mark.parametrize(
    ("bad", "said", "fix"),
    [
        (
            Reply(422, json.dumps({"status": "error", "error": "too many samples"})),
            "422 too many samples",
            "address",
        ),
        (Reply(401, "{}"), "401", "token_env"),
        (Reply(302, "", location="/login"), "302", "redirects"),
        (Reply(200, json.dumps({"status": "error", "error": "no"})), "not a matrix: no", "mend"),
        (Reply(200, "[]"), "200 with what is no JSON object", "address"),
        (
            Reply(200, GOOD[:-1] + ', "warnings": ["store gateway is down"]}'),
            "lacks a part: store gateway is down",
            "mend",
        ),
        (Reply(200, GOOD[:-1] + ', "isPartial": true}'), "lacks a part", "mend"),
    ],
)
def test_what_is_no_whole_answer_is_refused_with_the_servers_words(
    bad: Reply, said: str, fix: str
) -> None:
    with (
        serving(lambda number: bad if number == 1 else Reply()) as (address, _),
        pytest.raises(SourceError) as caught,
    ):
        list(source(address).deliveries_at(Ledger(), SETTLED))
    assert said in str(caught.value)
    assert address in caught.value.__notes__[0]
    assert fix in caught.value.__notes__[1]


def test_remarks_on_the_query_are_no_reason_to_refuse_an_answer() -> None:
    remark = GOOD[:-1] + ', "warnings": ["PromQL info: not a counter"]}'
    with serving(lambda _: Reply(200, remark)) as (address, _):
        assert len(list(source(address).deliveries_at(Ledger(), SETTLED))) == 1


def test_days_before_a_failure_are_kept_and_the_next_night_goes_on_from_there() -> None:
    ledger = Ledger()
    gone = Reply(403, "{}")
    whole = answer(({"node": "node-a"}, "60"))

    def reply(number: int) -> Reply:
        day = (number - 1) // len(QUERIES)
        earlier = whole.replace(str(MIDNIGHT + 3600), str(MIDNIGHT + 3600 - (2 - day) * 86400))
        return gone if number == 2 * len(QUERIES) + 5 else Reply(200, earlier)

    with serving(reply) as (address, _), pytest.raises(SourceError, match="403"):
        ledger.take(source(address, backfill_days=3).deliveries_at(ledger, SETTLED))
    assert [unit for _, unit in ledger.seen] == ["2026-10-03", "2026-10-04"]
    with serving(lambda number: reply(number + len(QUERIES))) as (address, asked):
        night = source(address, backfill_days=3, overlap_days=1)
        with pytest.raises(SourceError, match="403"):
            ledger.take(night.deliveries_at(ledger, SETTLED))
    assert asked[0]["start"] == [str(MIDNIGHT - 86400 + 3600)]


def test_the_token_comes_from_the_environment_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PROMETHEUS_TOKEN", "s3cret")
    with serving(lambda _: Reply(401, "{}")) as (address, _):
        one = source(address, token_env="PROMETHEUS_TOKEN")  # noqa: S106 - a variable's name
        with pytest.raises(SourceError) as caught:
            list(one.deliveries_at(Ledger(), SETTLED))
    assert "s3cret" not in f"{one!r} {caught.value!r} {caught.value.__notes__}"
    monkeypatch.delenv("PROMETHEUS_TOKEN")
    with pytest.raises(SourceError, match="PROMETHEUS_TOKEN is not set"):
        list(one.deliveries_at(Ledger(), SETTLED))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "either url or root"),
        ({"url": "http://p", "root": "/answers"}, "either url or root"),
        ({"url": "p.example:9090"}, "no address"),
        ({"url": "https://ann:s3cret@p.example"}, "credentials"),
        ({"url": "http://p", "scrape_seconds": 0}, "scrape_seconds is 0"),
        ({"url": "http://p", "backfill_days": 0}, "less than 1"),
        ({"url": "http://p", "overlap_days": 0}, "less than 1"),
        ({"url": "http://p", "team_label": "team"}, "team_label is 'team'"),
        ({"url": "http://p", "user_label": "label_user) or (up"}, "user_label"),
    ],
)
def test_settings_that_would_give_wrong_figures_are_refused(
    settings: dict[str, object], said: str
) -> None:
    one = Prometheus(**settings)  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="s") as caught:
        list(one.deliveries_at(Ledger(), SETTLED))
    assert said in str(caught.value)
    assert "s3cret" not in f"{one!r} {caught.value!r} {caught.value.__notes__}"


def test_a_deeper_reach_asks_for_the_days_before_backwards_and_once() -> None:
    """What stops in the midst of it goes on from there: the newest of those days came first."""
    ledger = Ledger()

    def reply(_: int) -> Reply:
        (start,) = asked[-1]["start"]
        return Reply(200, GOOD.replace(str(MIDNIGHT + 3600), start))

    with serving(reply) as (address, asked):
        ledger.take(source(address, backfill_days=2, overlap_days=1).deliveries_at(ledger, SETTLED))
        deeper = source(address, backfill_days=5, overlap_days=1)
        ledger.take([next(deeper.deliveries_at(ledger, SETTLED))])
        ledger.take(deeper.deliveries_at(ledger, SETTLED))
        units = [unit for _, unit in ledger.seen]
        assert len(set(units)) == len(units) == 5
        assert units[2:] == sorted(units[2:], reverse=True)
        before = len(asked)
        ledger.take(deeper.deliveries_at(ledger, SETTLED))
        assert len(asked) - before == len(QUERIES)  # the newest day alone, again
