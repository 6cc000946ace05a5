"""What is asked of Prometheus about servers of models: counters per pod, model and version.

`increase` sees through resets. It misses what a series counted before its first sample: servers
that make a series with its first request lose that one. A server scraped by several jobs counts
once, its ports and engines are added up.

vLLM tells tokens and the time that requests ran; its backend in Triton writes the labels of
Triton. Triton and MLServer tell each model and version. Seldon 2 counts mirrored requests under the
model that answers (`model_internal`, which ends in the version); Seldon 1 and KServe's own servers
tell what they call. BentoML tells services, and its probes are no requests.

Sources: Triton's, KServe's and Seldon 1's were read whole, the others' names come from excerpts.
https://github.com/vllm-project/vllm (vllm/v1/metrics/loggers.py)
https://github.com/triton-inference-server/server (docs/user_guide/metrics.md)
https://github.com/SeldonIO/MLServer (mlserver/handlers/dataplane.py, docs/user-guide/metrics.md)
https://github.com/SeldonIO/seldon-core (scheduler/pkg/metrics/agent.go, executor/api/metric)
https://github.com/kserve/kserve (python/kserve/kserve/metrics.py)
https://github.com/bentoml/BentoML (docs/source/build-with-bentoml/observability/metrics.rst)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_POD = "namespace, pod"
_PROBES = 'endpoint!~"/|/livez|/readyz|/healthz|/metrics"'


@dataclass(frozen=True, slots=True)
class _Server:
    """The counters of one kind of server, and the labels that tell model and version."""

    name: str
    labels: str
    """Labels to keep apart, with commas."""
    counters: Mapping[str, Sequence[str]]
    """Measure -> the counters, with their selectors, that add up to it."""
    renamed: Sequence[tuple[str, str, str]] = ()
    """Column, label and pattern: what its first group matches fills the column.

    A column that is not there yet needs a pattern that always matches: VictoriaMetrics (1.79) else
    fills it with what its memory held before.
    """
    scales: Mapping[str, str] = field(default_factory=dict)
    """Measure -> what its counters are multiplied by."""

    def text(self, measure: str, hour: str) -> str:
        """Return the PromQL of a measure, over the range of an hour."""
        inside = " or ".join(
            f'label_replace(increase({counter}[{hour}]), "counter", "{number}", "", "")'
            for number, counter in enumerate(self.counters[measure])
        )
        for before in (f"{_POD}, instance, job", f"{_POD}, instance", _POD):
            # max: one port scraped by two jobs says the same twice
            how = "max" if before == f"{_POD}, instance" else "sum"
            inside = f"{how} by ({before}, {self.labels}) ({inside})"
        inside += self.scales.get(measure, "")
        for column, label, pattern in self.renamed:
            inside = f'label_replace({inside}, "{column}", "$1", "{label}", "{pattern}")'
        return f'label_replace({inside}, "serving_system", "{self.name}", "", "")'


_MODEL_AND_VERSION = (("model_name", "model", "(.+)"), ("model_version", "version", "(.*)"))
_SERVERS = (
    _Server(
        "vllm",
        "model_name, model, version",
        {
            "requests": ("vllm:request_success_total",),
            "input_tokens": ("vllm:prompt_tokens_total",),
            "output_tokens": ("vllm:generation_tokens_total",),
            "compute_seconds": ("vllm:request_inference_time_seconds_sum",),
        },
        _MODEL_AND_VERSION,
    ),
    _Server(
        "triton",
        "model, version",
        {
            "requests": ("nv_inference_request_success", "nv_inference_request_failure"),
            "compute_seconds": ("nv_inference_compute_infer_duration_us",),
        },
        _MODEL_AND_VERSION,
        {"compute_seconds": " / 1e6"},
    ),
    _Server(
        "mlserver",
        "model, version",
        {
            "requests": ("model_infer_request_success_total", "model_infer_request_failure_total"),
            "compute_seconds": ("model_infer_request_duration_sum",),
        },
        _MODEL_AND_VERSION,
    ),
    _Server(
        "seldon_v2",
        "model_internal",
        {
            "requests": ("seldon_model_infer_total",),
            "compute_seconds": ("seldon_model_infer_seconds_total",),
        },
        (
            ("model_name", "model_internal", "(.+?)(_[0-9]+)?"),
            ("model_version", "model_internal", ".+_([0-9]+)"),
        ),
    ),
    _Server(
        "kserve",
        "model_name",
        {
            "requests": ("request_predict_seconds_count",),
            "compute_seconds": ("request_predict_seconds_sum",),
        },
    ),
    _Server(
        "seldon_v1",
        "model_name, model_version",
        {
            "requests": ("seldon_api_executor_client_requests_seconds_count",),
            "compute_seconds": ("seldon_api_executor_client_requests_seconds_sum",),
        },
    ),
    _Server(
        "bentoml",
        "service_name, service_version",
        {
            "requests": (f"bentoml_service_request_total{{{_PROBES}}}",),
            "compute_seconds": (f"bentoml_service_request_duration_seconds_sum{{{_PROBES}}}",),
        },
        (("model_name", "service_name", "(.+)"), ("model_version", "service_version", "(.*)")),
    ),
)

SERVING_COLUMNS = ("model_name", "model_version", "serving_system")
"""Labels of the answers, and the columns of the raw table that hold them."""


def serving_queries(hour: str) -> Mapping[str, str]:
    """Return name -> PromQL, over the range of an hour.

    A series of requests that stays at 0 tells of a model that nobody asks.
    """
    return {
        f"served_{measure}": " or ".join(
            server.text(measure, hour) for server in _SERVERS if measure in server.counters
        )
        for measure in ("requests", "input_tokens", "output_tokens", "compute_seconds")
    }
