"""The webhook, against a receiver that checks the signature and acts once on each key."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from jobs.enforcement.base import Order, RefusedError, UnknownError
from jobs.enforcement.webhook import Webhook
from tests.servers.webhook_receiver import webhook_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.webhook_receiver import Receiver

SECRET = "canary-a8c1"  # noqa: S105  (it signs nothing but this test)
ORDER = Order("abc123", "vision", "vision is over", "2026-12-01", "vision", ("month",))


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Return a receiver that shares our secret."""
    monkeypatch.setenv("QUOTA_SECRET", SECRET)
    with webhook_receiver(SECRET.encode()) as receiver:
        yield receiver


def hook(receiver: Receiver, tries: int = 3) -> Webhook:
    """Return a webhook that sends there."""
    return Webhook(receiver.url, "QUOTA_SECRET", tries=tries, timeout_seconds=2)


def test_a_stop_and_its_release_are_two_signed_messages(receiver: Receiver) -> None:
    hook(receiver).stop(ORDER, {})
    hook(receiver).release(ORDER, {})
    assert [key for key, _ in receiver.requests] == ["abc123-stop", "abc123-release"]
    assert receiver.requests[0][1] == {
        "action": "stop",
        "dimension": "team",
        "team": "vision",
        "reason": "vision is over",
        "quotas": ["month"],
        "until": "2026-12-01",
    }
    assert receiver.refused == 0


def test_another_secret_is_refused(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTA_SECRET", "another")
    with pytest.raises(RefusedError, match="401"):
        hook(receiver).stop(ORDER, {})
    assert (receiver.refused, receiver.acted) == (1, {})


def test_a_busy_receiver_is_asked_again_with_the_same_key(receiver: Receiver) -> None:
    receiver.faults = [429, 503]
    hook(receiver).stop(ORDER, {})
    assert [key for key, _ in receiver.requests] == ["abc123-stop"] * 3
    assert len(receiver.acted) == 1


def test_a_cut_after_the_receiver_acted_makes_it_act_once(receiver: Receiver) -> None:
    receiver.faults = ["cut after"]
    hook(receiver).stop(ORDER, {})
    assert len(receiver.requests) == 2
    assert len(receiver.acted) == 1


def test_where_no_answer_ever_comes_nobody_knows(receiver: Receiver) -> None:
    receiver.faults = ["cut after", "cut after"]
    with pytest.raises(UnknownError):
        hook(receiver, tries=2).stop(ORDER, {})


def test_a_receiver_that_is_not_there_was_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUOTA_SECRET", SECRET)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
    with pytest.raises(RefusedError, match="cannot be reached"):
        Webhook(url, "QUOTA_SECRET", tries=1).stop(ORDER, {})


def test_nothing_is_sent_unsigned_or_in_the_open(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError, match="TLS"):
        Webhook("http://quotas.acme.example/", "QUOTA_SECRET").stop(ORDER, {})
    monkeypatch.delenv("QUOTA_SECRET")
    with pytest.raises(RefusedError, match="QUOTA_SECRET is not set"):
        hook(receiver).stop(ORDER, {})
    assert receiver.requests == []


def test_neither_the_secret_nor_the_query_of_the_address_is_shown(receiver: Receiver) -> None:
    receiver.faults = [403]
    with pytest.raises(RefusedError) as caught:
        hook(receiver).stop(ORDER, {})
    told = f"{caught.value}{caught.value.__notes__}{hook(receiver).change('vision')}"
    assert SECRET not in told + repr(hook(receiver))
    assert "hidden" not in told
