"""What everything really cost, by construction, to the last digit.

Written without a look at the SQL: from the same description of the method, in whole numbers. A cost
is cut in proportion to whole weights, each cut rounded down at 10^-12 of what came before it, so
that parts add up to the cost. What the truth knows, somebody wrote down in some delivered file
(a tag, a label, a rule, a membership); who never did is `unattributed` here, too.

A machine's hour: GPUs, cores and memory weigh 9 : 0.9 : 0.1. A pod holds the larger of what it
asked for and what it used, and is its run's for as long as it lives. Runs inside somebody's pod,
and runs on a bare machine, share it while they are there, by GPUs where all of them say how many;
a run whose child is there holds nothing. The rest is idle. Storage and requests go to datasets by
bytes of the storage class, transfers to the runs that moved the bytes, managed jobs to their run.
A disk that a listing shows with a machine is its holders', idle part included, a day at a time,
unless the disk's tags name an owner whom the machine's do not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.attached import Attached
from jobs.demo.estate import Estate
from jobs.demo.holding import Holder, holders_between, holders_on_day
from jobs.demo.inventory import stored_on
from jobs.demo.reads import bytes_moved
from jobs.demo.rented_bill import CURRENCY
from jobs.demo.world import DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from jobs.demo.charges import Charge
    from jobs.demo.inventory import Place
    from jobs.demo.world import Machine, World

RECENT: Final = 30 * DAY
UNITS: Final = 100
"""Units of 10^-12 in a tick."""
_KINDS: Final = {
    "Tax": "tax",
    "Credit": "credit",
    "Refund": "credit",
    "EdpDiscount": "credit",
    "Fee": "shared",
    "Purchase": "shared",
    "SavingsPlanUpfrontFee": "shared",
    "UnusedReservation": "commitment_unused",
}


_CONTROL_PLANES: Final = ("AmazonEKS", "Kubernetes Engine")


class Bill(NamedTuple):
    """Which bill a cost is on."""

    source: str
    period: str
    currency: str


class Entry(NamedTuple):
    """Whose a cost is."""

    bill: Bill
    kind: str
    """As postings call it: direct, idle, shared, commitment_unused, tax, credit, unattributed."""
    service: str
    holder: Holder


class Cost(NamedTuple):
    """Both measures, in units of 10^-12."""

    effective: int
    billed: int


class Recent:
    """What the last thirty days cost, as detectors need it."""

    def __init__(self) -> None:
        self.machine_hours: dict[tuple[str, int], int] = defaultdict(int)
        """Machine and hour -> its cost."""
        self.runs: dict[tuple[str, str], int] = defaultdict(int)
        """Run and currency -> its cost, without transfers."""
        self.transfers: dict[tuple[str, str, str], int] = defaultdict(int)
        """Dataset, the region it left and the one it went to -> what its readers paid."""
        self.stored: dict[str, int] = defaultdict(int)
        """Dataset -> its storage, without requests."""

    def add_machine(self, charge: Charge, cost: int) -> None:
        """Add a line, if it is a machine's."""
        if charge.machine is not None and charge.machine.cluster:
            self.machine_hours[charge.machine.machine_id, charge.start] += cost

    def add(self, currency: str, charge: Charge, holder: Holder, part: int) -> None:
        """Add a holder's part of a line."""
        if charge.bucket and charge.to_region:
            self.transfers[holder.dataset, charge.region, charge.to_region] += part
        elif holder.run:
            self.runs[holder.run, currency] += part
        elif charge.storage_class:
            self.stored[holder.dataset] += part


