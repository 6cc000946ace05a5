"""From counters of model servers in a real Prometheus to what a request and a token cost.

Each server's pod holds the only GPU of a machine that costs 60 an hour, for two hours.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import pytest

from queries.engines.duckdb import Limits, connect
from tests.connectors.model_servers import counter, others, seldon, triton, vllm
from tests.connectors.telemetry import SETTLED, Ledger, Sample, node, pod, source, stage, tables_of
from tests.queries.attribution.conftest import Draw, Warehouse
from tests.servers.prometheus import prometheus_with
from tests.servers.victoria_metrics import victoria_metrics_with

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers

PODS = ("vllm", "triton", "seldon", "mlserver", "executor", "kserve", "bento", "waiting", "behind")
PAID = Decimal(120)


def waiting() -> Iterator[Sample]:
    """Yield vLLM with a model that nobody asks."""
    for metric in ("vllm:request_success_total", "vllm:generation_tokens_total"):
        yield from counter(metric, "waiting", 0, model_name="meta/idle", engine="0")


def behind_triton() -> Iterator[Sample]:
    """Yield vLLM as Triton's backend, which writes Triton's labels, and Triton around it."""
    labels = {"model": "mistral", "version": "3"}
    yield from counter("vllm:request_success_total", "behind", 4, **labels)
    yield from counter("vllm:prompt_tokens_total", "behind", 300, **labels)
    yield from counter("vllm:generation_tokens_total", "behind", 100, **labels)
    yield from counter("nv_inference_request_success", "behind", 4, **labels)


def machines() -> Iterator[Sample]:
    """Yield each server's machine, which its pod holds."""
    for name in PODS:
        yield from node(f"node-{name}", f"i-{name}", 1)
        yield from pod(name, node=f"node-{name}", gpus=1, cpu=96, namespace="serve")


@pytest.fixture(scope="module", params=[prometheus_with, victoria_metrics_with])
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Warehouse]:
    """Return what attribution makes of the servers' two hours and their machines' bill."""
    con = connect(Limits(threads=1))
    served = chain(vllm(), triton(), seldon(), others(), waiting(), behind_triton())
    with request.param(chain(served, machines())) as url:
        folder = tmp_path_factory.mktemp("served")
        stage(con, folder, source(url).deliveries_at(Ledger(), SETTLED))
    tables = tables_of(con)
    con.close()
    tables["cost_lines"] = [
        Draw.machine(PAID / 2, hour, f"i-{name}") for name in PODS for hour in (0, 1)
    ]
    warehouse = Warehouse(threads=1)
    warehouse.fill(tables)
    warehouse.build(cpu_weight=0.0, memory_weight=0.0)
    yield warehouse
    warehouse.con.close()


class Case(NamedTuple):
    """A model, and what its server's counters and the bill say of the two hours."""

    model: str
    version: str
    cost: int
    requests: int
    tokens: int | None = None


CASES = [
    Case("meta/llama", "", 120, 360, 18_000),
    Case("mistral", "3", 120, 480, 48_000),
    Case("resnet", "1", 120, 600),
    Case("iris", "1", 60, 720),
    Case("my_iris", "12", 60, 720),
    Case("taxi", "v2", 120, 600),
    Case("clf", "1.3", 120, 240),
    Case("fraud", "", 120, 240),
    Case("summary", "abc", 120, 360),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.model)
def test_each_server_tells_what_a_request_and_a_token_cost(built: Warehouse, case: Case) -> None:
    """Cost is exact; of requests and tokens a minute of sixty lies between samples."""
    ((found, idle, per_thousand, per_million),) = built.rows(
        "select effective_cost, idle_cost, cost_per_1000_requests, cost_per_million_tokens "
        f"from marts.serving_daily where model = '{case.model}' "
        f"and coalesce(model_version, '') = '{case.version}'"
    )

    assert (round(found, 6), idle) == (case.cost, 0)
    assert float(per_thousand) == pytest.approx(case.cost / case.requests * 1000, rel=0.04)
    if case.tokens is None:
        assert per_million is None
    else:
        expected = case.cost / case.tokens * 1_000_000
        assert float(per_million) == pytest.approx(expected, rel=0.04)


def test_a_replica_that_nobody_asks_is_idle(built: Warehouse) -> None:
    rows = built.rows(
        "select requests, effective_cost, idle_cost, cost_per_1000_requests "
        "from marts.serving_daily where model = 'meta/idle'"
    )

    assert rows == [(Decimal(0), Decimal(0), PAID, None)]
    assert built.costs("model", "model = '(idle replicas)'") == {"(idle replicas)": PAID}
