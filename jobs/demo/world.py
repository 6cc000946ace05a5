"""What the fictitious company consists of, before anything is written.

Every writer (bills, metadata, telemetry, truth) reads these records and nothing else, so that what
one file says can be held against another. Times are whole seconds since 1970 in UTC, money whole
ten-billionths of a currency unit (`TICKS`): small enough for every price, and a double holds the
quotient to all ten places.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jobs.demo.tries import Claim, Try

HOUR: Final = 3600
DAY: Final = 86_400
GIB: Final = 2**30
TICKS: Final = 10**10
"""Parts of a currency unit that money is counted in."""
COMPANY: Final = "lumenfold"
EAST: Final = "us-east-1"
WEST: Final = "eu-west-1"


def stream(seed: int, name: str) -> random.Random:
    """Return random numbers of their own for one part of the company.

    A part that draws more than before leaves the others as they were.
    """
    return random.Random(f"{seed}/{name}")  # noqa: S311  (a made-up company, not a secret)


def hex_id(rng: random.Random, digits: int) -> str:
    """Return a made-up identifier of hexadecimal digits."""
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def ticks(amount: str) -> int:
    """Return an amount written in decimals as ticks."""
    whole, _, places = amount.partition(".")
    return int(whole) * TICKS + int(places.ljust(10, "0"))


def day_of(second: int) -> date:
    """Return the UTC day that a second lies in."""
    return datetime.fromtimestamp(second, UTC).date()


def second_of(day: date) -> int:
    """Return the first second of a UTC day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Period:
    """A billing period; `end` is exclusive and may lie beyond what the bills know."""

    name: str
    """As exports name it: `2026-10`."""
    start: int
    end: int
    is_closed: bool


