"""What the night says of versions of the demo company, held against what they really cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests import truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.jobs.told_company import Company


def _size(errors: Sequence[Decimal]) -> Decimal:
    return sum((abs(error) for error in errors), Decimal(0))


@pytest.mark.parametrize(("dimension", "limit"), [("model", "0.12"), ("dataset", "0.3")])
def test_the_error_of_versions_stays_below_its_limit(
    report: truth.Report, dimension: str, limit: str
) -> None:
    """Of datasets, most of it is versions that came later than the registry can say."""
    wrong = sum(
        (report.of_versions(dimension, currency)[0] for currency in report.billed), Decimal(0)
    )

    assert 100 * wrong / sum(report.billed.values(), Decimal(0)) < Decimal(limit)


def test_versions_with_places_of_their_own_cost_what_they_cost(
    company: Company, report: truth.Report
) -> None:
    """But for what clocks displaced of their transfers, in whatever version that was read."""
    told = {(row["member"], row["version"]) for row in company.truth("versions")}
    errors = report.of_datasets[truth.BESIDE_EACH_OTHER]
    later = report.of_datasets[truth.NEWEST_ALONE]

    assert len(errors) == 3 * 7  # two versions, and an index of both
    assert {("shelf-labels", version) for version in ("", "v5", "v6")} <= told
    assert _size(errors) < Decimal(20) < _size(later)
    displaced = sum(report.of_datasets[truth.ONE_VERSION], sum(errors, Decimal(0)))
    assert abs(displaced) < truth.CUT
