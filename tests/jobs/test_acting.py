"""Acting on a plan: whatever fails on the way, done again it ends right, and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jobs.enforcement.kubernetes import Kubernetes
from jobs.enforcement.webhook import Webhook
from jobs.journal import Journal
from jobs.journal.quotas import Quotas
from jobs.quotas.acting import Actor, is_clean
from jobs.quotas.plan import Cause, Plan, Step
from tests.servers.kubernetes_api import kubernetes_api
from tests.servers.webhook_receiver import webhook_receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from jobs.quotas.acting import Outcome
    from tests.servers.kubernetes_api import Cluster, Fault

NAMESPACES = {"vision": ["ml-vision", "ml-vision-dev"], "speech": ["ml-speech"]}
ALL = sorted(name for names in NAMESPACES.values() for name in names)
STOPPED = {"requests.nvidia.com/gpu": "0"}
FAULTS: list[Fault] = ["cut before", "cut after", "silence", 403, 409, 429, 500, 503]


def cause(member: str) -> Cause:
    """Return that a member has used up its month."""
    return Cause(
        quota="month",
        dimension="team",
        member=member,
        measure="effective_cost",
        window_start="2026-11-01",
        window_end="2026-12-01",
        window_key="2026-11-01",
        limit_amount="100",
        used_amount="120",
        provisional_amount="120",
        billing_currency="USD",
        enforced_share="1",
        until="2026-12-01",
        query="select 120",
    )


def plan_to(what: str, *, lever: str = "kubernetes") -> Plan:
    """Return a plan that stops or releases every namespace."""
    steps = [
        Step(
            what="stop" if what == "stop" else "release",
            lever=lever,
            target=target,
            member=member,
            change="change",
            undo="undo",
            why=f"{member} is over",
            until="2026-12-01",
            causes=(cause(member),) if what == "stop" else (),
        )
        for member, targets in sorted(NAMESPACES.items())
        for target in targets
    ]
    return Plan("2026-11-21T04:20:00", 1, "000001", "2026-11-20", "", (), (), 9, tuple(steps))


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Return a cluster with every namespace."""
    with kubernetes_api(*ALL) as cluster:
        yield cluster


@pytest.fixture
def quotas(tmp_path: Path) -> Iterator[Quotas]:
    """Return an empty journal's quotas."""
    with Journal(tmp_path / "journal.sqlite") as journal:
        yield Quotas(journal)


@pytest.fixture
def actor(cluster: Cluster, quotas: Quotas, tmp_path: Path) -> Actor:
    """Return what acts on the cluster."""
    lever = Kubernetes(NAMESPACES, kubeconfig=cluster.kubeconfig(tmp_path), timeout_seconds=1)
    return Actor({"kubernetes": lever}, quotas, lambda _: None)


