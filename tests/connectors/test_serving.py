"""Counters of model servers in a real Prometheus: requests, tokens and compute time per version."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import pytest

from queries.engines.duckdb import Connection, Limits, connect
from tests.connectors.telemetry import (
    SETTLED,
    Ledger,
    Sample,
    answer,
    node,
    save,
    series,
    source,
    stage,
)
from tests.servers.prometheus import prometheus_with
from tests.servers.victoria_metrics import victoria_metrics_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = "model_name, model_version, requests, input_tokens, output_tokens, compute_seconds"


def counter(metric: str, pod: str, growth: float, **labels: str) -> Iterator[Sample]:
    """Yield a counter that grows so much each minute, for two hours."""
    target = {"namespace": "serve", "pod": pod, "instance": f"{pod}:1", "job": "serve/monitor"}
    yield from series(metric, {**target, **labels}, 100, growth=growth)


def vllm() -> Iterator[Sample]:
    labels = {"model_name": "meta/llama", "engine": "0"}
    ended = "vllm:request_success_total"
    yield from counter(ended, "vllm", 2, **labels, finished_reason="stop")
    yield from counter(ended, "vllm", 1, **labels, finished_reason="length")
    yield from counter("vllm:prompt_tokens_total", "vllm", 100, **labels)
    yield from counter("vllm:generation_tokens_total", "vllm", 50, **labels)
    yield from counter("vllm:request_inference_time_seconds_sum", "vllm", 30, **labels)
    # what KServe's own server around it counts as well
    yield from counter("request_predict_seconds_count", "vllm", 3, model_name="llama")


def triton() -> Iterator[Sample]:
    for version, growth in (("1", 4), ("2", 0)):
        labels = {"model": "resnet", "version": version, "gpu_uuid": "GPU-1"}
        yield from counter("nv_inference_request_success", "triton", growth, **labels)
        yield from counter("nv_inference_request_failure", "triton", growth / 4, **labels)
        spent = "nv_inference_compute_infer_duration_us"
        yield from counter(spent, "triton", growth * 500_000, **labels)


def seldon() -> Iterator[Sample]:
    """Yield Seldon 2 (a mirrored model), MLServer behind another one, and Seldon 1."""
    labels = {"server": "s", "server_replica": "0", "code": "200", "method_type": "rest"}
    for internal in ("iris_1", "my_iris_12"):
        named = {**labels, "model": "iris", "model_internal": internal}
        yield from counter("seldon_model_infer_total", "seldon", 6, **named)
        yield from counter("seldon_model_infer_seconds_total", "seldon", 3, **named)
    named = {"model": "taxi", "version": "v2"}
    yield from counter("model_infer_request_success_total", "mlserver", 5, **named)
    yield from counter("model_infer_request_duration_sum", "mlserver", 1, **named)
    outer = {**labels, "model": "taxi", "model_internal": "taxi_1"}
    yield from counter("seldon_model_infer_total", "mlserver", 5, **outer)
    old = {"deployment_name": "d", "model_name": "clf", "model_version": "1.3", "code": "200"}
    client = "seldon_api_executor_client_requests_seconds"
    yield from counter(f"{client}_count", "executor", 2, **old)
    yield from counter(f"{client}_sum", "executor", 1, **old)


def others() -> Iterator[Sample]:
    """Yield KServe's own server, and BentoML with its probes."""
    yield from counter("request_predict_seconds_count", "kserve", 2, model_name="fraud")
    yield from counter("request_predict_seconds_sum", "kserve", 1, model_name="fraud")
    service = {"service_name": "summary", "service_version": "abc", "http_response_code": "200"}
    for endpoint, growth in (("/summarize", 3), ("/livez", 6), ("/readyz", 6)):
        labels = {**service, "endpoint": endpoint, "runner_name": "Summary"}
        yield from counter("bentoml_service_request_total", "bento", growth, **labels)
        spent = "bentoml_service_request_duration_seconds_sum"
        yield from counter(spent, "bento", growth, **labels)