class Parts:
    """What lineage asks for: costs of runs, and of data by day."""

    def __init__(self) -> None:
        self.work: dict[tuple[str, str, str], int] = defaultdict(int)
        """Run, the dataset that it moved if that is what cost, and currency."""
        self.stored: dict[tuple[str, int], int] = defaultdict(int)
        """Dataset and day -> its storage and requests."""
        self.of_data: dict[str, int] = defaultdict(int)
        """Dataset -> what was stored and moved of it."""

    def add(self, currency: str, charge: Charge, holder: Holder, part: int) -> None:
        """Add a holder's part of a line."""
        if holder.run:
            self.work[holder.run, holder.dataset, currency] += part
        elif holder.dataset:
            self.stored[holder.dataset, charge.start // DAY * DAY] += part
        if holder.dataset:
            self.of_data[holder.dataset] += part


class Truth:
    """Adds up what everybody cost."""

    def __init__(self, world: World, estate: Estate | None = None) -> None:
        """Prepare for one company's bills; without an estate none of them has disks."""
        self.world = world
        self.attached = Attached(world, estate or Estate())
        self.costs: dict[Entry, list[int]] = defaultdict(lambda: [0, 0])
        self.totals: dict[Bill, list[int]] = defaultdict(lambda: [0, 0])
        self.recent = Recent()
        self.parts = Parts()
        self._moved = bytes_moved(world)
        self._stored: dict[int, list[Place]] = {}
        self._day = -1
        self._held: dict[str, tuple[Sequence[tuple[Holder, int]], int]] = {}

    def add(self, source: str, charges: Iterable[Charge]) -> None:
        """Attribute the lines of a bill."""
        for charge in charges:
            bill = Bill(source, charge.period.name, CURRENCY[source])
            cost = Cost(charge.effective_cost * UNITS, charge.billed_cost * UNITS)
            self.totals[bill][0] += cost.effective
            self.totals[bill][1] += cost.billed
            self.recent.add_machine(charge, cost.effective)
            if cost != (0, 0):
                self._attribute(bill, charge, cost)

    def _attribute(self, bill: Bill, charge: Charge, cost: Cost) -> None:
        if charge.line_type == "SavingsPlanRecurringFee":
            self._post(Entry(bill, "shared", charge.product, Holder()), Cost(0, cost.billed))
            unused = Entry(bill, "commitment_unused", charge.product, Holder())
            self._post(unused, Cost(cost.effective, 0))
        elif charge.line_type in _KINDS:
            self._post(Entry(bill, _KINDS[charge.line_type], charge.product, Holder()), cost)
        elif charge.product in _CONTROL_PLANES:
            self._post(Entry(bill, "shared", charge.product, Holder()), cost)
        else:
            self._share(bill, charge, cost, *self._shares(charge))

    def _shares(self, charge: Charge) -> tuple[Sequence[tuple[Holder, int]], int]:
        """Return who holds what of a line, and the whole."""
        tags = self.attached.tags_of(charge.copy, charge.start) if charge.copy else charge.tags
        by_tags = Holder(
            tag_user=tags.get("user_owner", ""),
            tag_team=tags.get("user_team", tags.get("owner-team", "")),
            tag_project=tags.get("user_project", ""),
        )
        if charge.disk is not None:
            machine = self.attached.machine_of(charge.disk, charge.start)
            if machine is not None:
                return self._holders(machine, charge.start)
        if charge.machine is not None and (
            charge.machine.cluster or charge.machine.source != "aws"
        ):
            return holders_between(self.world, charge.machine, charge.start, charge.end)
        if charge.job is not None and charge.job.run is not None:
            return [(Holder(run=charge.job.run.run_id), 1)], 1
        if charge.bucket and charge.to_region:
            return self._readers(charge)
        if charge.bucket:
            return self._datasets(charge, by_tags)
        return [(by_tags, 1)], 1

    def _holders(self, machine: Machine, day: int) -> tuple[Sequence[tuple[Holder, int]], int]:
        """Return who held a machine on a day; the last day asked for is at hand."""
        if self._day != day:
            self._day, self._held = day, {}
        if machine.machine_id not in self._held:
            self._held[machine.machine_id] = holders_on_day(self.world, machine, day)
        return self._held[machine.machine_id]

    def _readers(self, charge: Charge) -> tuple[Sequence[tuple[Holder, int]], int]:
        moved = self._moved[charge.start, charge.bucket, charge.moved_to]
        weights = [
            (
                Holder(run=part.run.run_id, dataset=part.dataset.name, version=part.version),
                part.size_bytes,
            )
            for part in moved
        ]
        return weights, sum(weight for _, weight in weights)

    def _datasets(
        self, charge: Charge, by_tags: Holder
    ) -> tuple[Sequence[tuple[Holder, int]], int]:
        day = charge.start // DAY * DAY
        if day not in self._stored:
            self._stored = {day: stored_on(self.world, day)}
        places = [
            place
            for place in self._stored[day]
            if place.bucket == charge.bucket and charge.storage_class in ("", place.storage_class)
        ]
        weights = [
            (
                Holder(dataset=place.dataset.name, version=place.version)
                if place.dataset
                else by_tags._replace(dataset="(unregistered)"),
                place.size_bytes,
            )
            for place in places
        ]
        return weights, sum(weight for _, weight in weights)

    def _share(
        self,
        bill: Bill,
        charge: Charge,
        cost: Cost,
        weights: Sequence[tuple[Holder, int]],
        whole: int,
    ) -> None:
        """Cut a cost by weights; what they leave of the whole is idle."""
        effective, billed = cuts(cost.effective, weights, whole), cuts(cost.billed, weights, whole)
        if charge.start >= self.world.calendar.until - RECENT:
            for (holder, _), part in zip(weights, effective, strict=False):
                self.recent.add(bill.currency, charge, holder, part)
        for (holder, _), part in zip(weights, effective, strict=False):
            self.parts.add(bill.currency, charge, holder, part)
        for (holder, _), part, cash in zip(weights, effective, billed, strict=False):
            self._post(Entry(bill, holder.kind, charge.product, holder), Cost(part, cash))
        left = Cost(effective[-1], billed[-1])
        self._post(Entry(bill, "idle", charge.product, Holder()), left)

    def _post(self, entry: Entry, cost: Cost) -> None:
        if cost != (0, 0):
            sums = self.costs[entry]
            sums[0] += cost.effective
            sums[1] += cost.billed

    def entries(self) -> Iterator[tuple[Entry, Cost]]:
        """Yield what every holder cost, sorted."""
        for entry in sorted(self.costs):
            yield entry, Cost(*self.costs[entry])


def cuts(cost: int, weights: Sequence[tuple[Holder, int]], whole: int) -> list[int]:
    """Return a cost's parts, and last what the weights leave of it."""
    parts, upto, before = [], 0, 0
    for _, weight in weights:
        upto += weight
        at = cost * upto // whole
        parts.append(at - before)
        before = at
    return [*parts, cost - before]
