"""The made-up company's frames and site, for every test of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reports.site import write_site
from tests.queries.acme import write_generation
from tests.reports.frames import META, company_frames

if TYPE_CHECKING:
    from pathlib import Path

    from reports.base import Frame


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Frame]:
    folder = tmp_path_factory.mktemp("generations")
    return company_frames(write_generation(folder / "acme.duckdb"))


@pytest.fixture(scope="session")
def site(frames: dict[str, Frame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("reports") / "2026-11-20", frames, META).parent
