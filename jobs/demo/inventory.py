"""What lies in the buckets on a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jobs.demo.world import COMPANY, DAY, GIB

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    version: str = ""
    """Of the dataset; '' is what belongs to all of its versions, or to nobody's."""


def stored_on(world: World, day: int) -> list[Place]:
    """Return what is stored on a day, bucket by bucket as the company thinks of it."""
    places = [place for dataset in world.datasets for place in _places_of(dataset, day)]
    lake = next(dataset for dataset in world.datasets if dataset.name == "event-lake")
    old = 21 * TERABYTE
    places.append(
        Place(
            bucket=lake.bucket,
            prefix=lake.prefix,
            storage_class=lake.storage_class,
            size_bytes=old,
            object_count=old // 2**26,
            is_current=False,
            dataset=lake,
            version=lake.version_at(day),
        )
    )
    age = (day - world.calendar.start) // DAY
    for bucket, prefix, first, more in _UNREGISTERED:
        size = first * TERABYTE + int(more * age * TERABYTE)
        places.append(Place(bucket, prefix, "STANDARD", size, size // 2**25, True, None))  # noqa: FBT003
    return places


def _places_of(dataset: Dataset, day: int) -> Iterator[Place]:
    """Yield a dataset's places; a version that is not there yet leaves the last, smaller one.

    Of versions that are kept beside each other, each has a folder, and an index lies beside them.
    """
    part = 10 if day >= dataset.made_at else 6
    shares = {dataset.version_at(day): 20}
    if dataset.is_kept:
        shares = {"": 1, dataset.last_version: 6, dataset.version: 13}
        if day < dataset.made_at:
            shares = {"": 1, dataset.last_version: 19}
    size = dataset.size_bytes * part // 10
    count = max(1, dataset.object_count * part // 10)
    upto = 0
    for version, share in shares.items():
        before, upto = upto, upto + share
        yield Place(
            bucket=dataset.bucket,
            prefix=dataset.prefix_of(version),
            storage_class=dataset.storage_class,
            size_bytes=size * upto // 20 - size * before // 20,
            object_count=count * upto // 20 - count * before // 20,
            is_current=True,
            dataset=dataset,
            version=version,
        )