def results(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    """Return target and result of each."""
    return [(outcome.target, outcome.result) for outcome in outcomes]


def test_a_plan_is_done_once_and_undone_once(cluster: Cluster, actor: Actor) -> None:
    assert results(actor.act(plan_to("stop"))) == [
        ("ml-speech", "done"),
        ("ml-vision", "done"),
        ("ml-vision-dev", "done"),
    ]
    assert actor.act(plan_to("stop")) == []
    assert {key[0] for key in cluster.objects} == set(ALL)
    assert is_clean(actor.act(plan_to("release")))
    assert actor.act(plan_to("release")) == []
    assert cluster.objects == {}
    assert len(cluster.changes) == 2 * len(ALL)


def calls_of(cluster: Cluster, actor: Actor) -> int:
    """Return how many calls a stop of everything takes, and take it back."""
    actor.act(plan_to("stop"))
    count = len(cluster.calls)
    actor.undo(is_pardon=False)
    cluster.calls.clear()
    cluster.changes.clear()
    return count


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_call_leaves_every_target_told_and_the_rest_done(
    cluster: Cluster, actor: Actor, fault: Fault
) -> None:
    for call in range(calls_of(cluster, actor)):
        cluster.calls.clear()
        cluster.changes.clear()
        cluster.faults = {call: fault}
        outcomes = actor.act(plan_to("stop"))
        assert len(outcomes) == len(ALL)
        for outcome in outcomes:
            is_there = cluster.hard(outcome.target) == STOPPED
            if outcome.result != "unknown":
                assert is_there == (outcome.result == "done"), (call, outcome)
        assert sum(outcome.result == "done" for outcome in outcomes) >= len(ALL) - 1
        cluster.faults = {}
        assert is_clean(actor.act(plan_to("stop")))
        assert all(cluster.hard(name) == STOPPED for name in ALL)
        assert len(cluster.changes) == len(ALL), (call, "something was done twice")
        cluster.calls.clear()
        cluster.faults = {call: fault}
        actor.undo(is_pardon=False)
        cluster.faults = {}
        actor.undo(is_pardon=False)
        assert cluster.objects == {}
        assert len(cluster.changes) == 2 * len(ALL)
        assert actor.quotas.held() == []


def test_an_api_that_says_no_to_everything_changes_nothing(cluster: Cluster, actor: Actor) -> None:
    cluster.faults = dict.fromkeys(range(100), 403)
    outcomes = actor.act(plan_to("stop"))
    assert {outcome.result for outcome in outcomes} == {"not done"}
    assert all("let the credential" in outcome.note for outcome in outcomes)
    assert actor.quotas.held() == []


def test_an_api_that_falls_silent_for_good_leaves_unknowns_that_are_looked_into_later(
    cluster: Cluster, actor: Actor
) -> None:
    cluster.faults = dict.fromkeys(range(1, 100), "cut before")
    cluster.faults[1] = "cut after"
    outcomes = actor.act(plan_to("stop"))
    assert results(outcomes) == [
        ("ml-speech", "unknown"),
        ("ml-vision", "not done"),
        ("ml-vision-dev", "not done"),
    ]
    assert [stop.result for stop in actor.quotas.held()] == ["unknown"]
    cluster.faults = {}
    assert is_clean(actor.act(plan_to("stop")))
    assert cluster.changes.count(("POST", "ml-speech")) == 1


def test_a_lever_that_is_gone_is_said_and_its_stop_kept(cluster: Cluster, actor: Actor) -> None:
    actor.act(plan_to("stop"))
    blind = replace(actor, levers={})
    assert {outcome.result for outcome in blind.undo(is_pardon=True)} == {"unknown"}
    assert len(actor.quotas.held()) == len(ALL)
    assert is_clean(actor.undo(is_pardon=True))
    assert cluster.objects == {}


def test_only_the_named_targets_are_undone(cluster: Cluster, actor: Actor) -> None:
    actor.act(plan_to("stop"))
    assert results(actor.undo(["kubernetes/ml-speech"], is_pardon=True)) == [("ml-speech", "done")]
    assert {key[0] for key in cluster.objects} == {"ml-vision", "ml-vision-dev"}


def test_a_webhook_without_an_answer_is_unknown_and_sent_again_under_one_key(
    quotas: Quotas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOTA_SECRET", "s3")
    with webhook_receiver(b"s3") as receiver:
        lever = Webhook(receiver.url, "QUOTA_SECRET", tries=1, timeout_seconds=2)
        actor = Actor({"webhook": lever}, quotas, lambda _: None)
        plan = plan_to("stop", lever="webhook")
        receiver.faults = ["cut after"]
        assert results(actor.act(plan))[0] == ("ml-speech", "unknown")
        assert is_clean(actor.act(plan))
        assert len(receiver.requests) == len(ALL) + 1
        assert len(receiver.acted) == len(ALL)
        assert is_clean(actor.undo(is_pardon=True))
        actions = [message["action"] for message in receiver.acted.values()]
        assert actions == ["stop"] * len(ALL) + ["release"] * len(ALL)
