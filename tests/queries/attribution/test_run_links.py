"""A run is found once, however many systems saw it; each second of it is paid once, by the leaf."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.queries.attribution.conftest import Build, Draw, Row, Warehouse

ARN = "arn:aws:sagemaker:eu-west-1:1:training-job/fit"


def record(draw: type[Draw], key: str, start: float = 0, end: float = 1, **more: object) -> Row:
    """Return a run's record in the system that its key begins with: `slurm-7` is number 7."""
    system, _, number = key.partition("-")
    return draw.run(key, start, end, native_id=number) | {"source": system, "system": system} | more


def says(key: str, other: str, relation: str = "same") -> Row:
    """Return a mention of `other` by a record, as a tag gives it."""
    system, _, number = other.partition("-")
    told = {"system": system, "native_id": number, "relation": relation}
    return {"run_key": key, "evidence": f"tag {system}_id"} | told


def in_pod(key: str, pod: str = "p", **more: object) -> Row:
    return {"run_key": key, "namespace": "lab", "pod": pod, "pod_uid": f"uid-{pod}"} | more


def links(built: Warehouse) -> dict[str, tuple[str, str | None, str | None]]:
    """Return record -> run, rule and confidence."""
    rows = built.rows("select run_key, run_id, rule, confidence from attribution.run_links")
    return {row[0]: row[1:] for row in rows}


def runs(built: Warehouse) -> dict[str, str]:
    """Return record -> run."""
    return {key: row[0] for key, row in links(built).items()}


def world_of(draw: type[Draw], *records: Row, **tables: list[Row]) -> dict[str, list[Row]]:
    """Return an hour of a machine with one pod that holds it whole, for 10."""
    pod = draw.pod("p", gpu=8, cpu=64, memory=488, pod_uid="uid-p")
    machine = {"cost_lines": [draw.machine(10)], "node_hours": [draw.node()], "pod_hours": [pod]}
    return machine | {"runs": list(records)} | tables


def test_a_tag_links_two_records_and_one_run_pays(build: Build, draw: type[Draw]) -> None:
    """The tracker's record has the name, the scheduler's the place, the user and the end."""
    built = build(
        world_of(
            draw,
            record(draw, "mlflow-a", 0.1, 0.9, run_name="bert", user_raw="app", status="running"),
            record(draw, "slurm-7", 0, 1, run_name="job", user_raw="ada", status="preempted"),
            run_places=[in_pod("slurm-7")],
            run_mentions=[says("mlflow-a", "slurm-7")],
            run_models=[{"run_key": "mlflow-a", "model_name": "bert", "model_version": "1"}],
        )
    )

    assert links(built) == {
        "mlflow-a": ("mlflow-a", "mention", "high"),
        "slurm-7": ("mlflow-a", "mention", "high"),
    }
    assert built.costs("run_id") == {"mlflow-a": Decimal(10)}
    assert built.rows(
        "select run_name, native_id, user_id, status, model, record_count, effective_cost "
        "from marts.runs"
    ) == [("bert", "a", "ada", "preempted", "bert", 2, Decimal(10))]
    assert built.rows(
        "select run_id, system, native_id, relation, rule, evidence from marts.run_records "
        "order by system"
    ) == [
        ("mlflow-a", "mlflow", "a", "same", "mention", "tag slurm_id"),
        ("mlflow-a", "slurm", "7", "same", "mention", "tag slurm_id"),
    ]


def test_tags_mention_runs_of_other_systems(build: Build) -> None:
    airflow = {"DAG_ID": "train", "DAG_RUN_ID": "manual__1", "TASK_ID": "fit"}
    tags = {
        "a": {"slurm_job_id": "42", "mood": "good", "WANDB_RUN_ID": ""},
        "b": {f"AIRFLOW_CTX_{key}": value for key, value in airflow.items()},
        "c": {"AIRFLOW_CTX_DAG_ID": "alone", "finops.parent.argo": "wf-1"},
        "d": {"mood": "bad"},
    }
    tagged = [{"run_key": key, "called": "tag", "tags": each} for key, each in tags.items()]
    built = build({"run_tags": tagged, "run_mentions": [says("e", "slurm-7")]})

    assert built.rows("from attribution.run_mentions order by run_key") == [
        ("a", "slurm", "42", "same", "tag slurm_job_id"),
        (
            *("b", "airflow", "train/manual__1/fit", "same"),
            "tag AIRFLOW_CTX_DAG_ID, AIRFLOW_CTX_DAG_RUN_ID, AIRFLOW_CTX_TASK_ID",
        ),
        ("c", "argo", "wf-1", "parent", "tag finops.parent.argo"),
        ("e", "slurm", "7", "same", "tag slurm_id"),
    ]


