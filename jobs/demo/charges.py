"""A line of a bill before any provider's format, and the tariff of everything but machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.world import DAY, EAST, GIB, TICKS, WEST, ticks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.demo.estate import Disk, Snapshot
    from jobs.demo.world import Machine, ManagedJob, Period, World

SERVICES: Final[Mapping[str, str]] = {
    "AmazonEC2": "Amazon Elastic Compute Cloud",
    "AmazonS3": "Amazon Simple Storage Service",
    "AmazonEKS": "Amazon Elastic Container Service for Kubernetes",
    "AmazonSageMaker": "Amazon SageMaker",
    "AmazonVPC": "Amazon Virtual Private Cloud",
    "AWSELB": "Elastic Load Balancing",
    "AWSSupportEnterprise": "AWS Support (Enterprise)",
    "ComputeSavingsPlans": "Savings Plans for AWS Compute usage",
}
"""Product code -> the name that people know."""
PREFIX: Final = {EAST: "", WEST: "EU-"}
"""What usage types begin with; us-east-1 has nothing."""
TRANSFER_CODE: Final = {EAST: "USE1", WEST: "EU"}
PLATFORM_TAGS: Final[Mapping[str, str]] = {"user_team": "platform", "user_project": "ml-platform"}
STORAGE_RATE: Final = {"STANDARD": ticks("0.0225"), "STANDARD_IA": ticks("0.0125")}
"""Per GB and month."""
REQUEST_RATE: Final = {"Tier1": ticks("0.000005"), "Tier2": ticks("0.0000004")}
TRANSFER_RATE: Final = ticks("0.02")
"""Per GB between regions."""
INTERNET_RATE: Final = ticks("0.07")
CENT: Final = TICKS // 100


class Split(NamedTuple):
    """What a pod was allotted of a resource of its machine in an hour."""

    parent: str
    """The machine."""
    reserved: int
    used: int
    capacity: int
    cost: int
    """The part of the machine's cost; the machine's own line carries it."""


@dataclass(slots=True)
class Charge:
    """One line."""

    period: Period
    start: int
    end: int
    account: str
    product: str
    """AmazonEC2."""
    usage_type: str
    operation: str
    resource: str
    region: str
    amount: float
    unit: str
    rate: int
    cost: int
    """What AWS calls unblended: at the price on demand where a commitment covers the use."""
    line_type: str = "Usage"
    zone: str = ""
    description: str = ""
    effective: int | None = None
    """Amortised; None where it is the same as what is billed."""
    billed: int | None = None
    """Cash; None where it is `cost`."""
    tags: Mapping[str, str] = field(default_factory=dict)
    instance_type: str = ""
    to_region: str = ""
    """Where bytes went: a region, or `internet`."""
    plan: str = ""
    """The Savings Plan it has to do with."""
    commitment: int = 0
    used_commitment: int = 0
    machine: Machine | None = None
    job: ManagedJob | None = None
    bucket: str = ""
    storage_class: str = ""
    split: Split | None = None
    disk: Disk | None = None
    copy: Snapshot | None = None
    namespace: str = ""
    """Of Kubernetes, where the bill itself splits a node."""
    is_labelled: bool = False
    """The split line has its pods' labels, too."""
    moved_to: str = ""
    """Where bytes really went, though the bill may not know."""

    @property
    def effective_cost(self) -> int:
        """Amortised cost, in ticks."""
        return self.billed_cost if self.effective is None else self.effective

    @property
    def billed_cost(self) -> int:
        """Cash cost, in ticks."""
        return self.cost if self.billed is None else self.billed


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is billed again and again."""

    account: str
    product: str
    usage_type: str
    operation: str
    resource: str
    region: str
    unit: str
    rate: int
    tags: Mapping[str, str]
    bucket: str = ""
    storage_class: str = ""
    to_region: str = ""

    def charge(self, world: World, start: int, seconds: int, amount: float, cost: int) -> Charge:
        """Return a line of it."""
        return Charge(
            period=world.calendar.period_of(start),
            start=start,
            end=start + seconds,
            account=self.account,
            product=self.product,
            usage_type=self.usage_type,
            operation=self.operation,
            resource=self.resource,
            region=self.region,
            amount=amount,
            unit=self.unit,
            rate=self.rate,
            cost=cost,
            description=f"${self.rate / TICKS:g} per {self.unit} of {self.usage_type}",
            tags=self.tags,
            bucket=self.bucket,
            storage_class=self.storage_class,
            to_region=self.to_region,
        )


def price_of(rate: int, amount_seconds: int, per_seconds: int) -> int:
    """Return a rate for part of its time, rounded half up to ticks."""
    return (2 * rate * amount_seconds + per_seconds) // (2 * per_seconds)


def price_bytes(rate: int, size: int) -> int:
    """Return what bytes cost at a rate per GB, rounded down to ticks."""
    return rate * size // GIB


def to_cents(amount: int) -> int:
    """Return an amount in whole cents, rounded down."""
    return amount // CENT * CENT


def kept(world: World, thing: Thing, day: int, size_seconds: int, unit: int = 1) -> Charge:
    """Return a line for what was kept on a day; `unit` is what of the size makes a gigabyte."""
    period = world.calendar.period_of(day)
    month = (period.end - period.start) * unit
    return thing.charge(
        world, day, DAY, round(size_seconds / month, 8), thing.rate * size_seconds // month
    )