def restarted() -> Iterator[Sample]:
    """Yield 10 requests a minute of a server that begins anew in the middle of the hour."""
    target = {"namespace": "serve", "pod": "restarted", "instance": "r:1", "model_name": "m"}
    metric = "request_predict_seconds_count"
    yield from series(metric, {**target, "job": "a"}, 9000, minutes=30, growth=10)
    yield from series(metric, {**target, "job": "a"}, 0, start=30, minutes=90, growth=10)


def scraped_twice() -> Iterator[Sample]:
    """Yield one port scraped by two jobs, and another port of the pod."""
    target = {"namespace": "serve", "pod": "twice", "model_name": "m"}
    for job, instance in (("a", "t:1"), ("b", "t:1"), ("a", "t:2")):
        labels = {**target, "job": job, "instance": instance}
        yield from series("request_predict_seconds_count", labels, 0, growth=10)


@pytest.fixture(scope="module", params=[prometheus_with, victoria_metrics_with])
def con(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """Return what is staged of a day of them all, from one Prometheus or VictoriaMetrics."""
    connection = connect(Limits(threads=1))
    samples = chain(
        *(vllm(), triton(), seldon(), others(), restarted(), scraped_twice()),
        node("node-a", "i-0abc", 8),
    )
    with request.param(samples) as url:
        folder = tmp_path_factory.mktemp("served")
        stage(connection, folder, source(url).deliveries_at(Ledger(), SETTLED))
    yield connection
    connection.close()


@pytest.mark.servers
@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        ("vllm", [("meta/llama", None, 180, 6000, 3000, 1800)]),
        ("triton", [("resnet", "1", 300, None, None, 120), ("resnet", "2", 0, None, None, 0)]),
        ("seldon", [("iris", "1", 360, None, None, 180), ("my_iris", "12", 360, None, None, 180)]),
        ("mlserver", [("taxi", "v2", 300, None, None, 60)]),
        ("executor", [("clf", "1.3", 120, None, None, 60)]),
        ("kserve", [("fraud", None, 120, None, None, 60)]),
        ("bento", [("summary", "abc", 180, None, None, 180)]),
        ("restarted", [("m", None, 600, None, None, None)]),
        ("twice", [("m", None, 1200, None, None, None)]),
    ],
)
def test_each_server_tells_what_it_served_in_an_hour(
    con: Connection, pod: str, expected: list[tuple[object, ...]]
) -> None:
    """A minute or two of sixty is between samples, which one engine guesses and the other not."""
    for hour in (0, 1) if pod != "restarted" else (0,):
        rows = con.execute(
            f"select {COLUMNS} from staging.served_hours "
            f"where pod = '{pod}' and hour(charge_hour) = {hour} order by all"
        ).fetchall()
        assert [row[:2] for row in rows] == [row[:2] for row in expected]
        for row, wanted in zip(rows, expected, strict=True):
            numbers = [None if value is None else float(value) for value in row[2:]]
            for number, value in zip(numbers, wanted[2:], strict=True):
                assert number == (value if value is None else pytest.approx(value, rel=0.04))


def test_saved_answers_are_read_and_what_names_no_pod_is_left_out(tmp_path: Path) -> None:
    server = {"namespace": "serve", "serving_system": "kserve", "model_name": "m"}
    found = save(
        tmp_path / "answers",
        node_up=answer(({"node": "node-a"}, "60")),
        served_requests=answer(({**server, "pod": "p"}, "7.5"), (server, "9")),
        served_compute_seconds=answer(({**server, "pod": "p"}, "NaN")),
    )
    connection = connect(Limits(threads=1))
    stage(connection, tmp_path, found.deliveries(Ledger()))
    rows = connection.execute(f"select pod, {COLUMNS} from staging.served_hours").fetchall()
    connection.close()
    assert [(*row[:3], float(row[3]), *row[4:]) for row in rows] == [
        ("p", "m", None, 7.5, None, None, None)
    ]