@dataclass(frozen=True, slots=True)
class Calendar:
    """The stretch of time that is told."""

    periods: tuple[Period, ...]
    start: int
    until: int
    """Exclusive."""

    @classmethod
    def ending(cls, until: date, months: int) -> Calendar:
        """Return `months` billing periods, the last of them holding the day before `until`."""
        last = until - timedelta(days=1)
        first = last.year * 12 + last.month - months
        starts = [
            second_of(date(at // 12, at % 12 + 1, 1)) for at in range(first, first + months + 1)
        ]
        end = second_of(until)
        periods = tuple(
            Period(day_of(start).strftime("%Y-%m"), start, stop, stop <= end)
            for start, stop in pairwise(starts)
        )
        return cls(periods, starts[0], end)

    def period_of(self, second: int) -> Period:
        """Return the billing period of a second of use."""
        return next(period for period in self.periods if period.start <= second < period.end)

    @property
    def days(self) -> range:
        """The first seconds of the days told."""
        return range(self.start, self.until, DAY)

    @property
    def hours(self) -> range:
        """The first seconds of the hours told."""
        return range(self.start, self.until, HOUR)


@dataclass(frozen=True, slots=True)
class Stay:
    """A person's time in a team; `None` is open."""

    team: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works there."""

    user_id: str
    name: str
    login: str
    """As the tracker and the clusters name the person."""
    stays: tuple[Stay, ...]

    def team_at(self, second: int) -> str | None:
        """Return the team the person was in, none after leaving."""
        for stay in self.stays:
            if (stay.start is None or stay.start <= second) and (
                stay.end is None or second < stay.end
            ):
                return stay.team
        return None


@dataclass(frozen=True, slots=True)
class Project:
    """What a team works at."""

    name: str
    team: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Data with a name, an owner and a place."""

    name: str
    version: str
    bucket: str
    prefix: str
    region: str
    size_bytes: int
    object_count: int
    storage_class: str
    project: Project
    owner: Person
    made_at: int
    """When the newest version was complete; its bytes were there before, as those of the last."""
    is_kept: bool = False
    """Its last version is kept beside the newest, each in a folder of its own."""

    @property
    def last_version(self) -> str:
        """The version before the newest."""
        return f"v{int(self.version[1:]) - 1}"

    def version_at(self, moment: int) -> str:
        """Return the version that was the newest at a moment."""
        return self.version if moment >= self.made_at else self.last_version

    def prefix_of(self, version: str) -> str:
        """Return the folder in which a version lies; '' is what belongs to all of them."""
        return f"{self.prefix}/{version}" if self.is_kept and version else self.prefix

    def uri_of(self, version: str) -> str:
        """Return a version's place, as runs name it."""
        return f"s3://{self.bucket}/{self.prefix_of(version)}"


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model."""

    name: str
    project: Project


@dataclass(frozen=True, slots=True)
class MachineType:
    """A kind of machine and what an hour of it costs, in ticks, by region."""

    name: str
    gpus: int
    gpu_model: str
    gpu_gib: int
    cores: int
    memory_gib: int
    price: dict[str, int]
    spot_share: float = 0.35

    @property
    def weight(self) -> int:
        """GPU, CPU and memory of the machine, weighed 9 : 0.9 : 0.1, in hundredths."""
        return weigh(self.gpus * 1000, self.cores * 1000, self.memory_gib * 1000)


def weigh(gpu_milli: int, cpu_milli: int, memory_milli: int) -> int:
    """Return what a claim on a machine weighs; the unit cancels out."""
    return 90 * gpu_milli + 9 * cpu_milli + memory_milli


@dataclass(slots=True)
class Machine:
    """One rented machine."""

    machine_id: str
    kind: MachineType
    source: str
    """Which bill it is on: aws, lab or eu-lab."""
    account: str
    region: str
    zone: str
    pool: str
    cluster: str
    """Empty where the machine is bare."""
    node: str
    market: str
    """on_demand or spot."""
    start: int
    end: int
    dies_at: int = 2**62
    """When its market takes it back."""
    tags: dict[str, str] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    guests: list[tuple[int, int, int]] = field(default_factory=list)
    """Who uses a cluster's node without a pod: from when to when, and of how many GPUs."""
    free: list[int] = field(default_factory=list)
    """GPUs, thousandths of cores and GiB not promised yet."""

    def up_seconds(self, hour: int) -> int:
        """Return how much of an hour the machine was rented."""
        return max(0, min(self.end, hour + HOUR) - max(self.start, hour))


@dataclass(slots=True)
class Pod:
    """Containers of one purpose on a node, or the whole of a bare machine."""

    uid: str
    name: str
    namespace: str
    machine: Machine
    start: int
    end: int
    gpus: int
    cpu_milli: int
    """Cores asked for."""
    cpu_used_milli: int
    memory_gib: int
    memory_used_gib: int
    purpose: str
    """run, notebook, serving or system."""
    labels: dict[str, str] = field(default_factory=dict)
    run: Run | None = None
    """The run that the pod is there for."""
    busy: float = 0.8
    """How active its GPUs are, 0 to 1."""
    signs: str = ""
    """What telemetry shows of its GPUs: empty (no memory in use), hot (power is drawn, though
    nothing is active), dim (few samples); by default what goes with `busy`."""
    resource: str = "nvidia_com_gpu"
    """What it asks its GPUs by."""
    units: int = 0
    """Slices or turns that it asks for, where GPUs are shared; else it asks for `gpus`."""
    gpu_milli: int = 0
    """What its slices or turns are of whole GPUs, in thousandths."""
    gpu_numbers: list[int] = field(default_factory=list)
    """The machine's GPUs it holds, from 0; filled when telemetry is written."""

    @property
    def weight(self) -> int:
        """What the pod holds, the larger of asked and used, weighed as its machine is."""
        return weigh(
            self.gpus * 1000 + self.gpu_milli,
            max(self.cpu_milli, self.cpu_used_milli),
            max(self.memory_gib, self.memory_used_gib) * 1000,
        )

    def held_seconds(self, hour: int) -> int:
        """Return how much of an hour the pod ran."""
        return max(0, min(self.end, hour + HOUR) - max(self.start, hour))


@dataclass(slots=True)
class Read:
    """A run's reading of a dataset."""

    dataset: Dataset
    bytes_read: int
    is_logged: bool
    """Whether the run told the tracker how much it read; else it read the dataset once."""


@dataclass(slots=True)
class Run:
    """A run as its author knows it, whatever the tracker was told."""

    run_id: str
    name: str
    kind: str
    """training, sweep, trial, notebook, preparation, evaluation."""
    person: Person | None
    project: Project | None
    team: str | None
    gpus: int
    minutes: int
    """How long it would take, were nothing to happen."""
    submitted: int
    start: int = 0
    end: int = 0
    status: str = "FINISHED"
    """As MLflow says it: FINISHED, FAILED, KILLED or RUNNING."""
    parent: Run | None = None
    experiment: str = ""
    user_raw: str = ""
    tells_user: bool = True
    tells_team: bool = True
    is_zombie: bool = False
    """The pod ended, and the tracker never heard of it."""
    ends_early: bool = False
    """The tracker holds an end before the start: a clock was wrong."""
    region: str = ""
    reads: list[Read] = field(default_factory=list)
    writes: list[Dataset] = field(default_factory=list)
    models: list[tuple[Model, int]] = field(default_factory=list)
    tagged_model: str = ""
    """The model that it is to be, as its tag says."""
    pods: list[Pod] = field(default_factory=list)
    machine: Machine | None = None
    """The bare machine it ran on."""
    snapshot_id: str = ""
    """The snapshot that it says it read."""
    inside: Pod | None = None
    """The pod of somebody else's making that it ran in."""
    job_arn: str = ""
    """The managed job that it was."""
    tagged_team: str = ""
    """The team its tag says, where that is wrong."""
    is_tracked: bool = True
    """The tracker was told of it."""
    slurm_job: str = ""
    """The job that its tag names."""
    state: str = ""
    """How Slurm says that it ended, where Slurm ran it."""


@dataclass(slots=True)
class ManagedJob:
    """A training job of the provider's own service, on machines that nobody else shares."""

    arn: str
    kind: MachineType
    start: int
    end: int
    run: Run | None
    """None where its author told no tracker of it."""
    tags: dict[str, str]


@dataclass(slots=True)
class World:
    """The company, whole."""

    seed: int
    calendar: Calendar
    people: list[Person] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)
    datasets: list[Dataset] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    jobs: list[ManagedJob] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    tries: list[Try] = field(default_factory=list)
    pods_by_hour: dict[str, dict[int, list[Pod]]] = field(default_factory=dict)
    """Filled when first asked for: machine -> hour -> pods."""
    claims: dict[int, list[Claim]] = field(default_factory=dict)
    """Filled when first asked for: a shared pod or machine -> the runs that were there."""
