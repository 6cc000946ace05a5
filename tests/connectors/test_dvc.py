"""DVC's files, as DVC itself writes them, and as older or damaged ones are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.base import SourceError
from connectors.dvc import Dvc
from tests.connectors.run_nights import Nights

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.dvc_repository import DvcRepository

pytest_plugins = ["tests.servers.dvc_repository"]

AT = datetime(2026, 10, 3, 2, tzinfo=UTC)
STORE = "s3://lab-data/store/files/md5/"
CONFIG = """
[core]
    remote = main
['remote "main"']
    url = s3://lab-data/store
['remote "tree"']
    url = remote://main/tree
    version_aware = true
['remote "near"']
    url = ../store
"""


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    (tmp_path / "raw").mkdir()
    return Nights("dvc", tmp_path / "raw")


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A repository with a remote, and nothing tracked yet."""
    (tmp_path / "lab" / ".dvc").mkdir(parents=True)
    (tmp_path / "lab" / ".dvc" / "config").write_text(CONFIG)
    return tmp_path / "lab"


def versions(nights: Nights) -> list[dict[str, Any]]:
    """Return the versions of data, without what remotes keep by hash."""
    return [row for row in nights.rows("dvc__datasets") if row["version"]]


@pytest.mark.servers
def test_what_dvc_writes_is_read_whole(dvc_repository: DvcRepository, nights: Nights) -> None:
    repository = Dvc(str(dvc_repository.folder))
    assert set(nights.night(repository, AT)) == {"files", "stages"}
    datasets = {row["dataset"]: row["uri"] for row in nights.rows("dvc__datasets")}
    assert datasets.pop("lab") == "s3://lab-data/store/files/md5"  # all of them together
    assert set(datasets) == {
        "lab/data/images",
        "lab/labels.csv",
        "lab/one",
        "lab/ready",
        "lab/scores/a.txt",
        "lab/scores/b.txt",
    }
    assert datasets["lab/scores/a.txt"] == "s3://lab-tree/here/scores/a.txt"
    hashed = [uri for uri in datasets.values() if uri.startswith("s3://lab-data/")]
    assert len(hashed) == 4
    for uri in hashed:
        assert (dvc_repository.store / uri.removeprefix("s3://lab-data/store/")).is_file()
    assert "secret-7c1d" not in nights.raw_text()


@pytest.mark.servers
def test_a_stage_says_what_a_run_of_another_system_read_and_made(
    dvc_repository: DvcRepository, nights: Nights
) -> None:
    nights.night(Dvc(str(dvc_repository.folder)), AT)
    runs = {row["run_name"]: row for row in nights.rows("dvc__runs")}
    assert set(runs) == {"prepare", "train", "score@a", "score@b"}
    train = runs["train"]
    assert (train["user_raw"], train["team_raw"]) == ("ann", "vision")
    assert {train[time] for time in ("started_at", "ended_at", "last_seen_at")} == {None}
    names = {row["run_key"]: name for name, row in runs.items()}
    named = {
        (names[row["run_key"]], row["called"], key, row["tags"][key])
        for row in nights.rows("dvc__run_tags")
        for key in row["tags"]
        if key.endswith("_id")
    }
    assert named == {
        ("prepare", "tag", "mlflow_run_id", "7a2b"),
        ("train", "tag", "mlflow_run_id", "8f3c"),
        ("train", "tag", "slurm_job_id", "77"),
        ("score@a", "tag", "ray_job_id", "r1"),
        ("score@b", "tag", "ray_job_id", "r1"),
    }
    read = {(row["run_key"], row["dataset_name"]): row for row in nights.rows("dvc__run_inputs")}
    prepared = {name for key, name in read if key == runs["prepare"]["run_key"]}
    assert prepared == {"lab/data/images", "lab/labels.csv"}  # prepare.py is git's
    images = read[runs["prepare"]["run_key"], "lab/data/images"]
    assert images["bytes_read"] == 3
    assert images["dataset_digest"].endswith(".dir")
    assert read[train["run_key"], "lab/ready"]["dataset_uri"] is None  # a part of it
    (model,) = nights.rows("dvc__run_models")
    assert (model["run_key"], model["model_name"]) == (train["run_key"], "eyes")
    wrote = {row["run_key"]: row["dataset_digest"] for row in nights.rows("dvc__run_outputs")}
    assert wrote.keys() == {runs[name]["run_key"] for name in ("prepare", "score@a", "score@b")}
    assert all(wrote.values())


def test_all_versions_stay_known_and_nothing_comes_twice(lab: Path, nights: Nights) -> None:
    tracked = "outs:\n- path: a.csv\n  hash: md5\n  size: 7\n  md5: '{}'\nmeta: {{team: {}}}\n"
    (lab / "a.csv.dvc").write_text(tracked.format("11aa", "vision"))
    assert nights.night(Dvc(str(lab)), AT)
    assert not nights.night(Dvc(str(lab)), AT + timedelta(days=1))
    (lab / "a.csv.dvc").write_text(tracked.format("22bb", "nlp"))
    assert nights.night(Dvc(str(lab)), AT + timedelta(days=2))
    rows = versions(nights)
    assert [(row["version"], row["uri"], row["owner_team"]) for row in rows] == [
        ("11aa", f"{STORE}11/aa", "nlp"),
        ("22bb", f"{STORE}22/bb", "nlp"),
    ]
    (lab / "a.csv.dvc").write_text(tracked.format("11aa", "vision"))
    assert nights.night(Dvc(str(lab)), AT + timedelta(days=3))
    assert {row["owner_team"] for row in versions(nights)} == {"vision"}


