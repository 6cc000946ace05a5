"""Volumes and snapshots: who used them, as claims of pods and listings of the account tell."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from datetime import date

    from tests.queries.attribution.conftest import Build, Draw, Row

ACCOUNT = {"source": "inv", "sub_account_id": "1", "region_id": "us"}


def volume(draw: type[Draw], cost: str | int = 24, **more: object) -> Row:
    line = {"x_line_class": "volume", "resource_id": "vol-1", "sub_account_id": "1"}
    return draw.line(cost) | line | more


def snapshot(draw: type[Draw], cost: str | int = 24, **more: object) -> Row:
    return volume(draw, cost) | {"x_line_class": "snapshot", "resource_id": "snap-1"} | more


def listing(
    day: date,
    attached: tuple[tuple[str, str], ...] = (("vol-1", "i-1"),),
    copied: tuple[tuple[str, str], ...] = (("snap-1", "vol-1"),),
    **thing: object,
) -> dict[str, list[Row]]:
    """Return a day's listing: (volume, machine) and (snapshot, volume)."""
    base = ACCOUNT | {"charge_date": day}
    links = [("volume", "attached_to", pair) for pair in attached]
    links += [("snapshot", "made_from", pair) for pair in copied]
    return {
        "listed_scopes": [base | {"resource_type": kind} for kind in ("volume", "snapshot")],
        "listed_things": [
            base | {"resource_type": kind, "resource_id": pair[0], "state": "in_use"} | thing
            for kind, _, pair in links
        ],
        "listed_links": [
            base
            | {"resource_type": kind, "resource_id": one, "relation": relation, "related_id": other}
            for kind, relation, (one, other) in links
        ],
    }


def together(*worlds: dict[str, list[Row]]) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {}
    for world in worlds:
        for table, rows in world.items():
            tables.setdefault(table, []).extend(rows)
    return tables


def half_held(draw: type[Draw]) -> dict[str, list[Row]]:
    """Return two hours of a machine; a run holds the first as a whole, nobody the second."""
    return {
        "cost_lines": [draw.machine(10, hour, sub_account_id="1") for hour in (0, 1)],
        "node_hours": [draw.node(0), draw.node(1)],
        "runs": [draw.run("r1", 0, 1, user_raw="ada", team_raw="vision")],
        "run_places": [{"run_key": "r1", "instance_id": "i-1"}],
    }


def test_a_volume_goes_as_the_machine_that_it_is_attached_to(
    build: Build, draw: type[Draw]
) -> None:
    """Half a day's hours were a run's, half were idle: so is the volume."""
    lines = {"cost_lines": [volume(draw, "2.000000000001")]}
    built = build(together(half_held(draw), lines, listing(draw.day)))

    where = "x_line_class = 'volume'"
    assert built.costs("method, cost_kind, run_id, team, team_rule", where) == {
        ("attached_machine", "direct", "r1", "vision", "run_tag"): Decimal("1.000000000001"),
        ("attached_machine", "idle", None, None, None): Decimal(1),
    }


@pytest.mark.parametrize("policy", ["by_node", "by_cluster"])
def test_holders_pay_for_the_idle_part_of_a_volume_where_they_do_for_machines(
    build: Build, draw: type[Draw], policy: str
) -> None:
    tables = half_held(draw) | {"pod_hours": [draw.pod("p", 1, gpu=4)]}
    lines = {"cost_lines": [volume(draw)]}
    built = build(together(tables, lines, listing(draw.day)), idle_policy=policy)

    where = "x_line_class = 'volume' and run_id is null and pod_id is null"
    if policy == "by_cluster":
        assert built.costs("cost_kind", where) == {}
    else:  # cores and memory of the second hour are held by nobody at all
        idle = Decimal(12) * (Decimal("57.6") + Decimal("48.8")) / Decimal("178.4")
        assert built.costs("cost_kind", where) == {
            "idle": pytest.approx(idle, abs=Decimal("1e-10"))
        }


