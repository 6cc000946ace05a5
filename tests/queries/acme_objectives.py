"""What the made-up company's runs were for: each long one of a model has a loss, best half-way."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TABLES = {
    "run_objectives": (
        "run_id varchar, run_name varchar, experiment varchar, metric varchar, direction varchar, "
        "point_count bigint, lost_points bigint, first_value double, best_value double, "
        "last_value double, best_step bigint, last_step bigint, best_at timestamp, "
        "last_at timestamp, hours_after_best double, effective_cost decimal(38, 12), "
        "cost_after_best decimal(38, 12), billing_currency varchar"
    )
}
_LONG = 4


def objective_rows(runs: Sequence[Sequence[Any]]) -> Iterator[Sequence[object]]:
    """Yield a row for each long run of a model, of those in `runs`."""
    for run_id, name, experiment, *_, model, _, start, end, hours, _, cost, _, currency, _ in runs:
        if model and end and hours >= _LONG:
            half = (cost / 2).quantize(Decimal("1e-6"))
            yield (
                *(run_id, name, experiment, "val/loss", "minimise", 40, 0, 2.5, 0.5, 0.75, 20, 39),
                *(start + (end - start) / 2, end, hours / 2, cost, half, currency),
            )
