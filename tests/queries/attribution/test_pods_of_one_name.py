"""Pods that follow each other under one name on a day: each is whose its own labels say."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row

POD = "train-worker-0"


def company(
    draw: type[Draw], hours: tuple[int, int], **first_and_second: dict[str, str]
) -> dict[str, list[Row]]:
    """Return a machine of $8 an hour, and a pod of that name at each of two hours."""
    return {
        "cost_lines": [draw.machine(8, hour) for hour in sorted({*hours})],
        "node_hours": [draw.node(hour, gpu=4, cpu=0, memory=0) for hour in sorted({*hours})],
        "pod_hours": [
            draw.pod(POD, hour, gpu=4, pod_uid=uid, **labels)
            for hour, (uid, labels) in zip(hours, first_and_second.items(), strict=True)
        ],
    }


def test_each_is_the_team_s_and_the_run_s_that_its_own_labels_name(
    build: Build, draw: type[Draw]
) -> None:
    built = build(
        company(
            draw,
            (0, 5),
            u1={"team_raw": "vision", "run_native_id": "r"},
            u2={"team_raw": "speech", "run_native_id": "s"},
        )
        | {"runs": [draw.run("r", 0, 1), draw.run("s", 5, 6)]}
    )

    assert built.costs("run_id, team") == {("r", "vision"): 8, ("s", "speech"): 8}


@pytest.mark.parametrize("named", [{"pod_uid"}, {"pod_uid", "pod"}, {"pod"}])
def test_a_run_holds_the_pod_that_was_there_with_it(
    build: Build, draw: type[Draw], named: set[str]
) -> None:
    """By its uid, or by the name of both."""
    places = [
        {"run_key": run, **{key: value for key, value in place.items() if key in named}}
        for run, place in (
            ("r", {"pod_uid": "u1", "pod": POD}),
            ("s", {"pod_uid": "u2", "pod": POD}),
        )
    ]
    built = build(
        company(draw, (0, 5), u1={"team_raw": "vision"}, u2={"team_raw": "speech"})
        | {"runs": [draw.run("r", 0, 1), draw.run("s", 5, 6)], "run_places": places}
    )

    assert built.costs("run_id, team") == {("r", "vision"): 8, ("s", "speech"): 8}


@pytest.mark.parametrize(
    ("told", "holds"),
    [
        ({}, False),
        ({"namespace": "lab"}, False),
        ({"node": "node-i-1"}, False),
        ({"cluster": "c2"}, True),
        ({"pod_uid": "u2"}, True),
    ],
)
def test_a_run_is_in_no_pod_where_nobody_knows_in_which_cluster_s(
    build: Build, draw: type[Draw], told: dict[str, str], *, holds: bool
) -> None:
    """Each cluster has one of that name at work, and pays for its own."""
    given = company(draw, (0, 0), u1={"team_raw": "vision"}, u2={"team_raw": "speech"})
    for row in given["pod_hours"]:
        row |= {"gpu_units": 2}
    given["pod_hours"][1] |= {"cluster": "c2", "node": "node-i-2"}
    given["cost_lines"].append(draw.machine(8, 0, "i-2"))
    given["node_hours"].append(draw.node(0, "i-2", gpu=4, cpu=0, memory=0) | {"cluster": "c2"})
    place = {"run_key": "r", "pod": POD} | told
    built = build(given | {"runs": [draw.run("r", 0, 1)], "run_places": [place]})

    run_of_speech = "r" if holds else None
    assert built.costs("run_id, team", "cost_kind = 'direct'") == {
        (None, "vision"): 4,
        (run_of_speech, "speech"): 4,
    }


def test_within_an_hour_each_holds_its_own_time(build: Build, draw: type[Draw]) -> None:
    given = company(draw, (0, 0), u1={"team_raw": "vision"}, u2={"team_raw": "speech"})
    given["pod_hours"][0] |= {"held_seconds": 2700}
    given["pod_hours"][1] |= {"held_seconds": 900}
    built = build(given)

    assert built.costs("team") == {"vision": 6, "speech": 2}


def test_a_claim_s_volume_is_whose_pod_mounted_it(build: Build, draw: type[Draw]) -> None:
    claims = [
        {
            "charge_date": draw.day,
            "charge_hour": draw.at(hour),
            "cluster": "c1",
            "namespace": "lab",
            "pod": POD,
            "claim": "data",
            "volume_id": "vol-1",
        }
        for hour in (0, 5)
    ]
    given = company(draw, (0, 5), u1={"team_raw": "vision"}, u2={"team_raw": "speech"})
    given["cost_lines"] = [
        draw.line(4, None, resource_id="vol-1", x_line_class="volume", service_name="EBS")
    ]
    built = build(given | {"pod_claims": claims})

    assert built.costs("team") == {"vision": Decimal(2), "speech": Decimal(2)}


def test_a_server_that_came_again_pays_for_what_it_served_itself(
    build: Build, draw: type[Draw]
) -> None:
    """Counters know a pod by its name and the hour."""
    counted = [
        {
            "charge_date": draw.day,
            "charge_hour": draw.at(hour),
            "cluster": "c1",
            "namespace": "lab",
            "pod": POD,
            "model_name": model,
            "requests": 10,
        }
        for hour, model in ((0, "a"), (5, "b"))
    ]
    built = build(company(draw, (0, 5), u1={}, u2={}) | {"served_hours": counted})

    assert built.costs("model, served_model") == {("a", "a"): 8, ("b", "b"): 8}
    requests = built.rows("select model, sum(requests) from marts.serving_daily group by all")
    assert sorted(requests) == [("a", 10), ("b", 10)]
