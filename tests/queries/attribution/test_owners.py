"""Who owns a cost, and by which rule."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row


def pod_world(draw: type[Draw], *rules: Row, run: Row | None = None) -> dict[str, list[Row]]:
    """Return a machine of 10 that one pod holds whole, which a run may fill."""
    return {
        "cost_lines": [
            draw.machine(10, tags={"team": "tagged", "user": "tagger"}, sub_account_id="42")
        ],
        "node_hours": [draw.node(gpu=1, cpu=0, memory=0)],
        "pod_hours": [draw.pod("p", gpu=1)],
        "runs": [] if run is None else [run],
        "run_places": [] if run is None else [{"run_key": run["run_key"], "pod": "p"}],
        "ownership_rules": [
            {"rule_id": f"rule-{number}", "position": number, "is_override": False} | rule
            for number, rule in enumerate(rules)
        ],
        "memberships": [{"user_id": "ada", "team": "vision"}],
        "aliases": [{"alias": "ADA.L", "user_id": "ada"}],
        "people": [{"user_id": "ada", "user_name": "Ada", "email": "ada@x.org"}],
    }


def team_of(build: Build, tables: dict[str, list[Row]]) -> tuple[str, str]:
    """Return the team of the whole cost, and the rule that found it."""
    built = build(tables, only=("attribution.named_postings",))
    ((team, rule),) = built.rows("select team, team_rule from attribution.named_postings")
    return team, rule


def test_every_source_of_owners_gives_way_to_the_one_above_it(
    build: Build, draw: type[Draw]
) -> None:
    """Take the sources away one by one, from the strongest to the weakest."""
    everything = pod_world(
        draw,
        {"is_override": True, "match_run": "r*", "team": "override"},
        {"match_run": "r*", "team": "rule"},
        {"match_namespace": "l?b", "team": "namespace"},
        {"match_sub_account_id": "42", "team": "account"},
        run=draw.run("r", team_raw="run", user_raw="ada.l"),
    )
    everything["pod_hours"][0]["team_raw"] = "pod"
    found = []

    def note() -> None:
        found.append(team_of(build, everything))

    note()
    del everything["ownership_rules"][0]
    note()
    del everything["ownership_rules"][0]
    note()
    everything["runs"][0]["team_raw"] = None
    note()
    everything["pod_hours"][0]["team_raw"] = None
    note()
    everything["memberships"] = []
    note()
    del everything["ownership_rules"][0]
    note()
    everything["cost_lines"][0]["tags"] = {}
    note()
    everything["ownership_rules"] = []
    note()
    assert found == [
        ("override", "rule-0"),
        ("rule", "rule-1"),
        ("run", "run_tag"),
        ("pod", "pod_label"),
        ("vision", "member_of"),
        ("namespace", "rule-2"),
        ("tagged", "resource_tag"),
        ("account", "rule-3"),
        (None, "unattributed"),
    ]


@pytest.mark.parametrize(
    ("written", "team"),
    [
        ("vision", "vision"),
        (" vision  ", "vision"),
        ("Vision", "Vision"),
        *((nobody, None) for nobody in ("", " ", "unattributed", "(idle)", "(tax)")),
    ],
)
def test_a_name_that_names_nobody_is_none(
    build: Build, draw: type[Draw], written: str, team: str | None
) -> None:
    """Of a run, a pod's label and a tag: what it would have hidden further down counts."""
    world = pod_world(draw, run=draw.run("r", team_raw=written))
    world["pod_hours"][0]["team_raw"] = "pod"
    assert team_of(build, world) == ((team, "run_tag") if team else ("pod", "pod_label"))

    world["runs"][0]["team_raw"] = None
    world["pod_hours"][0]["team_raw"] = written
    assert team_of(build, world) == ((team, "pod_label") if team else ("tagged", "resource_tag"))

    world["pod_hours"][0]["team_raw"] = None
    world["cost_lines"][0]["tags"]["team"] = written
    rule = (team, "resource_tag") if team else (None, "unattributed")
    assert team_of(build, world) == rule


def test_a_rule_on_runs_and_lines_needs_both(build: Build, draw: type[Draw]) -> None:
    rule = {"match_run": "r*", "match_service_name": "Amazon*", "team": "both"}
    run = draw.run("r")
    both = pod_world(draw, rule, run=run)
    assert team_of(build, both) == ("both", "rule-0")

    other_service = pod_world(draw, rule | {"match_service_name": "Azure*"}, run=run)
    assert team_of(build, other_service) == ("tagged", "resource_tag")
    other_run = pod_world(draw, rule | {"match_run": "x*"}, run=run)
    assert team_of(build, other_run) == ("tagged", "resource_tag")


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        ({"match_tag_key": "team", "match_tag_value": "tag*"}, True),
        ({"match_tag_key": "team"}, True),
        ({"match_tag_key": "team", "match_tag_value": "other"}, False),
        ({"match_tag_key": "absent"}, False),
        ({"match_resource_id": "i-*"}, True),
        ({"match_source": "azure"}, False),
        ({"match_source": "a?s", "match_sub_account_id": "42"}, True),
        ({"match_run": "r", "match_source": "mlflow"}, True),
        ({"match_run": "r", "match_source": "aws"}, False),
        ({"match_run": "r", "valid_to": date(2026, 10, 5)}, False),
        ({"match_run": "r", "valid_from": date(2026, 10, 5)}, True),
        ({"match_experiment": "none"}, False),
        ({"match_tag_key": "team", "valid_to": date(2026, 10, 5)}, False),
        ({"match_tag_key": "team", "valid_from": date(2026, 10, 5)}, True),
        ({}, True),
    ],
)
def test_a_rule_matches_where_all_its_conditions_do(
    build: Build, draw: type[Draw], condition: Row, *, matches: bool
) -> None:
    tables = pod_world(draw, condition | {"team": "ruled"}, run=draw.run("r"))

    assert (team_of(build, tables) == ("ruled", "rule-0")) is matches


