"""What earlier nights have landed, kept in a set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.base import Delivery


@dataclass
class Memory:
    """Remembers deliveries as the journal does."""

    landed: set[tuple[str, str, str]] = field(default_factory=set)

    def has(self, table: str, unit: str, version: str) -> bool:
        """Tell whether it has been landed."""
        return (table, unit, version) in self.landed

    def cursor(self, table: str) -> str | None:
        """Return none: bills have no cursor."""
        return None if table else ""

    def land(self, delivery: Delivery) -> None:
        """Remember a delivery."""
        self.landed.add((delivery.table, delivery.unit, delivery.version))