def test_an_id_that_two_clusters_have_is_a_link_by_time_or_not_at_all(
    build: Build, draw: type[Draw]
) -> None:
    mentions = [says("mlflow-a", "slurm-7")]
    here = record(draw, "slurm-7", 0, 1)
    for start, expected in ((20, "mlflow-a"), (0, "slurm-7")):
        there = record(draw, "slurm-7", start, start + 1) | {"run_key": "x", "source": "other"}
        built = build({"runs": [record(draw, "mlflow-a"), here, there], "run_mentions": mentions})
        assert runs(built) == {"mlflow-a": "mlflow-a", "slurm-7": expected, "x": "x"}


def test_an_id_that_is_used_again_does_not_reach_back(build: Build, draw: type[Draw]) -> None:
    old = record(draw, "slurm-7", -300, -299)
    late = record(draw, "mlflow-a")
    built = build({"runs": [old, late], "run_mentions": [says("mlflow-a", "slurm-7")]})

    assert runs(built) == {"mlflow-a": "mlflow-a", "slurm-7": "slurm-7"}


def test_a_mention_finds_the_attempt_that_ran_then(build: Build, draw: type[Draw]) -> None:
    tries = [
        record(draw, "airflow-t", number, number + 0.9, attempt=number + 1)
        | {"run_key": f"try{number}"}
        for number in range(3)
    ]
    tracked = record(draw, "mlflow-a", 1.1, 1.8)
    built = build({"runs": [*tries, tracked], "run_mentions": [says("mlflow-a", "airflow-t")]})

    assert runs(built)["try1"] == "mlflow-a"
    assert runs(built)["try0"] == "try0"


def test_runs_of_one_job_are_its_parts_and_leave_it_the_rest(
    build: Build, draw: type[Draw]
) -> None:
    """Two runs name the job, neither says where it ran: each holds the job's pod in its time."""
    built = build(
        world_of(
            draw,
            record(draw, "slurm-7", 0, 1),
            record(draw, "mlflow-a", 0, 0.25),
            record(draw, "mlflow-b", 0.5, 0.75),
            run_places=[in_pod("slurm-7")],
            run_mentions=[says("mlflow-a", "slurm-7"), says("mlflow-b", "slurm-7")],
        )
    )

    assert set(runs(built).values()) == {"mlflow-a", "mlflow-b", "slurm-7"}
    assert built.costs("run_id") == {
        "mlflow-a": Decimal("2.5"),
        "mlflow-b": Decimal("2.5"),
        "slurm-7": Decimal(5),
    }
    assert built.rows(
        "select run_id, native_id, rule from marts.run_records where relation = 'parent' order by 1"
    ) == [("mlflow-a", "7", "mention"), ("mlflow-b", "7", "mention")]


def test_a_sweep_and_its_trials_in_one_job(build: Build, draw: type[Draw]) -> None:
    """All of them name the job: the sweep is the job, the trials are parts of both."""
    trials = [
        record(draw, f"mlflow-t{number}", number / 4, (number + 1) / 4, parent_native_id="s")
        for number in range(2)
    ]
    keys = ["mlflow-s", "mlflow-t0", "mlflow-t1"]
    built = build(
        world_of(
            draw,
            record(draw, "slurm-7"),
            record(draw, "mlflow-s"),
            *trials,
            run_places=[in_pod("slurm-7")],
            run_mentions=[says(key, "slurm-7") for key in keys],
        )
    )

    assert runs(built)["slurm-7"] == "mlflow-s"
    assert built.costs("run_id") == dict(
        zip(keys, (Decimal(5), Decimal("2.5"), Decimal("2.5")), strict=True)
    )


def test_airflow_starts_dagster_starts_mlflow(build: Build, draw: type[Draw]) -> None:
    """Each second is paid once, by the leaf; the pod's first and last minutes by who was alone."""
    built = build(
        world_of(
            draw,
            record(draw, "airflow-t", 0, 1),
            record(draw, "dagster-d", 0.1, 0.9, kind="pipeline"),
            record(draw, "mlflow-a", 0.2, 0.7),
            run_places=[in_pod("airflow-t")],
            run_mentions=[
                says("dagster-d", "airflow-t", "parent"),
                says("mlflow-a", "dagster-d"),
            ],
        )
    )

    assert built.costs("run_id") == {
        "airflow-t": Decimal(2),
        "dagster-d": Decimal(3),
        "mlflow-a": Decimal(5),
    }


