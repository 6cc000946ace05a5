"""MLflow's staging models: what becomes of runs as their tracker wrote them."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from connectors.mlflow import Mlflow
from tests.connectors.mlflow_nights import DAY, HOUR, Nights, Store, rows_of, stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
NOW = int(AT.timestamp() * 1000)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "mlflow.db")
    with closing(made.connection):
        yield made


def staged(store: Store, table: str, columns: str = "*") -> list[dict[str, Any]]:
    """Extract a store in one night, and return a staged table."""
    nights = Nights(store.path.parent)
    nights.night(Mlflow(str(store.path)), AT)
    return nights.rows(table, columns)


def one(store: Store, column: str) -> object:
    """Return a column of the only run."""
    (row,) = staged(store, "runs", column)
    return row[column]


def ago(hours: float) -> datetime:
    return (AT - timedelta(hours=hours)).replace(tzinfo=None)


def test_without_mlflow_every_table_is_there_and_empty() -> None:
    with closing(stage([])) as con:
        for table in ("runs", "run_places", "run_inputs", "run_outputs", "run_models"):
            assert rows_of(con, f"select * from staging.{table}") == []


def test_a_run_is_told_whole(store: Store) -> None:
    store.run(
        "r1",
        NOW - 2 * HOUR,
        NOW - HOUR,
        mlflow__user="ann",
        team="vision",
        project="search",
        mlflow__parentRunId="r0",
        mlflow__source__git__commit="abc123",
        mlflow__source__git__dirty="True",
        finops__gpu_count="8",
        finops__cloud_job_arn="arn:aws:sagemaker:eu-west-1:1:training-job/j",
    )
    assert staged(store, "runs") == [
        {
            "run_key": hashlib.sha256(b"mlflow|r1|1").hexdigest()[:32],
            "source": "mlflow",
            "system": "mlflow",
            "native_id": "r1",
            "attempt": 1,
            "parent_native_id": "r0",
            "kind": "training",
            "run_name": "the r1",
            "experiment": "resnet",
            "user_raw": "ann",
            "team_raw": "vision",
            "project_raw": "search",
            "status": "succeeded",
            "status_raw": "FINISHED",
            "started_at": ago(2),
            "ended_at": ago(1),
            "last_seen_at": ago(1),
            "code_sha": "abc123",
            "code_is_dirty": True,
            "gpu_count": Decimal(8),
            "cloud_job_arn": "arn:aws:sagemaker:eu-west-1:1:training-job/j",
        }
    ]


def test_a_run_without_tags_has_only_what_mlflow_itself_knows(store: Store) -> None:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    (row,) = staged(store, "runs")
    assert row["user_raw"] == "root"
    nothing = "team_raw", "project_raw", "parent_native_id", "code_sha", "code_is_dirty"
    assert {row[column] for column in (*nothing, "gpu_count", "cloud_job_arn")} == {None}


def test_the_user_that_newer_clients_send_is_no_user(store: Store) -> None:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    store.update("r1", user_id="unknown")
    assert one(store, "user_raw") is None


def test_tags_of_our_own_go_before_others(store: Store) -> None:
    tags = {"team": "vision", "finops__team": "nlp", "project": "a", "finops__project": "b"}
    store.run("r1", NOW, NOW, mlflow__user="root", finops__user="ann", **tags)
    (row,) = staged(store, "runs", "user_raw, team_raw, project_raw")
    assert row == {"user_raw": "ann", "team_raw": "nlp", "project_raw": "b"}


@pytest.mark.parametrize(
    ("raw", "end", "status"),
    [
        ("FINISHED", NOW, "succeeded"),
        ("FAILED", NOW, "failed"),
        ("KILLED", NOW, "cancelled"),
        ("SCHEDULED", None, "queued"),
        ("RUNNING", None, "running"),
        ("UNHEARD_OF", NOW, "lost"),
    ],
)
def test_each_status_has_one_meaning(store: Store, raw: str, end: int | None, status: str) -> None:
    store.run("r1", NOW - HOUR, end, raw)
    assert one(store, "status") == status


def test_a_run_without_a_sign_of_life_for_a_day_ended_at_the_last_one(store: Store) -> None:
    store.run("r1", NOW - 3 * DAY, status="RUNNING")
    store.metric("r1", NOW - DAY)
    store.metric("r1", NOW - 2 * DAY)
    (row,) = staged(store, "runs", "status, status_raw, ended_at, last_seen_at")
    assert row == {
        "status": "lost",
        "status_raw": "RUNNING",
        "ended_at": ago(24),
        "last_seen_at": ago(24),
    }


def test_how_long_a_run_may_be_silent_can_be_set(store: Store) -> None:
    store.run("r1", NOW - 30 * HOUR, status="RUNNING")
    nights = Nights(store.path.parent)
    nights.night(Mlflow(str(store.path)), AT)
    with closing(nights.stage(lost_after_hours=48)) as con:
        assert rows_of(con, "select status from staging.runs") == [{"status": "running"}]


def test_a_run_that_ended_before_it_began_is_told_as_it_is(store: Store) -> None:
    store.run("r1", NOW - HOUR, NOW - 2 * HOUR)
    (row,) = staged(store, "runs", "status, started_at, ended_at")
    assert row == {"status": "succeeded", "started_at": ago(1), "ended_at": ago(2)}


def test_a_run_that_is_over_without_an_end_ended_with_its_last_metric(store: Store) -> None:
    store.run("r1", NOW - 5 * HOUR, status="FAILED")
    store.metric("r1", NOW - 3 * HOUR)
    (row,) = staged(store, "runs", "status, ended_at")
    assert row == {"status": "failed", "ended_at": ago(3)}


def test_a_run_without_times_is_kept(store: Store) -> None:
    store.run("r1", None, status="FAILED")
    (row,) = staged(store, "runs", "status, started_at, ended_at")
    assert row == {"status": "failed", "started_at": None, "ended_at": None}


def test_a_deleted_run_has_cost_money_all_the_same(store: Store) -> None:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    store.update("r1", lifecycle_stage="deleted")
    assert one(store, "native_id") == "r1"


def test_a_managed_job_is_recognised_by_its_arn_in_any_tag(store: Store) -> None:
    arn = "arn:aws:sagemaker:eu-west-1:123:training-job/resnet"
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR, job=arn, image="arn:aws:ecr:eu-west-1:1:x")
    assert one(store, "cloud_job_arn") == arn


def test_two_sources_with_the_same_run_id_are_two_runs(store: Store) -> None:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    both = [Nights(store.path.parent, source=name) for name in ("eu", "us")]
    for nights in both:
        nights.night(Mlflow(str(store.path)), AT)
    with closing(stage([one for nights in both for one in nights.landed])) as con:
        rows = rows_of(con, "select source, experiment from staging.runs order by source")
    assert rows == [{"source": name, "experiment": "resnet"} for name in ("eu", "us")]


def places(store: Store, **tags: str) -> list[tuple[object, ...]]:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR, **tags)
    columns = "namespace, pod, pod_uid, node, instance_id, gpu_count, started_at, ended_at"
    return [tuple(row.values()) for row in staged(store, "run_places", columns)]


def test_a_run_that_names_no_place_has_none(store: Store) -> None:
    assert places(store, finops__gpu_count="8", finops__namespace="ml") == []


def test_a_run_in_a_pod_has_one_place(store: Store) -> None:
    tags = {"finops__namespace": "ml", "finops__pod": "p-0", "finops__pod_uid": "u-0"}
    assert places(store, finops__node="n1", finops__gpu_count="0.5", **tags) == [
        ("ml", "p-0", "u-0", "n1", None, Decimal("0.5"), ago(2), ago(1))
    ]


def test_a_run_on_several_machines_shares_its_gpus_evenly(store: Store) -> None:
    tags = {"finops__instance_id": "aws:///eu-west-1a/i-0a, i-0b", "finops__gpu_count": "16"}
    assert places(store, **tags) == [
        (None, None, None, None, "i-0a", Decimal(8), ago(2), ago(1)),
        (None, None, None, None, "i-0b", Decimal(8), ago(2), ago(1)),
    ]
    assert one(store, "gpu_count") == Decimal(16)


def test_a_run_may_say_how_many_gpus_it_holds_in_each_place(store: Store) -> None:
    tags = {"finops__pod": "p-0,p-1", "finops__node": "n1", "finops__gpu_count": "8, 4"}
    assert places(store, **tags) == [
        (None, "p-0", None, "n1", None, Decimal(8), ago(2), ago(1)),
        (None, "p-1", None, "n1", None, Decimal(4), ago(2), ago(1)),
    ]
    assert one(store, "gpu_count") == Decimal(12)


def test_a_machine_listed_twice_is_one_place_with_the_gpus_of_both(store: Store) -> None:
    tags = {"finops__instance_id": "i-0a,i-0a", "finops__gpu_count": "2,2"}
    assert places(store, **tags) == [
        (None, None, None, None, "i-0a", Decimal(4), ago(2), ago(1)),
    ]


@pytest.mark.parametrize(
    ("kind", "source", "uri"),
    [
        ("s3", {"uri": "s3://acme-data/corpus/v1"}, "s3://acme-data/corpus/v1"),
        ("s3", {"uri": "S3A://Acme-Data/Corpus/v1/"}, "s3://acme-data/Corpus/v1"),
        ("s3", {"uri": " s3n://acme-data/ "}, "s3://acme-data"),
        ("gs", {"uri": "gcs://acme/x//"}, "gs://acme/x"),
        ("local", {"uri": "/data/x/"}, "/data/x"),
        ("http", {"url": "https://Data.Example/a?v=2"}, "https://data.example/a?v=2"),
        ("http", {"url": "https://d.example/a?b=1&X-Amz-Signature=f"}, "https://d.example/a"),
        ("http", {"url": "https://d.example/a?sv=1&sig=f"}, "https://d.example/a"),
        ("delta_table", {"path": "abfss://C@acct.dfs/t"}, "abfss://c@acct.dfs/t"),
        ("hugging_face", {"path": "org/imdb", "split": "train"}, "hf://datasets/org/imdb"),
        ("spark", {"table_name": "db.t"}, None),
        ("code", {"tags": {"mlflow.user": "ann"}}, None),
        ("s3", "s3://plain/text", "s3://plain/text"),
    ],
)
def test_one_place_has_one_name(
    store: Store, kind: str, source: dict[str, Any] | str, uri: str | None
) -> None:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    text = source if isinstance(source, str) else json.dumps(source)
    store.dataset("r1", "corpus", text, kind, mlflow__data__context="training")
    (row,) = staged(store, "run_inputs")
    assert row["dataset_uri"] == uri
    assert row["dataset_name"] == "corpus"
    assert row["dataset_digest"] == "digest-corpus"
    assert row["context"] == "training"
    assert row["bytes_read"] is None


def test_a_run_says_how_many_bytes_it_read(store: Store) -> None:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    store.dataset("r1", "corpus", '{"uri": "s3://d/c"}', finops__bytes_read="9000000000")
    (row,) = staged(store, "run_inputs", "bytes_read")
    assert row == {"bytes_read": 9_000_000_000}


def test_what_a_run_wrote_is_not_what_it_read(store: Store) -> None:
    store.run("r1", NOW, NOW, finops__output_dataset="s3://out/b, s3://out/c/")
    store.dataset("r1", "corpus", '{"uri": "s3://in/a"}')
    store.dataset("r1", "result", '{"uri": "s3://out/a/"}', mlflow__data__context="output")
    store.dataset("r1", "again", '{"uri": "s3://out/a"}', mlflow__data__context="outputs")
    inputs = staged(store, "run_inputs", "dataset_uri")
    outputs = staged(store, "run_outputs", "dataset_uri, dataset_digest")
    assert [row["dataset_uri"] for row in inputs] == ["s3://in/a"]
    assert [(row["dataset_uri"], row["dataset_digest"] is None) for row in outputs] == [
        ("s3://out/a", False),
        ("s3://out/a", False),
        ("s3://out/b", True),
        ("s3://out/c", True),
    ]


def test_a_tag_names_inputs_that_were_not_logged(store: Store) -> None:
    store.run("r1", NOW, NOW, finops__input_dataset="S3://In/a,")
    assert staged(store, "run_inputs", "dataset_uri, dataset_name") == [
        {"dataset_uri": "s3://in/a", "dataset_name": None}
    ]


def models(store: Store) -> list[tuple[object, ...]]:
    columns = "run_key, model_name, model_version"
    keys = {hashlib.sha256(f"mlflow|r{n}|1".encode()).hexdigest()[:32]: f"r{n}" for n in range(5)}
    rows = staged(store, "run_models", columns)
    return sorted((keys[row["run_key"]], *list(row.values())[1:]) for row in rows)


def test_a_version_is_of_the_run_it_names_or_of_the_one_that_logged_its_model(
    store: Store,
) -> None:
    for run_id in ("r1", "r2"):
        store.run(run_id, NOW - 2 * HOUR, NOW - HOUR)
        store.logged_model(run_id, f"m-{run_id}")
    version = ("None", NOW, NOW)
    store.insert("model_versions", "resnet", 1, "r1", "models:/m-r1", *version)
    store.insert("model_versions", "resnet", 2, None, "models:/m-r2", *version)
    store.insert("model_versions", "resnet", 3, None, "s3://by/hand", *version)
    store.insert("model_versions", "resnet", 4, "r1", "x", "Deleted_Internal", NOW, NOW)
    assert models(store) == [("r1", "resnet", "1"), ("r2", "resnet", "2")]


def test_one_run_may_make_versions_of_two_models_at_once(store: Store) -> None:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    for name in ("resnet", "resnet-eu"):
        store.insert("model_versions", name, 1, "r1", "s3://x", "None", NOW, NOW)
    assert models(store) == [("r1", "resnet", "1"), ("r1", "resnet-eu", "1")]


def test_a_renamed_model_keeps_its_runs_under_its_new_name(store: Store) -> None:
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    store.insert("model_versions", "old", 1, "r1", "s3://x", "None", NOW - HOUR, NOW - HOUR)
    store.insert("model_versions", "twin", 1, "r1", "s3://x", "None", NOW - 5, NOW - 5)
    nights, connector = Nights(store.path.parent), Mlflow(str(store.path))
    nights.night(connector, AT)
    store.connection.execute(
        "update model_versions set name = 'new', last_updated_time = ? where name = 'old'",
        (NOW + HOUR,),
    )
    assert nights.night(connector, AT + timedelta(days=1)) == {"model_versions"}
    names = [row["model_name"] for row in nights.rows("run_models")]
    assert sorted(names) == ["new", "twin"]


def test_a_renamed_experiment_is_renamed_for_all_its_runs(store: Store) -> None:
    store.run("r1", NOW - 900 * DAY, NOW - 899 * DAY)
    nights, connector = Nights(store.path.parent), Mlflow(str(store.path))
    nights.night(connector, AT)
    store.connection.execute("update experiments set name = 'vision'")
    assert nights.night(connector, AT + timedelta(days=1)) == {"experiments"}
    assert nights.rows("runs", "experiment") == [{"experiment": "vision"}]


def test_a_snapshot_that_a_run_names_is_a_reference(store: Store) -> None:
    store.run(
        "r1", NOW - HOUR, NOW, data="from snap-0123456789abcdef0 and vol-0a1b2c3d", mood="good"
    )
    store.dataset("r1", "d1", json.dumps({"uri": "ebs://snap-00000000000000001/train"}))
    store.run("r2", NOW - HOUR, NOW, note="snap-shots and ami-guos are nobody's")
    assert staged(store, "run_references", "resource_id") == [
        {"resource_id": "snap-00000000000000001"},
        {"resource_id": "snap-0123456789abcdef0"},
        {"resource_id": "vol-0a1b2c3d"},
    ]


def test_what_people_tag_a_run_with_is_kept(store: Store) -> None:
    store.run("r1", NOW - HOUR, NOW, slurm_job_id="42", mood="good")
    (told,) = staged(store, "run_tags", "called, tags")
    assert told["called"] == "tag"
    assert told["tags"].items() >= {("slurm_job_id", "42"), ("mood", "good")}


def test_a_run_and_its_models_have_folders_under_the_experiment(store: Store) -> None:
    """What the server serves itself lies under its own root, which the config names."""
    store.insert("experiments", 2, "served", "deleted", "mlflow-artifacts:/2")
    store.insert("experiments", 3, "nowhere", "active", "/tmp/mlruns/3")  # noqa: S108 - only a name
    store.run("r1", NOW - 2 * HOUR, NOW - HOUR)
    store.run("r2", NOW - 2 * HOUR, NOW - HOUR)
    store.update("r2", experiment_id=2)
    store.insert("inputs", "i1", "RUN_OUTPUT", "r1", "MODEL_OUTPUT", "m-1")
    nights = Nights(store.path.parent)
    nights.night(Mlflow(str(store.path), artifacts_root="s3a://Lake/served/"), AT)

    assert [
        (row["experiment_id"], row["root_uri"], row["is_deleted"], row["has_all_runs"])
        for row in nights.rows("artefact_roots")
    ] == [
        ("1", "s3://models/mlflow/1", False, True),
        ("2", "s3://lake/served/2", True, True),
        ("3", "/tmp/mlruns/3", False, True),  # noqa: S108
    ]
    assert [
        (row["root_uri"], row["folder"], row["is_deleted"])
        for row in nights.rows("artefact_folders")
    ] == [
        ("s3://lake/served/2", "r2", True),
        ("s3://models/mlflow/1", "r1", False),
        ("s3://models/mlflow/1/models", "m-1", False),
    ]


def test_where_a_server_keeps_files_is_unknown_until_somebody_says_so(store: Store) -> None:
    store.insert("experiments", 2, "served", "active", "mlflow-artifacts:/2")
    nights = Nights(store.path.parent)
    nights.night(Mlflow(str(store.path), backfill_days=30), AT)

    assert [(row["root_uri"], row["has_all_runs"]) for row in nights.rows("artefact_roots")] == [
        ("s3://models/mlflow/1", False)
    ]