def test_a_snapshot_goes_to_those_who_used_its_volume(build: Build, draw: type[Draw]) -> None:
    """What was idle of the machine is not theirs to copy: it does not count."""
    lines = [snapshot(draw), snapshot(draw, 3, resource_id="snap-2", tags={"team": "speech"})]
    copies = (("snap-1", "vol-1"), ("snap-2", "vol-1"))
    built = build(
        together(half_held(draw), {"cost_lines": lines}, listing(draw.day, copied=copies))
    )

    assert built.costs("method, run_id, team, cost_kind", "x_line_class = 'snapshot'") == {
        ("snapshot_volume", "r1", "vision", "direct"): Decimal(24),
        ("owner", None, "speech", "direct"): Decimal(3),
    }
    assert built.costs("method, confidence").keys() == {
        ("machine_share", "high"),
        ("snapshot_volume", "medium"),
        ("owner", "high"),
    }


@pytest.mark.parametrize(("of_machine", "method"), [("vision", "attached_machine"), ("x", "owner")])
def test_a_tag_that_the_machine_has_too_says_nothing_of_a_volume(
    build: Build, draw: type[Draw], of_machine: str, method: str
) -> None:
    """Tags of a pool of nodes are on all their disks; one that somebody set is another."""
    tables = half_held(draw)
    for line in tables["cost_lines"]:
        line["tags"] = {"team": of_machine, "project": "apollo"}
    lines = {"cost_lines": [volume(draw, tags={"team": "vision"}), snapshot(draw)]}
    built = build(together(tables, lines, listing(draw.day)))

    told = {method} if method == "owner" else {method, "snapshot_volume"}
    where = "x_line_class <> 'instance'"
    assert set(built.costs("method", where)) == told
    if method == "owner":
        assert set(built.costs("team, team_rule", where)) == {
            ("vision", "resource_tag"),
            ("vision", "related_tag"),
        }


def claims(draw: type[Draw]) -> dict[str, list[Row]]:
    """Return two pods on one machine, for one hour and three; a run covers half of the latter."""
    hours = [("short", 0), ("long", 0), ("long", 1), ("long", 2)]
    base = {"charge_date": draw.day, "cluster": "c1", "namespace": "lab"}
    return {
        "cost_lines": [draw.machine(10, hour) for hour in range(3)],
        "node_hours": [draw.node(hour) for hour in range(3)],
        "pod_hours": [
            *(draw.pod(pod, hour, gpu=1, team_raw=f"of {pod}") for pod, hour in hours),
            draw.pod("other", gpu=6),
        ],
        "pod_claims": [
            base | {"charge_hour": draw.at(hour), "pod": pod, "claim": "c", "volume_id": "vol-1"}
            for pod, hour in hours
        ],
        "runs": [draw.run("r1", 0, 1.5, team_raw="vision")],
        "run_places": [{"run_key": "r1", "cluster": "c1", "namespace": "lab", "pod": "long"}],
    }


def test_pods_that_mount_a_volume_share_it_by_their_time(build: Build, draw: type[Draw]) -> None:
    """A claim tells more than the machine: the pod that mounts nothing pays nothing."""
    lines = {"cost_lines": [volume(draw, 8, resource_id="VOL-1")]}
    built = build(together(claims(draw), lines, listing(draw.day)))

    assert built.costs("method, pod_id, run_id, team", "x_line_class = 'volume'") == {
        ("pod_claim", "c1/lab/short", None, "of short"): Decimal(2),
        ("pod_claim", "c1/lab/long", "r1", "vision"): Decimal(3),
        ("pod_claim", "c1/lab/long", None, "of long"): Decimal(3),
    }
    assert set(built.costs("confidence", "method = 'pod_claim'")) == {"high"}


def test_a_claims_volume_is_its_namespaces_where_no_claim_is_seen(
    build: Build, draw: type[Draw]
) -> None:
    """The tag that a driver leaves says which pods of the machine may be meant."""
    tables = {
        "cost_lines": [draw.machine(10), volume(draw, 9)],
        "node_hours": [draw.node()],
        "pod_hours": [
            draw.pod("a", gpu=2, namespace="lab"),
            draw.pod("b", gpu=4, namespace="lab"),
            draw.pod("c", gpu=2, namespace="infra"),
        ],
    }
    tag = {"kubernetes.io/created-for/pvc/namespace": "lab"}
    built = build(together(tables, listing(draw.day, copied=(), tags=tag)))

    assert built.costs("pod_id", "x_line_class = 'volume'") == {
        "c1/lab/a": pytest.approx(Decimal(3), abs=Decimal("1e-10")),
        "c1/lab/b": pytest.approx(Decimal(6), abs=Decimal("1e-10")),
    }