def test_the_map_of_namespaces_knows_those_that_a_bill_names(
    build: Build, draw: type[Draw]
) -> None:
    """GKE's cost allocation: without telemetry the bill alone says whose a line is."""
    lines = [
        draw.line(1, tags={"k8s-namespace": namespace, "team": "tagged"}, resource_id=namespace)
        for namespace in ("lab", "web")
    ]
    rules = [
        {"match_namespace": "l?b", "team": "mapped"},
        {"match_namespace": "l?b", "match_run": "r", "team": "of runs alone"},
        {"match_tag_key": "k8s-namespace", "match_tag_value": "w*", "team": "ruled"},
    ]
    tables = pod_world(draw, *rules) | {"cost_lines": lines, "node_hours": [], "pod_hours": []}
    rows = build(tables).rows(
        "select resource_id, team, team_rule from attribution.named_postings order by all"
    )
    assert rows == [("lab", "mapped", "rule-0"), ("web", "ruled", "rule-2")]


def test_a_pod_is_not_the_namespaces_that_the_bill_puts_beside_it(
    build: Build, draw: type[Draw]
) -> None:
    tables = pod_world(draw, {"match_namespace": "web", "team": "mapped"})
    tables["cost_lines"] = [draw.machine(10, tags={"k8s-namespace": "web"})]
    assert team_of(build, tables)[1] == "unattributed"


def test_people_are_resolved_by_alias_id_and_address_without_regard_to_case(
    build: Build, draw: type[Draw]
) -> None:
    lines = [
        draw.line(1, tags={"user": user}, resource_id=user)
        for user in ("Ada.L", "ADA", "Ada@X.org", "stranger")
    ]
    tables = pod_world(draw) | {"cost_lines": lines, "node_hours": [], "pod_hours": []}
    built = build(tables)

    rows = built.rows(
        "select user_id, team, sum(effective_cost) from attribution.named_postings "
        "group by all order by all"
    )
    assert rows == [("ada", "vision", Decimal(3)), ("stranger", None, Decimal(1))]
    spend = built.rows(
        "select dimension, member, sum(effective_cost) from marts.spend_daily "
        "where dimension in ('team', 'user') group by all order by all"
    )
    assert spend == [
        ("team", "unattributed", Decimal(1)),
        ("team", "vision", Decimal(3)),
        ("user", "ada", Decimal(3)),
        ("user", "stranger", Decimal(1)),
    ]


def test_a_membership_counts_on_its_own_days_only(build: Build, draw: type[Draw]) -> None:
    tables = pod_world(draw, run=draw.run("r", user_raw="ada"))
    tables["memberships"] = [
        {"user_id": "ada", "team": "past", "valid_to": draw.day},
        {"user_id": "ada", "team": "present", "valid_from": draw.day},
    ]

    assert team_of(build, tables) == ("present", "member_of")


def test_coverage_tells_how_much_cost_each_way_of_finding_owners_covers(
    build: Build, draw: type[Draw]
) -> None:
    lines = [
        draw.line(3, tags={"team": "vision"}),
        draw.line(1),
        draw.line(6, x_line_class="tax"),
    ]
    built = build({"cost_lines": lines})

    assert built.rows(
        "select rule_id, effective_cost, cost_share from marts.coverage "
        "where dimension = 'team' order by all"
    ) == [("resource_tag", Decimal(3), 0.75), ("unattributed", Decimal(1), 0.25)]


def test_a_person_of_several_sources_is_one_and_leaves_names_to_who_has_them_next(
    build: Build, draw: type[Draw]
) -> None:
    """A name is a leaver's until somebody else has it; then it is the other's from that day on."""
    yesterday, tomorrow = draw.day - timedelta(days=1), draw.day + timedelta(days=1)
    tables: dict[str, list[Row]] = {
        "cost_lines": [
            draw.line(1, charge_date=day, tags={"user": name})
            for day in (yesterday, draw.day, tomorrow)
            for name in ("m@x.org", "ada")
        ],
        "people": [
            {"user_id": "ada", "user_name": "Ada", "left_on": tomorrow},
            {"user_id": "ada", "email": "m@x.org"},
            {"user_id": "max", "user_name": "Max"},
        ],
        "aliases": [{"alias": "M@x.org", "user_id": "max", "valid_from": tomorrow}],
        "memberships": [
            {"user_id": "ada", "team": "vision"},
            {"user_id": "max", "team": "nlp"},
        ],
    }
    built = build(tables)
    rows = built.rows(
        "select charge_date, user_id, team, sum(effective_cost) "
        "from attribution.named_postings group by all order by all"
    )
    assert rows == [
        (yesterday, "ada", "vision", Decimal(2)),
        (draw.day, "ada", "vision", Decimal(2)),
        (tomorrow, "ada", None, Decimal(1)),
        (tomorrow, "max", "nlp", Decimal(1)),
    ]
    assert built.rows(
        "select member, member_name from marts.members where dimension = 'user' order by all"
    ) == [("ada", "Ada"), ("max", "Max")]
