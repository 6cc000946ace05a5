"""However the inputs look, the costs of a day add up to its bill, in every dimension."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from random import Random

    from tests.queries.attribution.conftest import Build, Draw, Row

    World = dict[str, list[Row]]

CASES = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

costs = st.one_of(
    st.decimals(-20_000_000, 20_000_000, places=12),
    st.decimals(-5, 5, places=12),
    st.sampled_from([Decimal(0), Decimal("0.000000000001"), Decimal("-0.000000000001")]),
)
instances = st.sampled_from(["i-1", "I-2", "i-3"])
hours = st.integers(0, 3)
moments = st.floats(-2, 27, allow_nan=False)
names = st.sampled_from(["ada", "Ada@x.org", "bob", "nobody"])
maybe_names = st.none() | names
teams = st.none() | st.sampled_from(["vision", "speech"])
projects = st.none() | st.sampled_from(["apollo", "gemini"])
buckets = st.sampled_from(["data", "arn:aws:s3:::data", "other", None])
regions = st.sampled_from(["us", "eu", "internet", None])
policies = st.sampled_from(["separate", "by_node", "by_cluster"])


def with_keys(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(values)


tags = st.dictionaries(
    st.sampled_from(["team", "user", "project", "cost-center"]), names, max_size=3
)
machine_lines = with_keys(
    cost=costs,
    hour=st.none() | hours,
    instance=instances,
    tags=tags,
    x_instance_type=st.sampled_from([None, "p3.16xlarge", "unheard.of"]),
    billing_currency=st.sampled_from(["USD", "EUR"]),
    consumed_quantity=st.sampled_from([None, 1, 24]),
    consumed_unit=st.sampled_from([None, "Hours"]),
    source=st.sampled_from(["aws", "azure"]),
    sub_account_id=st.sampled_from([None, "1", "2"]),
    region_id=st.sampled_from(["us", "eu"]),
)
LINE_CLASSES = [
    "object_storage",
    "object_requests",
    "volume",
    "transfer",
    "managed_job",
    "tax",
    "credit",
    "support",
    "commitment_unused",
    "purchase",
    "control_plane",
    "other",
    "saas",
    "instance",
]
other_lines = with_keys(
    cost=costs,
    tags=tags,
    resource_id=st.sampled_from(["data", "arn:aws:s3:::data", "job-1", "other", None]),
    x_line_class=st.sampled_from(LINE_CLASSES),
    region_id=regions,
    x_from_region=regions,
    x_to_region=regions,
    service_name=st.sampled_from([None, "S3"]),
)
nodes = with_keys(
    hour=hours,
    instance=instances,
    gpu=st.sampled_from([None, 0, 1, 8]),
    cpu=st.sampled_from([None, 0, 4]),
    memory=st.sampled_from([None, 16]),
    up_seconds=st.integers(0, 3600),
)
pods = with_keys(
    pod=st.sampled_from(["a", "b", "c"]),
    namespace=st.sampled_from(["lab", "kube-system"]),
    hour=hours,
    instance=instances,
    gpu=st.sampled_from([None, 0, "0.333333", 4, 16]),
    cpu=st.sampled_from([None, 0, "0.1", 64]),
    memory=st.sampled_from([None, 1, 1000]),
    held_seconds=st.integers(0, 3600),
    run_native_id=st.sampled_from([None, "r1", "unseen"]),
    user_raw=maybe_names,
    team_raw=teams,
    model_raw=st.sampled_from([None, "served"]),
)
runs = with_keys(
    start=moments,
    end=st.none() | moments,
    last_seen=st.none() | moments,
    user_raw=maybe_names,
    team_raw=teams,
    project_raw=projects,
    gpu_count=st.sampled_from([None, 0, 1, 8]),
    cloud_job_arn=st.sampled_from([None, "job-1"]),
    parent=st.sampled_from([None, "r0", "r1"]),
    places=st.lists(
        with_keys(
            pod=st.sampled_from([None, "a", "b", "gone"]),
            instance_id=st.none() | instances,
            node=st.sampled_from([None, "node-i-1"]),
        ),
        max_size=2,
    ),
    reads=st.lists(
        with_keys(
            uri=st.sampled_from(["s3://data/in", "s3://data/out/x", "s3://else/y"]),
            size=st.none() | st.integers(0, 10**15),
        ),
        max_size=2,
    ),
    writes=st.lists(st.sampled_from(["s3://data/in", "s3://data/out"]), max_size=2, unique=True),
    system=st.sampled_from(["mlflow", "mlflow", "slurm", "airflow"]),
    mentions=st.lists(
        with_keys(
            system=st.sampled_from([None, "mlflow", "slurm", "airflow"]),
            native_id=st.sampled_from(["r0", "r1", "r2"]),
            relation=st.sampled_from(["same", "parent"]),
        ),
        max_size=2,
    ),
    models=st.lists(st.sampled_from([("m", "1"), ("m", "2"), ("n", "1")]), max_size=3, unique=True),
)
rules = with_keys(
    is_override=st.booleans(),
    match_run=st.sampled_from([None, "r*"]),
    match_namespace=st.sampled_from([None, "la?"]),
    match_sub_account_id=st.sampled_from([None, "1"]),
    match_tag_key=st.sampled_from([None, "cost-center"]),
    match_tag_value=st.sampled_from([None, "a*"]),
    user_id=maybe_names,
    team=teams,
    project=projects,
)
inventories = with_keys(
    prefix=st.sampled_from(["", "in/", "out/x", "stray"]), size_bytes=st.integers(0, 10**16)
)
served = with_keys(
    pod=st.sampled_from(["a", "b", "gone"]),
    hour=hours,
    model=st.sampled_from([("llm", "1"), ("llm", "2"), ("tts", None)]),
    requests=st.sampled_from([0, 1, "7.3"]),
    output_tokens=st.sampled_from([None, 0, "1e9"]),
    compute_seconds=st.sampled_from([None, 0, "0.000001", 3600]),
)
worlds = with_keys(
    machine_lines=st.lists(machine_lines, max_size=6),
    other_lines=st.lists(other_lines, max_size=6),
    nodes=st.lists(nodes, max_size=6),
    pods=st.lists(pods, max_size=6),
    runs=st.lists(runs, max_size=4),
    served=st.lists(
        served, max_size=6, unique_by=lambda one: (one["pod"], one["hour"], one["model"])
    ),
    rules=st.lists(rules, max_size=3),
    inventories=st.lists(inventories, max_size=3),
)


def tables_of(world: dict[str, Any], draw: type[Draw]) -> World:
    """Return the canonical tables of a drawn world."""
    lines = [draw.machine(**one) for one in world["machine_lines"]]
    lines += [draw.line(**one) for one in world["other_lines"]]
    tables: World = {
        "cost_lines": lines,
        "node_hours": [draw.node(**one) for one in world["nodes"]],
        "pod_hours": [draw.pod(**one) for one in world["pods"]],
        "ownership_rules": [
            {"rule_id": f"rule-{number}", "position": number} | rule
            for number, rule in enumerate(world["rules"])
        ],
        "stored_bytes": [
            {"charge_date": draw.day, "container": "data", "is_current": True} | one
            for one in world["inventories"]
        ],
        "datasets": [
            {"dataset": "inputs", "uri": "s3://data/in", "region_id": "us", "owner_team": "vision"},
            {"dataset": "outputs", "uri": "s3://data/out", "owner_user": "bob"},
        ],
        "served_hours": [
            {"charge_date": draw.day, "charge_hour": draw.at(one["hour"])}
            | {"cluster": "c1", "namespace": "lab", "pod": one["pod"]}
            | dict(zip(("model_name", "model_version"), one["model"], strict=True))
            | {key: one[key] for key in ("requests", "output_tokens", "compute_seconds")}
            for one in world["served"]
        ],
        "people": [{"user_id": "ada", "user_name": "Ada", "email": "ada@x.org"}],
        "memberships": [{"user_id": "ada", "team": "vision"}, {"user_id": "bob", "team": "speech"}],
    }
    tables |= tables_of_runs(world["runs"], draw)
    tables["raw.totals"] = totals_of(lines)
    return tables


def tables_of_runs(drawn: list[dict[str, Any]], draw: type[Draw]) -> World:
    tables: World = {
        "runs": [],
        "run_places": [],
        "run_inputs": [],
        "run_outputs": [],
        "run_models": [],
        "run_mentions": [],
    }
    for number, one in enumerate(drawn):
        run = {key: one[key] for key in ("user_raw", "team_raw", "project_raw", "gpu_count")}
        key = f"r{number}"
        tables["runs"].append(
            draw.run(
                key,
                one["start"],
                one["end"],
                last_seen_at=None if one["last_seen"] is None else draw.at(one["last_seen"]),
                parent_native_id=one["parent"],
                cloud_job_arn=one["cloud_job_arn"],
                system=one["system"],
                source=one["system"],
                **run,
            )
        )
        tables["run_places"] += [{"run_key": key} | place for place in one["places"]]
        tables["run_inputs"] += [
            {"run_key": key, "dataset_uri": read["uri"], "bytes_read": read["size"]}
            for read in one["reads"]
        ]
        tables["run_outputs"] += [{"run_key": key, "dataset_uri": uri} for uri in one["writes"]]
        tables["run_mentions"] += [
            {"run_key": key, "evidence": "tag"} | mention for mention in one["mentions"]
        ]
        tables["run_models"] += [
            {"run_key": key, "model_name": name, "model_version": version}
            for name, version in one["models"]
        ]
    return tables


def totals_of(lines: list[Row]) -> list[Row]:
    """Sum the lines as the raw ledger would, without the models."""
    return [
        {
            "source": line["source"],
            "billing_period": line["billing_period"],
            "charge_month": line["charge_date"].replace(day=1),
            "billing_currency": line["billing_currency"],
            "measure": measure,
            "row_count": 1,
            "amount": line[measure],
            "beyond": "0",
        }
        for line in lines
        for measure in ("effective_cost", "billed_cost")
    ]


@CASES
@given(world=worlds, policy=policies)
def test_the_books_close_whatever_is_known(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: str
) -> None:
    """Every model keeps its promises (`build` proves them) and every dimension equals the bill."""
    tables = tables_of(world, draw)
    built = build(tables, idle_policy=policy)

    assert built.rows("select * from marts.books where difference <> 0") == []
    assert bool(built.rows("select 1 from marts.books")) == bool(tables["cost_lines"])


@CASES
@given(world=worlds, policy=policies)
def test_no_cost_changes_its_sign(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: str
) -> None:
    """Where all lines cost something, no part is negative; where all are credits, none positive."""
    for sign in (1, -1):
        for line in (*world["machine_lines"], *world["other_lines"]):
            line["cost"] = sign * abs(line["cost"])
        built = build(tables_of(world, draw), idle_policy=policy)
        for table in ("attribution.postings", "attribution.member_spend"):
            wrong = built.rows(
                f"select * from {table} "
                f"where {sign} * effective_cost < 0 or {sign} * billed_cost < 0"
            )
            assert wrong == []


@CASES
@given(world=worlds, policy=policies, seed=st.randoms(use_true_random=False))
def test_neither_threads_nor_the_order_of_rows_change_anything(
    build: Build, draw: type[Draw], world: dict[str, Any], policy: str, seed: Random
) -> None:
    """One thread over rows in order gives what two threads give over rows shuffled."""
    tables = tables_of(world, draw)
    results = []
    for threads in (1, 2):
        built = build(tables, threads=threads, idle_policy=policy)
        results.append(
            {
                table: built.digest(table)
                for table in (
                    *("attribution.postings", "attribution.run_links", "marts.spend_daily"),
                    *("marts.runs", "marts.run_records", "marts.serving_daily"),
                )
            }
        )
        for rows in tables.values():
            seed.shuffle(rows)

    assert results[0] == results[1]


@CASES
@given(world=worlds)
def test_days_are_attributed_alone_as_together(
    build: Build, draw: type[Draw], world: dict[str, Any]
) -> None:
    """No day model reads another day: one built alone equals its part of a longer build."""
    tables = tables_of(world, draw)
    next_day = draw.day + timedelta(days=1)
    moved = [
        line
        | {
            "charge_date": next_day,
            "charge_hour": line["charge_hour"] and line["charge_hour"] + timedelta(days=1),
        }
        for line in tables["cost_lines"]
    ]
    alone = build(tables).digest("attribution.postings")
    both = build(tables | {"cost_lines": tables["cost_lines"] + moved})

    assert alone == both.rows(
        f"select * from attribution.postings where charge_date = date '{draw.day}' order by all"
    )


def test_a_lost_line_shows_in_the_books(build: Build, draw: type[Draw]) -> None:
    """The raw ledger counts two lines, the models see one: the proof can fail."""
    lines = [draw.machine(10), draw.line("2.5", resource_id="data")]
    built = build({"cost_lines": lines[:1], "raw.totals": totals_of(lines)})

    assert set(
        built.rows("select billed, attributed + unattributed, difference from marts.books")
    ) == {(Decimal("12.5"), Decimal(10), Decimal("2.5"))}


def test_a_bill_that_only_one_side_knows_is_a_difference(build: Build, draw: type[Draw]) -> None:
    """Neither a lost bill nor an invented one drops out of the books."""
    lost, invented = draw.line(3, source="lost"), draw.line(4, source="invented")
    built = build({"cost_lines": [invented], "raw.totals": totals_of([lost])})

    assert set(built.rows("select source, billed, difference from marts.books")) == {
        ("lost", Decimal(3), Decimal(3)),
        ("invented", Decimal(0), Decimal(-4)),
    }


def test_the_books_keep_what_lies_beyond_twelve_places(build: Build, draw: type[Draw]) -> None:
    totals = totals_of([draw.line(1), draw.line(1)])
    for total in totals:
        total["beyond"] = "0.0000000000004"
    built = build({"cost_lines": [draw.line(1), draw.line(1)], "raw.totals": totals})

    ((beyond,),) = set(built.rows("select beyond_12_places from marts.books"))
    assert Decimal(beyond) == Decimal("0.0000000000008")
