"""What lies in the buckets on a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jobs.demo.world import COMPANY, DAY, GIB

if TYPE_CHECKING:
    from jobs.demo.world import Dataset, World

TERABYTE: Final = 1000 * GIB
_UNREGISTERED: Final = (
    (f"{COMPANY}-checkpoints-use1", "runs", 48, 0.9),
    (f"{COMPANY}-media-use1", "old-exports", 17, 0.0),
    (f"{COMPANY}-scratch-euw1", "tmp", 26, 0.15),
)
"""Bucket, prefix, terabytes at first and more each day: nobody registered these."""


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes under a prefix."""

    bucket: str
    prefix: str
    storage_class: str
    size_bytes: int
    object_count: int
    is_current: bool
    dataset: Dataset | None


def stored_on(world: World, day: int) -> list[Place]:
    """Return what is stored on a day, bucket by bucket as the company thinks of it."""
    places = [_place_of(dataset, day) for dataset in world.datasets]
    lake = next(dataset for dataset in world.datasets if dataset.name == "event-lake")
    old = 21 * TERABYTE
    places.append(
        Place(lake.bucket, lake.prefix, lake.storage_class, old, old // 2**26, False, lake)  # noqa: FBT003
    )
    age = (day - world.calendar.start) // DAY
    for bucket, prefix, first, more in _UNREGISTERED:
        size = first * TERABYTE + int(more * age * TERABYTE)
        places.append(Place(bucket, prefix, "STANDARD", size, size // 2**25, True, None))  # noqa: FBT003
    return places


def _place_of(dataset: Dataset, day: int) -> Place:
    """Return a dataset's place; a version that is not there yet leaves the last, smaller one."""
    part = 10 if day >= dataset.made_at else 6
    return Place(
        bucket=dataset.bucket,
        prefix=dataset.prefix,
        storage_class=dataset.storage_class,
        size_bytes=dataset.size_bytes * part // 10,
        object_count=max(1, dataset.object_count * part // 10),
        is_current=True,
        dataset=dataset,
    )