def test_what_lies_within_another_at_one_place_was_started_by_it(
    build: Build, draw: type[Draw]
) -> None:
    """No id is known: the run lies within the task, in the same pod."""
    built = build(
        world_of(
            draw,
            record(draw, "airflow-t", 0, 1),
            record(draw, "mlflow-a", 0.25, 0.75),
            run_places=[in_pod("airflow-t"), in_pod("mlflow-a")],
        )
    )

    assert built.costs("run_id") == {"airflow-t": Decimal(5), "mlflow-a": Decimal(5)}
    assert built.rows("select evidence from marts.run_records where relation = 'parent'") == [
        ("pod p",)
    ]


def test_a_tracker_is_no_parent_by_place_alone(build: Build, draw: type[Draw]) -> None:
    """A notebook's run that happens to last longer did not start the job: they share the pod."""
    built = build(
        world_of(
            draw,
            record(draw, "mlflow-a", 0, 1),
            record(draw, "slurm-7", 0, 0.5),
            run_places=[in_pod("slurm-7"), in_pod("mlflow-a")],
        )
    )

    assert built.costs("run_id") == {"mlflow-a": Decimal("7.5"), "slurm-7": Decimal("2.5")}


def test_records_of_one_pod_that_last_alike_are_one_run(build: Build, draw: type[Draw]) -> None:
    built = build(
        world_of(
            draw,
            record(draw, "kubernetes-k", 0, 1),
            record(draw, "mlflow-a", 0.02, 0.99),
            run_places=[in_pod("kubernetes-k"), in_pod("mlflow-a")],
        )
    )

    assert links(built)["kubernetes-k"] == ("mlflow-a", "same_pod", "high")
    assert built.costs("run_id") == {"mlflow-a": Decimal(10)}


@pytest.mark.parametrize(
    ("user", "end", "linked"),
    [("ada", 0.95, True), ("ADA@x.org", 0.95, True), ("bob", 0.95, False), ("ada", 0.8, False)],
)
def test_one_host_one_user_and_nearly_one_time(
    build: Build, draw: type[Draw], user: str, end: float, *, linked: bool
) -> None:
    """The mail address is the same person; another person, or four fifths of the time, is not."""
    built = build(
        {
            "runs": [
                record(draw, "slurm-7", user_raw="ada"),
                record(draw, "mlflow-a", 0, end, user_raw=user),
            ],
            "run_places": [
                {"run_key": "slurm-7", "node": "gpu-1"},
                {"run_key": "mlflow-a", "node": "GPU-1"},
            ],
            "people": [{"user_id": "ada", "user_name": "Ada", "email": "ada@x.org"}],
        }
    )

    rule = ("mlflow-a", "same_host", "medium") if linked else ("slurm-7", None, None)
    assert links(built)["slurm-7"] == rule


def test_nothing_is_guessed_between_two(build: Build, draw: type[Draw]) -> None:
    """Two trackers' runs fit the job equally: neither is it; and root is nobody."""
    keys = ["slurm-7", "mlflow-a", "mlflow-b"]
    places = [{"run_key": key, "node": "gpu-1"} for key in keys]
    fitting = [record(draw, key, user_raw="ada") for key in keys]
    built = build({"runs": fitting, "run_places": places})
    assert runs(built) == dict(zip(keys, keys, strict=True))

    shared = [record(draw, key, user_raw="root") for key in keys[:2]]
    built = build({"runs": shared, "run_places": places[:2]})
    assert runs(built) == dict(zip(keys[:2], keys[:2], strict=True))


def test_an_id_is_believed_before_a_place(build: Build, draw: type[Draw]) -> None:
    """The pod fits the wrong job; the tag names the right one."""
    built = build(
        world_of(
            draw,
            record(draw, "slurm-7"),
            record(draw, "slurm-8"),
            record(draw, "mlflow-a"),
            run_places=[in_pod("slurm-8"), in_pod("mlflow-a")],
            run_mentions=[says("mlflow-a", "slurm-7")],
        )
    )

    assert runs(built) == {"mlflow-a": "mlflow-a", "slurm-7": "mlflow-a", "slurm-8": "slurm-8"}


def test_links_that_do_not_fit_together_are_nested(build: Build, draw: type[Draw]) -> None:
    """Two runs of one source over different records: nothing is one, and nothing is paid twice."""
    built = build(
        world_of(
            draw,
            record(draw, "airflow-t"),
            record(draw, "slurm-7"),
            record(draw, "mlflow-a"),
            record(draw, "mlflow-b"),
            run_places=[in_pod(key) for key in ("airflow-t", "slurm-7", "mlflow-a", "mlflow-b")],
            run_mentions=[
                says("slurm-7", "airflow-t"),
                says("mlflow-a", "airflow-t"),
                says("mlflow-b", "slurm-7"),
            ],
        )
    )

    assert len(set(runs(built).values())) == 4
    assert built.costs("run_id") == {"mlflow-a": Decimal(5), "mlflow-b": Decimal(5)}


