"""What buckets, traffic and the platform cost.

Planted here: storage that nobody registered, and bytes that cross from one region to another
because a dataset lies where its readers are not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from jobs.demo.catalog import BUCKETS
from jobs.demo.charges import (
    INTERNET_RATE,
    PLATFORM_TAGS,
    PREFIX,
    REQUEST_RATE,
    STORAGE_RATE,
    TRANSFER_CODE,
    TRANSFER_RATE,
    Charge,
    Thing,
    kept,
    price_bytes,
    price_of,
)
from jobs.demo.estate import gateway_id
from jobs.demo.fleet import EUROPE, SERVING, TRAINING
from jobs.demo.inventory import stored_on
from jobs.demo.reads import bytes_moved
from jobs.demo.world import DAY, EAST, GIB, HOUR, WEST, stream, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobs.demo.world import World

BUCKET_TAGS: Final[Mapping[str, Mapping[str, str]]] = {
    bucket: PLATFORM_TAGS if "checkpoints" in bucket else {} for bucket in BUCKETS
}
_HOMES: Final = {EAST: TRAINING, WEST: EUROPE}
"""Region -> the account that its storage and its cluster belong to."""
_CLASSES: Final = {
    "STANDARD": ("TimedStorage-ByteHrs", "StandardStorage"),
    "STANDARD_IA": ("TimedStorage-SIA-ByteHrs", "StandardIAStorage"),
}
_REQUESTS: Final = {"Tier1": ("PutObject", 22_000), "Tier2": ("GetObject", 900_000)}
"""Tier -> operation and how many an hour, on a middling bucket."""
_ZONE_RATE: Final = ticks("0.01")
_PLACES: Final = 10_000
"""Amounts have four decimal places."""


def service_charges(world: World) -> Iterator[Charge]:
    """Yield everything but machines, managed jobs and what comes once a month."""
    yield from _storage(world)
    yield from _requests(world)
    yield from _transfers(world)
    yield from _platform(world)
    yield from _across_zones(world)


def _storage(world: World) -> Iterator[Charge]:
    """Yield a line a day for each bucket and storage class."""
    for day in world.calendar.days:
        for (bucket, storage_class), size in _stored_bytes(world, day).items():
            usage, operation = _CLASSES[storage_class]
            thing = _of_bucket(
                bucket, usage, operation, "GB-Mo", STORAGE_RATE[storage_class], storage_class
            )
            yield kept(world, thing, day, size * DAY, GIB)


def _stored_bytes(world: World, day: int) -> dict[tuple[str, str], int]:
    sums: dict[tuple[str, str], int] = {}
    for place in stored_on(world, day):
        key = (place.bucket, place.storage_class)
        sums[key] = sums.get(key, 0) + place.size_bytes
    return sums


def _requests(world: World) -> Iterator[Charge]:
    rng = stream(world.seed, "requests")
    things = [
        (_of_bucket(bucket, f"Requests-{tier}", operation, "Requests", REQUEST_RATE[tier]), count)
        for bucket in BUCKETS
        for tier, (operation, count) in _REQUESTS.items()
    ]
    for hour in world.calendar.hours:
        for thing, usual in things:
            count = int(usual * rng.uniform(0.2, 2.4))
            yield thing.charge(world, hour, HOUR, float(count), thing.rate * count)


def _of_bucket(  # noqa: PLR0913, PLR0917  (a line of a bill has many columns)
    bucket: str, usage: str, operation: str, unit: str, rate: int, storage_class: str = ""
) -> Thing:
    region = BUCKETS[bucket]
    return Thing(
        account=_HOMES[region],
        product="AmazonS3",
        usage_type=f"{PREFIX[region]}{usage}",
        operation=operation,
        resource=bucket,
        region=region,
        unit=unit,
        rate=rate,
        tags=BUCKET_TAGS[bucket],
        bucket=bucket,
        storage_class=storage_class,
    )


def _transfers(world: World) -> Iterator[Charge]:
    """Yield a line a day for what left a bucket's region for another, or for the internet."""
    for (day, bucket, target), moved in sorted(bytes_moved(world).items()):
        region = BUCKETS[bucket]
        is_abroad = target not in TRANSFER_CODE
        thing = Thing(
            account=_HOMES[region],
            product="AmazonS3",
            usage_type=(
                f"{PREFIX[region]}DataTransfer-Out-Bytes"
                if is_abroad
                else f"{TRANSFER_CODE[region]}-{TRANSFER_CODE[target]}-AWS-Out-Bytes"
            ),
            operation="GetObject",
            resource=bucket,
            region=region,
            unit="GB",
            rate=INTERNET_RATE if is_abroad else TRANSFER_RATE,
            tags=BUCKET_TAGS[bucket],
            bucket=bucket,
            to_region="internet" if is_abroad else target,
        )
        size = sum(part.size_bytes for part in moved)
        cost = price_bytes(thing.rate, size)
        yield replace(thing.charge(world, day, DAY, round(size / GIB, 8), cost), moved_to=target)


