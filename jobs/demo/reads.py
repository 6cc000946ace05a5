"""Which bytes left a region because of which run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.demo.world import DAY

if TYPE_CHECKING:
    from jobs.demo.world import Dataset, Run, World


@dataclass(frozen=True, slots=True)
class Moved:
    """What one run moved of one dataset on one day."""

    run: Run
    dataset: Dataset
    size_bytes: int

    @property
    def version(self) -> str:
        """The dataset's version that was the newest when the run began."""
        return self.dataset.version_at(self.run.start)


def bytes_moved(world: World) -> dict[tuple[int, str, str], list[Moved]]:
    """Return what crossed regions, by day, bucket and the region it went to.

    A run reads evenly for as long as it lasts. What goes to somebody else's machines goes to a
    region that the provider does not have: to the internet.
    """
    moved: dict[tuple[int, str, str], list[Moved]] = {}
    for run in world.runs:
        for read in run.reads:
            if read.dataset.region == run.region or run.end <= run.start:
                continue
            length = run.end - run.start
            done = 0
            for day in range(run.start // DAY * DAY, run.end, DAY):
                upto = read.bytes_read * (min(run.end, day + DAY) - run.start) // length
                key = (day, read.dataset.bucket, run.region)
                moved.setdefault(key, []).append(Moved(run, read.dataset, upto - done))
                done = upto
    return moved
