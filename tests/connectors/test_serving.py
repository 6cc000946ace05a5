"""Counters of model servers in a real Prometheus: requests, tokens and compute time per version."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import pytest

from queries.engines.duckdb import Connection, Limits, connect
from tests.connectors.model_servers import (
    others,
    restarted,
    scraped_twice,
    seldon,
    triton,
    vllm,
)
from tests.connectors.telemetry import (
    SETTLED,
    Ledger,
    answer,
    node,
    save,
    source,
    stage,
)
from tests.servers.prometheus import prometheus_with
from tests.servers.victoria_metrics import victoria_metrics_with

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = "model_name, model_version, requests, input_tokens, output_tokens, compute_seconds"


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
