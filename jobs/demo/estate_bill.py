"""What disks, snapshots, addresses and forgotten load balancers cost.

Planted here: the orphaned, the unattached and the idle, billed on long after anybody needed them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobs.demo.charges import PREFIX, Thing, kept, price_of
from jobs.demo.world import DAY, HOUR, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobs.demo.charges import Charge
    from jobs.demo.estate import Address, Balancer, Disk, Estate, Snapshot
    from jobs.demo.world import World

_VOLUME_RATE: Final = ticks("0.08")
_SNAPSHOT_RATE: Final = ticks("0.05")
_ADDRESS_RATE: Final = ticks("0.005")
_BALANCER_RATE: Final = ticks("0.0225")


def estate_charges(world: World, estate: Estate) -> Iterator[Charge]:
    """Yield a line a day for each thing."""
    lines = []
    for disk in estate.disks:
        for line in _daily(world, _of_disk(disk), disk.size_gb, disk.start, disk.end):
            line.disk = disk
            lines.append(line)
    yield from sorted(lines, key=lambda line: line.start)
    end = world.calendar.until
    for copy in estate.snapshots:
        for line in _daily(world, _of_snapshot(copy), copy.size_gb, copy.start, end):
            line.copy = copy
            yield line
    for address in estate.addresses:
        yield from _hours(world, _of_address(address))
    for balancer in estate.balancers:
        if not balancer.pool:  # those that are used are billed with their traffic
            yield from _hours(world, _of_balancer(balancer))


def _daily(world: World, thing: Thing, size_gb: int, start: int, end: int) -> Iterator[Charge]:
    first, last = max(start, world.calendar.start), min(end, world.calendar.until)
    for day in range(first // DAY * DAY, last, DAY):
        seconds = min(last, day + DAY) - max(first, day)
        yield kept(world, thing, day, size_gb * seconds)


def _hours(world: World, thing: Thing) -> Iterator[Charge]:
    for day in world.calendar.days:
        cost = price_of(thing.rate, DAY, HOUR)
        yield thing.charge(world, day, DAY, float(DAY // HOUR), cost)


def _of_disk(disk: Disk) -> Thing:
    usage = f"{PREFIX[disk.region]}EBS:VolumeUsage.gp3"
    return _stored(disk.account, disk.region, usage, "CreateVolume-Gp3", disk.volume_id, disk.tags)


def _of_snapshot(copy: Snapshot) -> Thing:
    usage = f"{PREFIX[copy.region]}EBS:SnapshotUsage"
    resource = f"arn:aws:ec2:{copy.region}::snapshot/{copy.snapshot_id}"
    return _stored(copy.account, copy.region, usage, "CreateSnapshot", resource, copy.tags)


def _stored(  # noqa: PLR0913, PLR0917  (a line of a bill has many columns)
    account: str, region: str, usage: str, operation: str, resource: str, tags: Mapping[str, str]
) -> Thing:
    rate = _SNAPSHOT_RATE if "Snapshot" in usage else _VOLUME_RATE
    return Thing(account, "AmazonEC2", usage, operation, resource, region, "GB-Mo", rate, tags)


def _of_address(address: Address) -> Thing:
    place = f"{address.region}:{address.account}"
    return Thing(
        account=address.account,
        product="AmazonVPC",
        usage_type=f"{PREFIX[address.region]}PublicIPv4:"
        + ("InUseAddress" if address.machine_id else "IdleAddress"),
        operation="AllocateAddressVPC",
        resource=f"arn:aws:ec2:{place}:elastic-ip/{address.allocation_id}",
        region=address.region,
        unit="Hrs",
        rate=_ADDRESS_RATE,
        tags=address.tags,
    )


def _of_balancer(balancer: Balancer) -> Thing:
    return Thing(
        account=balancer.account,
        product="AWSELB",
        usage_type=f"{PREFIX[balancer.region]}LoadBalancerUsage",
        operation="LoadBalancing:Application",
        resource=balancer.arn,
        region=balancer.region,
        unit="Hrs",
        rate=_BALANCER_RATE,
        tags=balancer.tags,
    )
