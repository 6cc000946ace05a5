"""The made-up company's generation, for every test of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.queries.acme import write_generation

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_generation(tmp_path_factory.mktemp("generations") / "acme.duckdb")
