"""Counters of servers of models, as their exporters name them, for tests: two hours of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.connectors.telemetry import series

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.connectors.telemetry import Sample


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
