"""Worlds drawn by Hypothesis: whatever bills, telemetry, trackers and logs may say of a day."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Draw, Row

    World = dict[str, list[Row]]

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


def with_keys(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(values)


policies = with_keys(
    idle_policy=st.sampled_from(["separate", "by_node", "by_cluster"]),
    control_planes=st.sampled_from(["shared", "by_cluster"]),
)
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
    resource_id=st.sampled_from(
        ["data", "arn:aws:s3:::data", "job-1", "arn:aws:eks:us:1:cluster/c1", "other", None]
    ),
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
    prefix=st.sampled_from(["", "in/", "out/x", "out/y/z", "stray"]),
    size_bytes=st.integers(0, 10**16),
)
served = with_keys(
    pod=st.sampled_from(["a", "b", "gone"]),
    hour=hours,
    model=st.sampled_from([("llm", "1"), ("llm", "2"), ("tts", None)]),
    requests=st.sampled_from([0, 1, "7.3"]),
    output_tokens=st.sampled_from([None, 0, "1e9"]),
    compute_seconds=st.sampled_from([None, 0, "0.000001", 3600]),
)
disks = with_keys(
    cost=costs,
    tags=tags,
    x_line_class=st.sampled_from(["volume", "snapshot"]),
    resource_id=st.sampled_from(["vol-1", "VOL-2", "snap-1", "snap-2"]),
    sub_account_id=st.sampled_from([None, "1"]),
)
listed = with_keys(
    day=st.integers(-2, 1),
    pair=st.sampled_from(
        [
            ("vol-1", "i-1"),
            ("vol-1", "i-2"),
            ("vol-2", "i-2"),
            ("snap-1", "vol-1"),
            ("snap-2", "vol-2"),
        ]
    ),
    namespace=st.sampled_from([None, None, "lab"]),
)
mounts = with_keys(
    pod=st.sampled_from(["a", "b", "gone"]),
    hour=hours,
    volume_id=st.sampled_from(["vol-1", "vol-2"]),
)
flows = with_keys(
    hour=hours,
    instance_id=st.sampled_from([None, "i-1", "i-2", "i-9"]),
    zone_id=st.sampled_from([None, "az1", "az2"]),
    local_address=st.sampled_from(["10.0.0.1", "10.0.0.2"]),
    remote_address=st.sampled_from([None, "10.0.0.1", "10.0.0.2"]),
    route=st.sampled_from(["private", "nat", "internet", "service"]),
    is_sent=st.booleans(),
    byte_count=st.sampled_from([1, 7, 2**30, 10**15]),
)
network_lines = with_keys(
    cost=costs,
    tags=tags,
    x_line_class=st.sampled_from(["transfer", "nat"]),
    resource_id=st.sampled_from([None, "i-1", "nat-1", "arn:aws:ec2:us:1:natgateway/nat-2"]),
    region_id=st.just("us"),
    x_from_region=st.just("us"),
    x_to_region=st.sampled_from(["us", "internet"]),
    service_name=st.just("Amazon Elastic Compute Cloud"),
    consumed_quantity=st.sampled_from([None, 1, 10**6]),
    consumed_unit=st.sampled_from(["GB", "Hrs"]),
)
worlds = with_keys(
    flows=st.lists(flows, max_size=6),
    network_lines=st.lists(network_lines, max_size=4),
    disks=st.lists(disks, max_size=4),
    listed=st.lists(listed, max_size=5),
    mounts=st.lists(mounts, max_size=3),
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
    others = (*world["other_lines"], *world["disks"], *world["network_lines"])
    lines += [draw.line(**one) for one in others]
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
            {"dataset": "outputs", "version": "1", "uri": "s3://data/out/x"},
            {"dataset": "outputs", "version": "2", "uri": "s3://data/out/y"},
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
    tables |= tables_of_runs(world["runs"], draw) | tables_of_listings(world, draw)
    tables["raw.totals"] = totals_of(lines)
    return tables


def tables_of_listings(world: dict[str, Any], draw: type[Draw]) -> World:
    tables: World = {"listed_scopes": [], "listed_things": [], "listed_links": []}
    for one in world["listed"]:
        kind = "volume" if one["pair"][0].startswith("vol") else "snapshot"
        base: Row = {
            "source": "inv",
            "sub_account_id": "1",
            "region_id": "us",
            "resource_type": kind,
        }
        base["charge_date"] = draw.day + timedelta(days=one["day"])
        made_for = {"kubernetes.io/created-for/pvc/namespace": one["namespace"] or ""}
        named = base | {"resource_id": one["pair"][0]}
        relation = "attached_to" if kind == "volume" else "made_from"
        tables["listed_scopes"].append(base)
        tables["listed_things"].append(named | {"tags": made_for})
        tables["listed_links"].append(named | {"relation": relation, "related_id": one["pair"][1]})
    tables["network_flows"] = [
        {"source": "flows", "charge_date": draw.day, "charge_hour": draw.at(one["hour"])}
        | {"region_id": "us", "interface_id": f"eni-{number % 3}"}
        | {key: value for key, value in one.items() if key != "hour"}
        for number, one in enumerate(world["flows"])
    ]
    tables["pod_claims"] = [
        {"charge_date": draw.day, "charge_hour": draw.at(one["hour"]), "cluster": "c1"}
        | {"namespace": "lab", "pod": one["pod"], "claim": "c", "volume_id": one["volume_id"]}
        for one in world["mounts"]
    ]
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
            {
                "run_key": key,
                "dataset_uri": read["uri"],
                "dataset_digest": (None, "d1", "d2")[(read["size"] or 0) % 3],
                "bytes_read": read["size"],
            }
            for read in one["reads"]
        ]
        tables["run_outputs"] += [
            {"run_key": key, "dataset_uri": uri, "dataset_digest": (None, "d1")[number % 2]}
            for number, uri in enumerate(one["writes"])
        ]
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