def _platform(world: World) -> Iterator[Charge]:
    """Yield control planes, NAT gateways and load balancers, hour by hour."""
    rng = stream(world.seed, "platform")
    things = [*_of_region(EAST, "forge-use1"), *_of_region(WEST, "forge-euw1"), *_balancer()]
    for hour in world.calendar.hours:
        for thing, most in things:
            amount = rng.randint(_PLACES, most * _PLACES) if most else _PLACES
            cost = price_of(thing.rate, amount, _PLACES)
            yield thing.charge(world, hour, HOUR, amount / _PLACES, cost)


def _of_region(region: str, cluster: str) -> Iterator[tuple[Thing, int]]:
    """Yield a control plane and a NAT gateway, each with the most it does in an hour, or 0."""
    account = _HOMES[region]
    place = f"{region}:{account}"
    yield (
        Thing(
            account,
            "AmazonEKS",
            f"{TRANSFER_CODE[region]}-AmazonEKS-Hours:perCluster",
            "CreateOperation",
            f"arn:aws:eks:{place}:cluster/{cluster}",
            region,
            "Hrs",
            ticks("0.1"),
            {},
        ),
        0,
    )
    gateway = f"arn:aws:ec2:{place}:natgateway/{gateway_id(cluster)}"
    for usage, unit, most in (("Hours", "Hrs", 0), ("Bytes", "GB", 60)):
        yield (
            Thing(
                account,
                "AmazonEC2",
                f"{PREFIX[region]}NatGateway-{usage}",
                "NatGateway",
                gateway,
                region,
                unit,
                ticks("0.045"),
                PLATFORM_TAGS,
            ),
            most,
        )


def _balancer() -> Iterator[tuple[Thing, int]]:
    resource = f"arn:aws:elasticloadbalancing:{EAST}:{SERVING}:loadbalancer/app/predict/5ea1d0c4"
    operation = "LoadBalancing:Application"
    yield (
        Thing(
            SERVING,
            "AWSELB",
            "LoadBalancerUsage",
            operation,
            resource,
            EAST,
            "Hrs",
            ticks("0.0225"),
            PLATFORM_TAGS,
        ),
        0,
    )
    yield (
        Thing(
            SERVING,
            "AWSELB",
            "DataTransfer-Out-Bytes",
            operation,
            resource,
            EAST,
            "GB",
            ticks("0.09"),
            PLATFORM_TAGS,
            to_region="internet",
        ),
        14,
    )


def _across_zones(world: World) -> Iterator[Charge]:
    """Yield what the platform's nodes say to other zones: billed coming and going."""
    rng = stream(world.seed, "across zones")
    for machine in world.machines:
        if machine.tags.get("user_team") != "platform":
            continue
        things = [
            Thing(
                machine.account,
                "AmazonEC2",
                f"{PREFIX[machine.region]}DataTransfer-Regional-Bytes",
                f"InterZone-{way}",
                machine.machine_id,
                machine.region,
                "GB",
                _ZONE_RATE,
                machine.tags,
                to_region=machine.region,
            )
            for way in ("In", "Out")
        ]
        for hour in range(machine.start // HOUR * HOUR, machine.end, HOUR):
            for thing in things:
                amount = rng.randint(200, 50_000)
                cost = price_of(thing.rate, amount, _PLACES)
                yield thing.charge(world, hour, HOUR, amount / _PLACES, cost)
