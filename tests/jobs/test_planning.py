"""Whom a plan stops: only on evidence that is whole and fresh, never too many, never for long."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.enforcement.kubernetes import Kubernetes
from jobs.enforcement.webhook import Webhook
from jobs.journal.quotas import Stop
from jobs.quotas.plan import newest_plan
from jobs.quotas.planning import Evidence, allowed_targets, known_targets, make_plan
from jobs.quotas.standing import Table
from jobs.settings.quotas import Enforcement, Quota
from tests.jobs.standings import NOW, days_ago, row, rule, standings

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.quotas.standing import Standings

QUOTA = Quota(
    name="month",
    dimension="team",
    measure="effective_cost",
    limit=Decimal(100),
    currency="USD",
)
LEVER = Kubernetes({"vision": ["ml-vision", "ml-vision-dev"], "speech": ["ml-speech"]})


def evidence(found: Standings | None, **more: Any) -> Evidence:
    """Return evidence that may be acted on."""
    parts: dict[str, Any] = {
        "standings": found,
        "generation": "000007",
        "problems": [],
        "sources": {"aws", "identities"},
        "quotas": [QUOTA],
        "levers": [LEVER],
        "limits": Enforcement(max_share=Decimal(1)),
        "held": [],
        "pardoned": set(),
        "touched": set(),
        "now": NOW,
        "night": 3,
    }
    return Evidence(**parts | more)


def stop(target: str = "ml-vision", until: str = "2026-12-01", **more: Any) -> Stop:
    """Return a stop in force for the month that vision has used up."""
    parts: dict[str, Any] = {
        "id": 1,
        "key": "k",
        "lever": "kubernetes",
        "target": target,
        "member": "vision",
        "reason": "",
        "causes": (("month", "vision", "2026-11-01"),),
        "until": until,
        "wish": "stop",
        "result": "done",
        "before": {"hard": None},
        "note": "",
        "intended_at": "2026-11-20T04:20:00",
    }
    return Stop(**parts | more)


LATE = Table("aws", "line_items", "2026-11", is_stale=True, note="old")
OVER = standings({"vision": "120.5", "speech": 99})


def what(plan: Any) -> list[tuple[str, str]]:
    """Return verb and target of each step."""
    return [(step.what, step.target) for step in plan.steps]


def test_a_plan_says_what_whom_why_until_when_and_how_it_is_undone() -> None:
    plan = make_plan(evidence(OVER))
    assert what(plan) == [("stop", "ml-vision"), ("stop", "ml-vision-dev")]
    step = plan.steps[0]
    assert "ResourceQuota mlspend in namespace ml-vision" in step.change
    assert "delete ResourceQuota mlspend" in step.undo
    assert "team vision has used 120.5 of 100 USD between 2026-11-01 and 2026-12-01" in step.why
    assert (step.until, plan.refusals, plan.unreached) == ("2026-12-01", (), ())
    assert step.causes[0].query == (
        "select sum(effective_cost) from marts.spend_daily where dimension = 'team' "
        "and member = 'vision' and charge_date >= date '2026-11-01' "
        "and charge_date < date '2026-12-01' and billing_currency = 'USD'"
    )


def test_a_plan_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    plan = make_plan(evidence(OVER))
    plan.write(tmp_path, "2026-11-20")
    plan.write(tmp_path, "2026-11-21")
    assert newest_plan(tmp_path) == plan
    assert newest_plan(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("doubt", "told"),
    [
        ({"standings": None}, "no generation is published"),
        ({"generation": None}, "no generation is published"),
        ({"generation": "000008"}, "000008 is in force"),
        ({"standings": replace(OVER, open_books=1)}, "books do not close"),
        ({"problems": ["the folder is not there"]}, "the folder is not there"),
        ({"sources": {"aws", "lab"}}, "source lab has delivered nothing"),
        (
            {"standings": replace(OVER, tables=(LATE,))},
            "source aws is late",
        ),
        ({"standings": replace(OVER, as_of=None)}, "no cost yet"),
        ({"standings": replace(OVER, as_of=days_ago(4))}, "4 whole days ago"),
        ({"now": NOW + timedelta(days=4)}, "4 whole days ago"),
        (
            {"quotas": [QUOTA.model_copy(update={"member": "visoin"})]},
            'did you mean "vision"?',
        ),
        ({"levers": [Kubernetes({"visoin": ["x"], "vision": ["y"]})]}, "lever kubernetes names"),
    ],
)
def test_any_doubt_stops_nobody_and_is_told(doubt: dict[str, Any], told: str) -> None:
    plan = make_plan(evidence(OVER, **{"sources": {"aws"}} | doubt))
    assert plan.steps == ()
    assert told in " ".join(plan.refusals)


def test_what_is_kept_by_hand_may_be_old_and_what_is_retired_too() -> None:
    late = Table("gone", "line_items", "2026-08", is_stale=True, note="old")
    found = replace(OVER, tables=(*OVER.tables, late))
    assert make_plan(evidence(found)).refusals == ()


def test_a_stop_ends_with_its_window_even_where_nothing_can_be_trusted() -> None:
    given = evidence(None, held=[stop(until="2026-11-21"), stop("ml-speech", "2026-11-22")])
    plan = make_plan(given)
    assert plan.refusals
    assert what(plan) == [("release", "ml-vision")]


def test_spend_that_is_restated_below_lets_the_member_go() -> None:
    lower = standings({"vision": "99.99"})
    assert what(make_plan(evidence(lower, held=[stop()]))) == [("release", "ml-vision")]


def test_who_is_stopped_already_is_left_so_and_what_nobody_knows_is_looked_into() -> None:
    held = [stop(), stop("ml-vision-dev", result="unknown")]
    assert what(make_plan(evidence(OVER, held=held))) == [("renew", "ml-vision-dev")]


def test_nobody_is_stopped_for_a_window_that_is_over() -> None:
    found = standings({"vision": 200})
    assert make_plan(evidence(found, now=NOW.replace(month=12, day=1))).steps == ()
    limits = Enforcement(max_share=Decimal(1), max_data_days=30)
    late = evidence(found, now=NOW.replace(month=12, day=1), limits=limits)
    assert (make_plan(late).steps, make_plan(late).refusals) == ((), ())


def test_a_rolling_window_is_stopped_for_as_long_as_it_remembers() -> None:
    rolling = row(
        "vision", 200, window_kind="days", window_start=days_ago(6), window_end=NOW.date()
    )
    found = replace(OVER, rows=(rolling,), rules=(rule(window="7 days"),))
    plan = make_plan(evidence(found))
    assert {step.until for step in plan.steps} == {"2026-11-28"}
    assert plan.steps[0].causes[0].window_key == ""


def test_what_a_person_let_go_stays_free_and_is_named() -> None:
    plan = make_plan(evidence(OVER, pardoned={("month", "vision", "2026-11-01")}))
    assert plan.steps == ()
    assert "a person has let it go on" in plan.unreached[0]


def test_a_member_that_no_lever_holds_is_named() -> None:
    found = standings({"robotics": 500})
    plan = make_plan(evidence(found))
    assert plan.steps == ()
    assert plan.unreached == ("team robotics is over month: no lever holds it",)


def test_a_quota_that_only_warns_stops_nobody() -> None:
    warns = rule(thresholds=((Decimal(1), "mail"),))
    assert make_plan(evidence(replace(OVER, rules=(warns,)))).steps == ()


def test_two_quotas_of_one_target_are_one_stop_until_the_later_end() -> None:
    quarter = row("vision", 900, quota="quarter", window_end=date(2027, 1, 1))
    found = replace(OVER, rows=(*OVER.rows, quarter), rules=(rule(), rule("quarter")))
    plan = make_plan(evidence(found))
    assert what(plan) == [("stop", "ml-vision"), ("stop", "ml-vision-dev")]
    assert {step.until for step in plan.steps} == {"2027-01-01"}
    assert len(plan.steps[0].causes) == 2


def test_a_name_with_a_quote_stays_a_literal_of_the_query() -> None:
    name = "o'neill; drop table x"
    lever = Kubernetes({name: ["ns"]})
    plan = make_plan(evidence(standings({name: 200}), levers=[lever]))
    assert "member = 'o''neill; drop table x'" in plan.steps[0].causes[0].query


names = st.text("abcdefgh", min_size=1, max_size=3)
fleets = st.dictionaries(names, st.lists(names, min_size=1, max_size=4, unique=True), max_size=25)


@settings(max_examples=300, deadline=None)
@given(
    fleet=fleets,
    hooked=st.booleans(),
    used=st.dictionaries(names, st.integers(0, 200), max_size=25),
    max_targets=st.integers(1, 12),
    max_share=st.decimals(Decimal("0.01"), 1, places=2),
    touched=st.sets(names, max_size=6),
    held=st.sets(names, max_size=6),
)
def test_no_plan_touches_more_targets_within_a_day_than_the_caps_allow(  # noqa: PLR0913, PLR0917
    fleet: dict[str, list[str]],
    hooked: bool,  # noqa: FBT001  (drawn)
    used: dict[str, int],
    max_targets: int,
    max_share: Decimal,
    touched: set[str],
    held: set[str],
) -> None:
    """Whatever the fleet: within both caps, or not a single stop and a reason."""
    levers: list[Any] = [Kubernetes(fleet)]
    if hooked:
        levers.append(Webhook("https://x", "S"))
    found = standings(used, members={"team": tuple(sorted({*used, *fleet}))})
    limits = Enforcement(max_targets=max_targets, max_share=max_share)
    before = {("kubernetes", name) for name in touched}
    given_evidence = evidence(
        found,
        levers=levers,
        limits=limits,
        touched=before,
        held=[stop(name, id=number) for number, name in enumerate(sorted(held))],
    )
    plan = make_plan(given_evidence)
    stopped = {(step.lever, step.target) for step in plan.stops}
    known = known_targets(given_evidence, before)
    assert len(stopped) == len(plan.stops)
    if stopped:
        assert len(stopped | before) <= max_targets
        assert len(stopped | before) <= max(Decimal(1), max_share * known)
        assert len(stopped | before) <= plan.allowed == allowed_targets(limits, known)
    over = {name for name, amount in used.items() if amount >= 100}
    reach = {("kubernetes", ns) for name in over for ns in fleet.get(name, ())}
    reach |= {("webhook", name) for name in over} if hooked else set()
    assert stopped <= reach
    fresh = reach - {("kubernetes", name) for name in held}
    if fresh - stopped:
        assert not stopped
        assert re.search(r"max_targets and max_share allow \d+", " ".join(plan.refusals))
