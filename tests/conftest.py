"""What every test begins with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# What is compiled and what is read out of the models is kept for the hundreds of commands that
# follow, also where the environment says otherwise: each would read all models anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


DEAR = (
    *("connectors/test_airflow.py", "jobs/test_nightly.py", "jobs/test_full_disk.py"),
    *("queries/attribution/test_conservation.py", "jobs/test_enforce.py", "reports/test_axe.py"),
    *("properties/test_drawn_worlds.py", "properties/test_relations.py"),
    *("properties/test_wide_companies.py", "jobs/test_any_order.py", "jobs/test_claims.py"),
    *("jobs/test_operations.py", "jobs/test_azure_night.py", "connectors/test_dagster.py"),
    *("connectors/test_aws_inventory_live.py", "connectors/test_mlflow_gpus.py"),
    *("connectors/test_mlflow_objectives.py", "connectors/test_mlflow_many.py"),
)
"""The files that take longest: begun first, so that none is left to one process at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest before the others, which stay in their order."""
    places = {HERE / name: place for place, name in enumerate(DEAR)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case of bytes by its argument: in packed bytes stands the second they were packed.

    Two processes that collect in different seconds would not agree on the names of the tests.
    """
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets that other tests have read: errors hide them, and some are words."""
    monkeypatch.setattr("connectors.hiding._known", set())
