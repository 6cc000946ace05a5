"""A whole night on jobs of managed platforms: what the bill names is theirs, to the last digit."""

from __future__ import annotations

import json
from contextlib import ExitStack
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.connectors import test_azureml, test_vertex
from tests.jobs.nights import FOCUS, HEADER
from tests.jobs.test_other_bills import ask, billed, night
from tests.servers.bigquery import write_key
from tests.servers.platforms import Platform, serving

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def line(cost: str, service: str, provider: str, resource: str) -> str:
    """Return a line of 2026-10-02."""
    return (
        f"{cost},{cost},{cost},{cost},USD,111,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,"
        "2026-10-02T00:00:00Z,2026-10-03T00:00:00Z,Usage,Usage-Based,"
        f"{service},AI and Machine Learning,{provider},{resource},{{}}\n"
    )


def test_what_the_bill_names_is_shared_by_the_jobs_that_ran_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster gave its jobs 4 GPUs for 55 minutes, 2 for 45 (nobody knows whose), 2 for 58."""
    there = json.loads(test_azureml.ANSWERS.read_text("utf-8"))
    there["jobs"] = [job for job in there["jobs"] if job["name"] != "live1"]
    itself: list[Platform] = []
    itself.append(test_azureml.azure(there, itself, 2))
    compute = f"{test_azureml.WORKSPACE}/computes/gpu-cluster".lower()
    job = f"//aiplatform.googleapis.com/{test_vertex.IN}/customJobs/1"
    (tmp_path / "bills").mkdir()
    (tmp_path / "bills" / "bill.csv").write_text(
        HEADER
        + line("426", "Azure Machine Learning", "Microsoft", compute)
        + line("100.000000000007", "Vertex AI", "Google Cloud", job),
        encoding="utf-8",
    )
    with ExitStack() as stack:
        azure = stack.enter_context(serving(itself[0]))
        google = stack.enter_context(serving(test_vertex.vertex_ai(test_vertex.answers(), 2)))
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{azure.address}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        key = write_key(tmp_path / "key.json", google.address)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        night(
            tmp_path,
            f'{FOCUS}[connectors.azureml]\nworkspaces = ["{test_azureml.WORKSPACE}"]\n'
            f'endpoint_url = "{azure.address}"\nhistory_url = "{azure.address}"\n'
            f'[connectors.vertex]\nproject = "acme-ml"\nregions = ["us-central1"]\n'
            f'endpoint_url = "{google.address}"\n',
        )
    assert billed(tmp_path) == {"USD": Decimal("526.000000000007")}
    query = (
        "select service_name, member, sum(effective_cost) from marts.spend_daily "
        "where dimension = 'team' group by all"
    )
    teams = {(service, member): cost for service, member, cost in ask(tmp_path, query)}
    expected = {
        ("Vertex AI", "vision"): Decimal("100.000000000007"),
        ("Azure Machine Learning", "vision"): Decimal(220),
        ("Azure Machine Learning", "search"): Decimal(116),
        ("Azure Machine Learning", "unattributed"): Decimal(90),
    }
    assert set(teams) == set(expected)
    smallest = Decimal("0.000000000001")  # a share ends on a whole one
    assert all(abs(teams[key] - cost) <= smallest for key, cost in expected.items())
    assert teams["Vertex AI", "vision"] == expected["Vertex AI", "vision"]
