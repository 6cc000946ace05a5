"""What the made-up company's models and datasets cost with all that they were made from."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PARTS = (
    "billing_currency varchar, part varchar, depth integer, input_data varchar, "
    "lineage_path varchar, run_count bigint, gpu_hours decimal(38, 6), "
    "non_additive_cost decimal(38, 12), non_additive_billed_cost decimal(38, 12)"
)
TABLES = {
    "model_full_cost": f"model varchar, {_PARTS}",
    "dataset_full_cost": f"dataset varchar, {_PARTS}",
}
READ = {"atlas-7b": "common-crawl", "atlas-70b": "common-crawl", "lens-detect": "laion-5b"}
MADE_FROM = {"laion-5b": "web-images"}


def full_cost_rows(
    spend: Mapping[tuple[object, ...], Sequence[int]],
) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of both marts: own cost from `spend`, and that of the data behind it."""
    own: dict[tuple[object, object, object], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (_, _, _, currency, dimension, member, kind, _), amounts in spend.items():
        if kind == "direct" and dimension in ("model", "dataset"):
            for place, amount in enumerate(amounts):
                own[dimension, member, currency][place] += amount
    rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in TABLES}
    for (dimension, member, currency), amounts in sorted(own.items(), key=str):
        if str(member).startswith("not a"):
            continue
        table = rows[f"{dimension}_full_cost"]
        part = "training" if dimension == "model" else "storage"
        table.append((member, currency, part, 0, None, None, 3, *_money(amounts)))
        data = READ.get(str(member)) if dimension == "model" else MADE_FROM.get(str(member))
        path: list[str] = []
        while data:
            stored = _money(own["dataset", data, currency])
            path.append(data)
            way = " <- ".join(path)
            table.append((member, currency, "storage", len(path), data, way, 0, *stored))
            data = MADE_FROM.get(data)
    return rows


def _money(amounts: Sequence[int]) -> tuple[Decimal, Decimal, Decimal]:
    effective, billed, gpu_hours = amounts
    return Decimal(gpu_hours).scaleb(-3), Decimal(effective).scaleb(-6), Decimal(billed).scaleb(-6)
