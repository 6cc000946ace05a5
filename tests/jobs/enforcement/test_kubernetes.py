"""The lever on Kubernetes, driven by the official client against an API that checks every body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jobs.enforcement.base import LeverError, Order, RefusedError, UnknownError
from jobs.enforcement.kubernetes import Kubernetes
from tests.servers.kubernetes_api import QUOTA, kubernetes_api, schema_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.kubernetes_api import Cluster

GPU = "requests.nvidia.com/gpu"
ORDER = Order("abc123", "ml-vision", "vision is over", "2026-12-01", "vision", ("month",))
OURS = {"app.kubernetes.io/managed-by": "mlspend"}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Return a cluster with two namespaces."""
    with kubernetes_api("ml-vision", "ml-speech") as cluster:
        yield cluster


@pytest.fixture
def lever(cluster: Cluster, tmp_path: Path) -> Kubernetes:
    """Return the lever on it."""
    return Kubernetes(
        {"vision": ["ml-vision"]}, kubeconfig=cluster.kubeconfig(tmp_path), timeout_seconds=1
    )


def test_a_stop_writes_one_object_of_our_own_and_its_release_deletes_it(
    cluster: Cluster, lever: Kubernetes
) -> None:
    before = lever.look("ml-vision")
    assert not lever.is_stopped(ORDER, before)
    for _ in range(2):  # asked again, it does nothing
        assert lever.stop(ORDER, before) == ""
    assert lever.is_stopped(ORDER, lever.look("ml-vision"))
    assert cluster.hard("ml-vision") == {GPU: "0"}
    (written,) = cluster.objects.values()
    assert written["metadata"]["labels"] == OURS
    assert written["metadata"]["annotations"]["mlspend/reason"] == "vision is over"
    for _ in range(2):
        assert lever.release(ORDER, before) == ""
    assert cluster.objects == {}
    assert cluster.changes == [("POST", "ml-vision"), ("DELETE", "ml-vision")]


def test_what_we_had_there_before_is_put_back(cluster: Cluster, lever: Kubernetes) -> None:
    cluster.put("ml-vision", "mlspend", {GPU: "16"}, labels=OURS, annotations={"kept": "yes"})
    before = lever.look("ml-vision")
    lever.stop(ORDER, before)
    assert cluster.hard("ml-vision") == {GPU: "0"}
    lever.release(ORDER, before)
    assert cluster.hard("ml-vision") == {GPU: "16"}
    (left,) = cluster.objects.values()
    assert left["metadata"]["annotations"] == {"kept": "yes"}


def test_somebody_elses_object_is_never_touched(cluster: Cluster, lever: Kubernetes) -> None:
    cluster.put("ml-vision", "mlspend", {GPU: "16"})
    cluster.put("ml-vision", "theirs", {GPU: "4"})
    with pytest.raises(RefusedError, match="mlspend did not make"):
        lever.look("ml-vision")
    with pytest.raises(RefusedError):
        lever.stop(ORDER, {"hard": None})
    with pytest.raises(RefusedError):
        lever.release(ORDER, {"hard": None})
    assert cluster.changes == []


def test_what_somebody_changed_since_is_left_alone(cluster: Cluster, lever: Kubernetes) -> None:
    before = lever.look("ml-vision")
    lever.stop(ORDER, before)
    cluster.put("ml-vision", "mlspend", {GPU: "2"}, labels=OURS)
    assert "changed its limits since" in lever.release(ORDER, before)
    assert cluster.hard("ml-vision") == {GPU: "2"}


def test_a_namespace_that_is_not_there_says_so(lever: Kubernetes) -> None:
    with pytest.raises(RefusedError, match="404") as caught:
        lever.stop(Order("k", "ml-none", "", "", "", ()), {"hard": None})
    assert "namespaces" in "".join(caught.value.__notes__)


@pytest.mark.parametrize("status", [401, 403, 409, 422])
def test_a_no_is_a_no(cluster: Cluster, lever: Kubernetes, status: int) -> None:
    cluster.faults[1] = status
    with pytest.raises(RefusedError, match=str(status)):
        lever.stop(ORDER, {"hard": None})
    assert cluster.objects == {}


@pytest.mark.parametrize("fault", ["cut before", "cut after", "silence", 500, 503])
def test_without_an_answer_nobody_knows(cluster: Cluster, lever: Kubernetes, fault: int) -> None:
    cluster.faults[1] = fault
    with pytest.raises(UnknownError):
        lever.stop(ORDER, {"hard": None})
    assert lever.is_stopped(ORDER, lever.look("ml-vision")) == (str(fault) == "cut after")


def test_a_cluster_that_is_not_there_was_not_changed(tmp_path: Path) -> None:
    with kubernetes_api() as gone:
        kubeconfig = gone.kubeconfig(tmp_path)
    with pytest.raises(LeverError, match="did not answer as it should"):
        Kubernetes({}, kubeconfig=kubeconfig).look("ml-vision")
    with pytest.raises(RefusedError, match="no way to the cluster"):
        Kubernetes({}, kubeconfig=str(tmp_path / "none")).look("ml-vision")


def test_the_api_refuses_what_the_published_schema_does_not_know() -> None:
    good = {"metadata": {"name": "a"}, "spec": {"hard": {GPU: "0"}}}
    assert schema_error(good, QUOTA) == ""
    for bad in (
        {**good, "specs": {}},
        {**good, "spec": {"hard": {GPU: 0}}},
        {**good, "spec": {"hard": ["0"]}},
        {**good, "metadata": {"labels": {"a": None}}},
        {**good, "metadata": {"generation": True}},
    ):
        assert schema_error(bad, QUOTA)