def test_what_a_remote_keeps_by_hash_is_the_only_repository_s(lab: Path, nights: Nights) -> None:
    (lab / "a.dvc").write_text("outs: [{path: a, md5: 11aa, hash: md5}]\n")
    nights.night(Dvc(str(lab), repository="eyes"), AT)
    (store,) = (row for row in nights.rows("dvc__datasets") if row["version"] is None)
    assert (store["dataset"], store["uri"]) == ("eyes", STORE.rstrip("/"))
    nights.night(Dvc(str(lab), repository="ears"), AT + timedelta(days=1))
    assert len(versions(nights)) == len(nights.rows("dvc__datasets")) == 2


@pytest.mark.parametrize(
    ("out", "uri"),
    [
        ("md5: 11aa", "s3://lab-data/store/11/aa"),  # as DVC 2 wrote it
        ("{hash: md5, md5: 11aa}", f"{STORE}11/aa"),
        ("{hash: md5, md5: 11aa, remote: tree}", "s3://lab-data/store/tree/sub/a"),
        ("{hash: md5, md5: 11aa, remote: near}", None),
        ("{hash: md5, md5: 11aa, push: false}", None),
        ("{hash: md5, md5: 11aa, cache: false}", None),
        ("{files: [{relpath: b, md5: c, cloud: {tree: {version_id: d}}}]}", "s3://lab-data/store/tree/sub/a"),
        ("hash: md5", None),  # nothing was ever added
    ],
)  # fmt: skip
def test_a_place_is_where_dvc_pushes_to(
    lab: Path, nights: Nights, out: str, uri: str | None
) -> None:
    (lab / "sub").mkdir()
    flags = out.strip("{}") if not out.startswith("{files") else out[1:-1]
    (lab / "sub" / "a.dvc").write_text(f"outs:\n- {{path: a, {flags}}}\n")
    nights.night(Dvc(str(lab), repository="eyes"), AT)
    found = versions(nights)
    assert [row["uri"] for row in found] == ([uri] if uri else [])
    assert {row["dataset"] for row in found} <= {"eyes/sub/a"}


def test_data_of_another_repository_is_not_this_ones(lab: Path, nights: Nights) -> None:
    (lab / "a.dvc").write_text(
        "deps: [{path: x, repo: {url: https://git.example/x, rev_lock: abc}}]\n"
        "outs: [{path: a, md5: 11aa, hash: md5}]\n"
    )
    nights.night(Dvc(str(lab)), AT)
    assert nights.rows("dvc__datasets") == []


def test_an_address_that_a_stage_reads_is_an_input(lab: Path, nights: Nights) -> None:
    (lab / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  s:\n    cmd: run\n    deps:\n"
        "    - {path: s3://Other/in/, etag: e1, size: 9}\n    - {path: remote://main/b, etag: e2}\n"
        "    params: {params.yaml: {mlflow_run_id: 8f3c}}\n"
    )
    nights.night(Dvc(str(lab)), AT)
    read = [(row["dataset_uri"], row["bytes_read"]) for row in nights.rows("dvc__run_inputs")]
    assert sorted(read) == [("s3://lab-data/store/b", None), ("s3://other/in", 9)]


def test_tracked_folders_and_other_repositories_are_not_looked_into(
    lab: Path, nights: Nights
) -> None:
    wrong = ("data/wrong.dvc", "other/wrong.dvc", ".venv/wrong.dvc")
    for name in (*wrong, "other/.dvc/config"):
        (lab / name).parent.mkdir(parents=True, exist_ok=True)
        (lab / name).write_text("]")
    (lab / "data.dvc").write_text("outs: [{path: data, md5: 11aa.dir, hash: md5}]\n")
    nights.night(Dvc(str(lab)), AT)
    assert [row["dataset"] for row in versions(nights)] == ["lab/data"]


def test_a_metrics_file_of_a_later_run_is_not_believed(lab: Path, nights: Nights) -> None:
    (lab / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  s: {cmd: run, outs: [{path: m.json, md5: 11aa, hash: md5}]}\n"
    )
    (lab / "m.json").write_text('{"mlflow_run_id": "8f3c"}')
    nights.night(Dvc(str(lab)), AT)
    assert nights.rows("dvc__runs", "dvc__run_tags") == []


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("dvc.lock", "stages:\n<<<<<<< HEAD\n  a: 1\n", "dvc.lock cannot be read, line 3"),
        ("a.dvc", "- x\n", "a.dvc is not what DVC writes"),
        ("a.dvc", "outs: [x]\n", "outs of a.dvc are not written as DVC does"),
        ("dvc.lock", "schema: '2.0'\nstages: {s: [1]}\n", "outs of dvc.lock are not written"),
        (".dvc/config", "url = x\n", "config of DVC cannot be read"),
    ],
)
def test_a_damaged_file_is_named(
    lab: Path, nights: Nights, name: str, text: str, said: str
) -> None:
    (lab / name).write_text(text)
    with pytest.raises(SourceError, match=said) as raised:
        nights.night(Dvc(str(lab)), AT)
    where, fix = raised.value.__notes__
    assert name in where
    assert fix.startswith("fix: ")


def test_a_folder_without_dvc_is_refused(tmp_path: Path, nights: Nights) -> None:
    with pytest.raises(SourceError, match="no repository with data that DVC tracks"):
        nights.night(Dvc(str(tmp_path)), AT)
