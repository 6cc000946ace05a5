"""What stands in the company's AWS accounts, and the waste that is planted among it.

Beside each kind of waste stands what looks like it and is none: a snapshot whose volume is long
gone may still be what an image, a template, a backup or a run needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobs.demo.estate import (
    EVER,
    Address,
    Balancer,
    Case,
    Disk,
    Estate,
    Image,
    Snapshot,
    Stopped,
    Template,
)
from jobs.demo.fleet import EUROPE, G5, SANDBOX, SERVING, TRAINING
from jobs.demo.world import COMPANY, DAY, EAST, HOUR, WEST, hex_id, stream

if TYPE_CHECKING:
    import random

    from jobs.demo.world import World

PARTNER: Final = "204857600099"
"""An account of somebody else."""
_NODE_DISK_GB: Final = 200
_LOST_GB: Final = 16_000
_OLD: Final = 200 * DAY
"""How long before its bills begin the company made what it forgot."""
_LOOSE: Final = 43 * DAY
"""How long before the end its planted volumes were taken from their machines: on a listed day."""


def found_estate(world: World) -> Estate:
    """Return what stands there; one run is told to name a snapshot."""
    estate = Estate()
    _add_node_disks(estate, world)
    _add_project_disks(estate, world)
    _Planter(world, estate).plant()
    return estate


def _add_node_disks(estate: Estate, world: World) -> None:
    rng = stream(world.seed, "node disks")
    for machine in world.machines:
        if machine.source == "aws":
            estate.disks.append(
                Disk(
                    volume_id=f"vol-0{hex_id(rng, 16)}",
                    account=machine.account,
                    region=machine.region,
                    zone=machine.zone,
                    size_gb=_NODE_DISK_GB,
                    start=machine.start,
                    end=machine.end,
                    tags=machine.tags,
                    machine_id=machine.machine_id,
                )
            )


def _add_project_disks(estate: Estate, world: World) -> None:
    """Add a volume and its snapshot for each project, and what the sandbox left behind."""
    rng = stream(world.seed, "disks")
    calendar = world.calendar
    old = calendar.start - _OLD
    hosts = [m for m in world.machines if m.account == TRAINING and m.end == calendar.until]
    for number, project in enumerate(world.projects):
        tags = {"user_team": project.team, "user_project": project.name}
        owner = rng.choice([p for p in world.people if p.stays[0].team == project.team])
        volume, copy = f"vol-0{hex_id(rng, 16)}", f"snap-0{hex_id(rng, 16)}"
        size, host = rng.randint(400, 6000), hosts[number % len(hosts)]
        estate.disks.append(
            Disk(
                volume_id=volume,
                account=TRAINING,
                region=EAST,
                zone=host.zone,
                size_gb=size,
                start=old,
                end=EVER,
                tags=tags | {"user_owner": owner.login},
                machine_id=host.machine_id,
            )
        )
        estate.snapshots.append(
            Snapshot(copy, TRAINING, EAST, volume, size * 3 // 5, size, old + DAY, tags)
        )
        if number == 0:
            estate.cases.append(
                Case("orphaned_snapshot", copy, False, "its volume is there", (copy,))  # noqa: FBT003
            )
    volume, copy = f"vol-0{hex_id(rng, 16)}", f"snap-0{hex_id(rng, 16)}"
    gone = calendar.start + len(calendar.days) // 5 * DAY
    estate.disks.append(Disk(volume, SANDBOX, EAST, f"{EAST}b", _LOST_GB, old, gone, {}))
    size = _LOST_GB * 19 // 20
    estate.snapshots.append(Snapshot(copy, SANDBOX, EAST, volume, size, _LOST_GB, old + DAY, {}))
    estate.cases.append(
        Case("orphaned_snapshot", copy, True, "nothing refers to it", (copy,))  # noqa: FBT003
    )


class _Planter:
    """Plants waste, and what looks like it."""

    def __init__(self, world: World, estate: Estate) -> None:
        self.world = world
        self.estate = estate
        self.rng: random.Random = stream(world.seed, "estate")
        self.old = world.calendar.start - _OLD
        self.until = world.calendar.until

    def plant(self) -> None:
        self._orphans()
        self._lookalikes()
        self._volumes()
        self._addresses()
        self._balancers()
        self._stopped()

    def _id(self, kind: str, digits: int = 16) -> str:
        return f"{kind}-0{hex_id(self.rng, digits)}"

    def _tags(self, team: str, project: str = "") -> dict[str, str]:
        return {"user_team": team} | ({"user_project": project} if project else {})

    def _case(self, kind: str, thing: str, why: str, *billed: str, is_waste: bool = False) -> None:
        self.estate.cases.append(Case(kind, thing, is_waste, why, billed or (thing,)))

    def _copy(
        self, name: str, team: str, size: int, *, region: str = EAST, start: int | None = None
    ) -> Snapshot:
        """Add a snapshot whose volume was gone before the bills begin."""
        copy = Snapshot(
            snapshot_id=self._id("snap"),
            account=TRAINING if region == EAST else EUROPE,
            region=region,
            volume_id=self._id("vol"),
            size_gb=size,
            volume_gb=size * 5 // 4,
            start=self.old if start is None else start,
            tags={"user_Name": name, **self._tags(team)},
            name=name,
        )
        self.estate.snapshots.append(copy)
        return copy

    def _orphans(self) -> None:
        for name, team, size, region in (
            ("before-migration", "vision", 1200, EAST),
            ("corpus-2025-raw", "language", 3400, EAST),
            ("sim-disks-old", "robotics", 800, WEST),
        ):
            copy = self._copy(name, team, size, region=region)
            why = "nothing refers to it"
            self._case("orphaned_snapshot", copy.snapshot_id, why, is_waste=True)

    def _lookalikes(self) -> None:
        """Add snapshots without a volume that are needed all the same, or too young to tell."""
        estate, old = self.estate, self.old
        disabled, lent, named, kept, managed, told = (
            self._copy(name, team, size)
            for name, team, size in (
                ("rollback-image", "platform", 300),
                ("partner-image", "speech", 250),
                ("warm-cache", "search", 500),
                ("nightly-backup", "forecasting", 700),
                ("lifecycle-backup", "recommendations", 650),
                ("train-set-frozen", "vision", 900),
            )
        )
        lent_out = self._copy("lent-to-partner", "speech", 400)
        lent_out.shared_with = PARTNER
        young = self._copy("just-taken", "robotics", 600, start=self.until - 5 * DAY)
        for copy, name, state, partner in (
            (disabled, "forge-node-rollback", "disabled", ""),
            (lent, "forge-node-partner", "available", PARTNER),
        ):
            made = Image(
                self._id("ami"), name, TRAINING, EAST, copy.snapshot_id, old, state, partner
            )
            estate.images.append(made)
        template = self._id("lt")
        image = estate.images[1].image_id
        estate.templates.append(
            Template(template, "warm-trainer", TRAINING, EAST, image, named.snapshot_id, old)
        )
        kept.is_in_vault = True
        managed.tags = {
            **managed.tags,
            "aws:dlm:lifecycle-policy-id": "policy-0d1e5a7b9c3f2e4d6",
            "dlm:managed": "true",
        }
        for copy, why in (
            (disabled, "a disabled image maps it"),
            (lent, "an image that others may launch maps it"),
            (named, "an old version of a launch template names it"),
            (kept, "AWS Backup keeps it"),
            (managed, "a lifecycle policy keeps it"),
            (told, "a run names it in a tag"),
            (lent_out, "it is shared with another account"),
            (young, "it is five days old"),
        ):
            self._case("orphaned_snapshot", copy.snapshot_id, why)
        runs = (run for run in reversed(self.world.runs) if run.status == "FINISHED")
        if (run := next(runs, None)) is not None:
            run.snapshot_id = told.snapshot_id

    def _volumes(self) -> None:
        host = next(m for m in self.world.machines if m.account == TRAINING and m.end == self.until)
        for name, team, size, ago in (
            ("pretrain-scratch", "language", 4000, _LOOSE),
            ("labels-export", "vision", 1500, _LOOSE - 7 * DAY),
            ("moved-yesterday", "robotics", 2000, DAY),
        ):
            disk = Disk(
                volume_id=self._id("vol"),
                account=TRAINING,
                region=EAST,
                zone=host.zone,
                size_gb=size,
                start=self.old,
                end=EVER,
                tags={"user_Name": name, **self._tags(team)},
                machine_id=host.machine_id,
                detached=self.until - ago,
                name=name,
            )
            self.estate.disks.append(disk)
            is_waste = ago > DAY
            why = f"unattached for {ago // DAY} days"
            self._case("unattached_volume", disk.volume_id, why, is_waste=is_waste)

    def _addresses(self) -> None:
        serving = next(m for m in self.world.machines if m.account == SERVING)
        for number, (team, machine) in enumerate(
            (("search", ""), ("platform", serving.machine_id))
        ):
            address = Address(
                allocation_id=self._id("eipalloc"),
                address=f"198.51.100.{20 + number}",
                account=SERVING,
                region=EAST,
                start=self.old,
                tags=self._tags(team),
                machine_id=machine,
            )
            self.estate.addresses.append(address)
            why = "a machine has it" if machine else "nothing has it"
            kind = "unattached_address"
            self._case(kind, address.allocation_id, why, is_waste=not machine)

    def _balancers(self) -> None:
        tags = {"user_team": "platform", "user_project": "ml-platform"}
        used = Balancer("predict", "5ea1d0c4", SERVING, EAST, self.old, tags, "serve-a10g")
        left = Balancer(
            f"{COMPANY}-demo", "77e0c1b2", SERVING, EAST, self.old, self._tags("search")
        )
        self.estate.balancers += [used, left]
        self._case("idle_balancer", used.arn, "machines stand behind it")
        self._case("idle_balancer", left.arn, "nothing stands behind it", is_waste=True)

    def _stopped(self) -> None:
        tags = {"user_Name": "notebook-gpu-old", **self._tags("speech")}
        at = self.world.calendar.start - 12 * DAY + 9 * HOUR
        machine = Stopped(self._id("i"), G5, TRAINING, EAST, f"{EAST}a", self.old, at, tags)
        self.estate.stopped.append(machine)
        volumes = [self._id("vol") for _ in range(2)]
        for volume, size in zip(volumes, (200, 2400), strict=True):
            self.estate.disks.append(
                Disk(
                    volume_id=volume,
                    account=TRAINING,
                    region=EAST,
                    zone=machine.zone,
                    size_gb=size,
                    start=self.old,
                    end=EVER,
                    tags=tags,
                    machine_id=machine.machine_id,
                )
            )
        why = "stopped before the bills begin; its disks are billed"
        self._case("stopped_machine", machine.machine_id, why, *volumes, is_waste=True)