def test_a_volume_nobody_mounts_is_the_team_of_its_namespace(
    build: Build, draw: type[Draw]
) -> None:
    rule = {"rule_id": "map-1", "position": 1, "match_namespace": "lab", "team": "vision"}
    tag = {"kubernetes.io/created-for/pvc/namespace": "lab"}
    built = build({"cost_lines": [volume(draw, tags=tag)], "ownership_rules": [rule]})

    assert built.costs("method, team, team_rule") == {("owner", "vision", "map-1"): Decimal(24)}


def test_tags_of_the_machine_and_of_the_volume_own_where_nobody_watches(
    build: Build, draw: type[Draw]
) -> None:
    """Its own tag comes first, then the volume's, then the machine's; each owner by itself."""
    lines = [
        draw.machine(10, sub_account_id="1", tags={"team": "vision", "project": "apollo"}),
        volume(draw, 1, tags={"project": "gemini"}),
        snapshot(draw, 2),
        snapshot(draw, 4, resource_id="snap-2", tags={"user": "bob"}),
        volume(draw, 8, resource_id="vol-2"),
        volume(draw, 16, sub_account_id="2"),
    ]
    copies = (("snap-1", "vol-1"), ("snap-2", "vol-1"))
    built = build({"cost_lines": lines} | listing(draw.day, copied=copies))

    assert built.costs(
        "user_raw, team, team_rule, project, project_rule", "x_line_class <> 'instance'"
    ) == {
        (None, "vision", "related_tag", "gemini", "resource_tag"): Decimal(1),
        (None, "vision", "related_tag", "gemini", "related_tag"): Decimal(2),
        ("bob", "vision", "related_tag", "gemini", "related_tag"): Decimal(4),
        (None, None, "unattributed", None, "unattributed"): Decimal(24),
    }
    assert built.rows(
        "select rule_id, confidence, effective_cost from marts.coverage "
        "where dimension = 'team' order by all"
    ) == [
        ("related_tag", "medium", Decimal(7)),
        ("resource_tag", "high", Decimal(10)),
        ("unattributed", "none", Decimal(24)),
    ]


@pytest.mark.parametrize(
    ("since", "days"),
    [(None, (-35, 39)), (-3, (-3, 39)), (-60, (-35, 39))],
)
def test_a_listing_stands_until_the_next(
    build: Build, draw: type[Draw], since: int | None, days: tuple[int, int]
) -> None:
    """Two listings, five days apart: the first stands backwards, the last for 35 days."""
    at = None if since is None else draw.at(1) + timedelta(days=since)
    built = build(
        together(
            listing(draw.day, state_since=at),
            listing(draw.day + timedelta(days=5), state_since=at),
        )
    )

    ((first, last, count),) = built.rows(
        "select min(charge_date), max(charge_date), count(*) from attribution.volume_links "
        "where resource_type = 'volume'"
    )
    assert (first, last) == tuple(draw.day + timedelta(days=day) for day in days)
    assert count == days[1] - days[0] + 1


def test_a_volume_that_is_not_listed_any_more_is_attached_to_nothing(
    build: Build, draw: type[Draw]
) -> None:
    """On the third day the account was listed again, without it; the second is the first's."""
    listings = (
        listing(draw.day, created_at=draw.at(0)),
        listing(draw.day + timedelta(days=2), attached=(("vol-2", "i-1"),), created_at=draw.at(40)),
    )
    built = build(together(*listings))

    assert built.rows(
        "select resource_key, list(day(charge_date) - 5 order by charge_date)[:3] "
        "from attribution.volume_links where resource_type = 'volume' group by 1 order by 1"
    ) == [("vol-1", [0, 1]), ("vol-2", [1, 2, 3])]
