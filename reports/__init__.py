"""What people read: frames become a static site. Knows no database and runs no query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.books import BOOKS_REPORT
from reports.machines import MACHINES
from reports.members import DIMENSIONS
from reports.overview import OVERVIEW
from reports.quotas import QUOTAS_REPORT
from reports.training import TRAINING
from reports.waste import WASTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reports.base import Report

REPORTS: Sequence[Report] = (
    OVERVIEW,
    *DIMENSIONS,
    TRAINING,
    MACHINES,
    WASTE,
    QUOTAS_REPORT,
    BOOKS_REPORT,
)
"""Every report, in the order of the navigation."""
