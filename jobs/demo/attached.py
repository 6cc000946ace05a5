"""Which disk belonged to which machine on a day, as far as a listing of the account tells.

Listings are some days apart. What one shows stands until the next; a disk that it shows for the
first time was attached since its machine began, but not before the last listing. So nobody knows
of disks that came and went between two: those are their tags' owners'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobs.demo.aws_listing import listed_days
from jobs.demo.world import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jobs.demo.estate import Disk, Estate, Snapshot
    from jobs.demo.world import Machine, World

_OWNERS: Final = ("user_owner", "user_team", "user_project")
_STANDS: Final = 35 * DAY
"""How long a listing stands, and how far back the first one does."""


class Attached:
    """Looks up what is known of disks and snapshots."""

    def __init__(self, world: World, estate: Estate) -> None:
        """Learn a company's machines, disks and listings."""
        self.listed = listed_days(world)
        self.machines = {machine.machine_id: machine for machine in world.machines}
        self.disks = {disk.volume_id: disk for disk in estate.disks}
        self._known: dict[str, Sequence[tuple[int, int]]] = {}

    def machine_of(self, disk: Disk, day: int) -> Machine | None:
        """Return the machine whose holders a disk is known to belong to on a day.

        None where it was not there, and where the disk's own tags name another owner.
        """
        machine = self.machines.get(disk.machine_id)
        if machine is None or machine.start >= day + DAY or machine.end <= day:
            return None
        if any(
            disk.tags.get(tag, machine.tags.get(tag)) != machine.tags.get(tag) for tag in _OWNERS
        ):
            return None
        if disk.volume_id not in self._known:
            self._known[disk.volume_id] = self._spans(disk)
        return machine if any(a <= day < b for a, b in self._known[disk.volume_id]) else None

    def _spans(self, disk: Disk) -> list[tuple[int, int]]:
        spans: list[tuple[int, int]] = []
        was_seen = False
        for number, listed in enumerate(self.listed):
            noon = listed + 12 * HOUR
            is_seen = disk.start <= noon < min(disk.end, disk.detached)
            if is_seen:
                before = self.listed[number - 1] if number else listed - _STANDS
                since = listed if was_seen else min(max(disk.start // DAY * DAY, before), listed)
                following = [*self.listed[number + 1 : number + 2], listed + _STANDS]
                spans.append((since, min(following)))
            was_seen = is_seen
        return spans

    def tags_of(self, copy: Snapshot, day: int) -> Mapping[str, str]:
        """Return a snapshot's tags, and those of its volume for what its own do not say."""
        disk = self.disks.get(copy.volume_id)
        is_listed = bool(self.listed) and day >= self.listed[0] - _STANDS
        if disk is None or day >= disk.end or not is_listed:
            return copy.tags
        return {**disk.tags, **copy.tags}