def test_runs_that_say_they_started_each_other_share(build: Build, draw: type[Draw]) -> None:
    built = build(
        world_of(
            draw,
            record(draw, "prefect-f"),
            record(draw, "dagster-d", 0, 1),
            run_places=[in_pod("prefect-f"), in_pod("dagster-d")],
            run_mentions=[
                says("prefect-f", "dagster-d", "parent"),
                says("dagster-d", "prefect-f", "parent"),
            ],
        )
    )

    assert built.costs("run_id") == {"prefect-f": Decimal(5), "dagster-d": Decimal(5)}


def test_records_of_a_managed_job_are_one_run(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.line(10, x_line_class="managed_job", resource_id=ARN)],
            "runs": [
                record(draw, "sagemaker-fit", 0, 2, cloud_job_arn=ARN),
                record(draw, "mlflow-a", 0.2, 1.9, cloud_job_arn=ARN),
            ],
        }
    )

    assert links(built)["sagemaker-fit"] == ("mlflow-a", "managed_job", "high")
    assert built.costs("run_id") == {"mlflow-a": Decimal(10)}


def test_a_managed_job_of_several_runs_pays_what_they_leave(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "cost_lines": [draw.line(8, x_line_class="managed_job", resource_id=ARN)],
            "runs": [
                record(draw, "sagemaker-fit", 0, 4, cloud_job_arn=ARN),
                record(draw, "mlflow-a", 0, 1, cloud_job_arn=ARN),
                record(draw, "mlflow-b", 2, 4, cloud_job_arn=ARN),
            ],
        }
    )

    assert built.costs("run_id") == {
        "sagemaker-fit": Decimal(2),
        "mlflow-a": Decimal(2),
        "mlflow-b": Decimal(4),
    }


def test_a_record_that_knows_the_pod_is_where_the_run_was(build: Build, draw: type[Draw]) -> None:
    """The tracker saw the machine from inside the pod: the run does not hold both."""
    half = draw.pod("p", gpu=4, cpu=32, memory=244, pod_uid="uid-p")
    built = build(
        world_of(
            draw,
            record(draw, "kubernetes-k"),
            record(draw, "mlflow-a"),
            run_places=[
                in_pod("kubernetes-k", node="node-i-1"),
                {"run_key": "mlflow-a", "node": "node-i-1"},
            ],
            run_mentions=[says("mlflow-a", "kubernetes-k")],
        )
        | {"pod_hours": [half]}
    )

    assert built.costs("run_id, cost_kind") == {
        ("mlflow-a", "direct"): Decimal(5),
        (None, "idle"): Decimal(5),
    }


def test_data_that_several_records_read_counts_once(build: Build, draw: type[Draw]) -> None:
    built = build(
        {
            "runs": [record(draw, "mlflow-a"), record(draw, "slurm-7")],
            "run_mentions": [says("mlflow-a", "slurm-7")],
            "run_inputs": [
                {"run_key": key, "dataset_uri": "s3://data/in", "bytes_read": size}
                for key, size in (("mlflow-a", 100), ("slurm-7", 40))
            ],
        }
    )

    assert built.rows("select run_id, read_bytes from attribution.run_reads") == [("mlflow-a", 100)]


def test_a_link_joins_days(build: Build, draw: type[Draw]) -> None:
    """The job began the day before its tracker's run: both days are one run's, each paid once."""
    before = draw.day - timedelta(days=1)
    lines = [
        draw.machine(10, 0),
        draw.machine(10, 0) | _on(draw, before, 23),
    ]
    nodes = [draw.node(), draw.node() | {"charge_date": before, "charge_hour": draw.at(23, before)}]
    built = build(
        {
            "cost_lines": lines,
            "node_hours": nodes,
            "runs": [record(draw, "slurm-7", -1, 1), record(draw, "mlflow-a", 0.5, 1)],
            "run_places": [{"run_key": "slurm-7", "instance_id": "i-1"}],
            "run_mentions": [says("mlflow-a", "slurm-7")],
        }
    )

    assert built.costs("charge_date, run_id") == {
        (before, "mlflow-a"): Decimal(10),
        (draw.day, "mlflow-a"): Decimal(10),
    }
    assert built.rows(
        "select charge_date, run_us // 60000000 from attribution.run_days order by 1"
    ) == [
        (before, 60),
        (draw.day, 60),
    ]


def _on(draw: type[Draw], day: Any, hour: int) -> Row:
    start = draw.at(hour, day)
    return {
        "charge_date": day,
        "charge_hour": start,
        "charge_period_start": start,
        "charge_period_end": start + timedelta(hours=1),
    }
