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


@pytest.mark.parametrize("dimension", ["model", "dataset"])
def test_no_version_costs_what_another_did(report: truth.Report, dimension: str) -> None:
    """But for cents of runs that still ran, or whose clocks ran back."""
    wrong = (report.of_versions(dimension, currency)[0] for currency in report.billed)

    assert sum(wrong, Decimal(0)) < Decimal("0.2")


def test_versions_with_places_of_their_own_cost_what_they_cost(
    company: Company, report: truth.Report
) -> None:
    """But for cents that clocks displaced of their transfers, in whatever version that was read."""
    told = {(row["member"], row["version"]) for row in company.truth("versions")}
    errors = report.of_datasets[truth.BESIDE_EACH_OTHER]

    assert len(errors) == 3 * 7  # two versions, and an index of both
    assert {("shelf-labels", version) for version in ("", "v5", "v6")} <= told
    assert _size(errors) < Decimal("0.02")
    displaced = sum(report.of_datasets[truth.ONE_VERSION], sum(errors, Decimal(0)))
    assert abs(displaced) < truth.CUT


def test_what_came_before_a_registered_version_is_of_none_and_nothing_else_is(
    report: truth.Report,
) -> None:
    """The versions before are in no registry, so that their cost is of no version known."""
    later = {
        (member, version): cost
        for (_, member, version, _), cost in report.versions["dataset"].items()
        if member in report.dated
    }
    unknown = {member: cost for (member, version), cost in later.items() if not version}
    missing = {member: -cost for (member, version), cost in later.items() if cost < -truth.CUT}

    assert sum(missing.values()) > 1000
    assert unknown.keys() >= missing.keys()
    assert all(abs(cost - missing.get(member, 0)) < truth.CUT for member, cost in unknown.items())
