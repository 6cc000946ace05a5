"""What machines cost, hour by hour, on demand, spot or under a Savings Plan.

A plan covers what it can of each hour, in the order of the machines; the part of its commitment
that nobody used is lost, and a line of its own. The second plan is bought part-way, with half of
it paid up front.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from jobs.demo.charges import PREFIX, Charge, price_of
from jobs.demo.fleet import PAYER, SANDBOX, TRAINING
from jobs.demo.world import DAY, EAST, HOUR, TICKS, Machine, hex_id, stream, ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.demo.world import ManagedJob, World

_TEN_THOUSAND: Final = 10_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A Savings Plan: so much an hour, used or not."""

    arn: str
    instance_type: str
    share: int
    """Of the price on demand, in ten-thousandths."""
    hourly: int
    """The commitment, in ticks."""
    upfront_share: int
    """Part of it that is paid at once, in hundredths."""
    start: int

    @property
    def recurring(self) -> int:
        """What an hour is billed at."""
        return self.hourly * (100 - self.upfront_share) // 100

    @property
    def upfront(self) -> int:
        """What was paid at once, for a year."""
        return self.hourly * self.upfront_share // 100 * 365 * 24

    @property
    def payment(self) -> str:
        """The payment option, as AWS calls it."""
        return "Partial Upfront" if self.upfront_share else "No Upfront"


def plans_of(world: World) -> list[Plan]:
    """Return the company's plans: one since long ago, one bought on the way."""
    rng = stream(world.seed, "savings plans")
    bought = world.calendar.start + len(world.calendar.days) // 3 * DAY + 9 * HOUR
    arn = f"arn:aws:savingsplans::{PAYER}:savingsplan/"
    return [
        Plan(f"{arn}{hex_id(rng, 32)}", "p4d.24xlarge", 6170, ticks("33.5"), 0, 0),
        Plan(f"{arn}{hex_id(rng, 32)}", "g5.12xlarge", 6680, ticks("15.2"), 50, bought),
    ]


def machine_charges(world: World) -> Iterator[Charge]:
    """Yield the lines of machines and plans, hour by hour."""
    plans = plans_of(world)
    rng = stream(world.seed, "spot prices")
    machines = [machine for machine in world.machines if machine.source == "aws"]
    machines += dev_boxes(world)
    by_hour: dict[int, list[Machine]] = {}
    for machine in machines:
        for hour in range(machine.start // HOUR * HOUR, machine.end, HOUR):
            by_hour.setdefault(hour, []).append(machine)
    spot = 0
    for hour in world.calendar.hours:
        if hour % DAY == 0:
            spot = rng.randint(3000, 4100)
        yield from _hour(world, plans, hour, by_hour.get(hour, ()), spot)
    for plan in plans:
        if plan.upfront_share and plan.start < world.calendar.until:
            yield _fee(world, plan, plan.start, plan.upfront)


def _hour(
    world: World, plans: Sequence[Plan], hour: int, machines: Sequence[Machine], spot: int
) -> Iterator[Charge]:
    used = dict.fromkeys(plans, 0)
    for machine in machines:
        line = _use(world, machine, hour, spot)
        plan = _plan_for(line, plans, used, hour)
        if plan is None:
            yield line
            continue
        line.effective, line.billed = line.cost * plan.share // _TEN_THOUSAND, 0
        used[plan] += line.effective
        line.line_type, line.plan = "SavingsPlanCoveredUsage", plan.arn
        yield line
        yield _negation(line)
    for plan in plans:
        if plan.start <= hour:
            yield _fee(world, plan, hour, plan.recurring, used[plan])


def _plan_for(line: Charge, plans: Sequence[Plan], used: dict[Plan, int], hour: int) -> Plan | None:
    for plan in plans:
        is_eligible = line.instance_type == plan.instance_type and plan.start <= hour
        if is_eligible and line.region == EAST and "Spot" not in line.usage_type:
            cost = line.cost * plan.share // _TEN_THOUSAND
            if used[plan] + cost <= plan.hourly:
                return plan
    return None


def _use(world: World, machine: Machine, hour: int, spot: int) -> Charge:
    is_spot = machine.market == "spot"
    rate = machine.kind.price[machine.region]
    rate = rate * spot // _TEN_THOUSAND if is_spot else rate
    up = machine.up_seconds(hour)
    name = machine.kind.name
    what = "Spot" if is_spot else "Box"
    return Charge(
        period=world.calendar.period_of(hour),
        start=hour,
        end=hour + HOUR,
        account=machine.account,
        product="AmazonEC2",
        usage_type=f"{PREFIX[machine.region]}{what}Usage:{name}",
        operation="RunInstances:SV001" if is_spot else "RunInstances",
        resource=machine.machine_id,
        region=machine.region,
        zone=machine.zone,
        amount=up / HOUR,
        unit="Hrs",
        rate=rate,
        cost=price_of(rate, up, HOUR),
        description=(
            f"{name} Linux/UNIX Spot Instance-hour in {machine.region}"
            if is_spot
            else f"${rate / TICKS:.4f} per On Demand Linux {name} Instance Hour"
        ),
        tags=machine.tags,
        instance_type=name,
        machine=machine,
    )


def _negation(line: Charge) -> Charge:
    return replace(
        line,
        cost=-line.cost,
        effective=0,
        billed=0,
        line_type="SavingsPlanNegation",
        description=f"SavingsPlanNegation used by AccountId : {line.account} and UsageSku",
        machine=None,
    )


def _fee(world: World, plan: Plan, start: int, cost: int, used: int | None = None) -> Charge:
    is_hourly = used is not None
    option = plan.payment.replace(" ", "")
    return Charge(
        period=world.calendar.period_of(start),
        start=start,
        end=start + HOUR,
        account=PAYER,
        product="ComputeSavingsPlans",
        usage_type=f"ComputeSP:1yr{option}",
        operation="",
        resource=plan.arn,
        region="",
        amount=1.0,
        unit="Hrs",
        rate=cost,
        cost=cost,
        line_type="SavingsPlanRecurringFee" if is_hourly else "SavingsPlanUpfrontFee",
        description=f"1 year {plan.payment} Compute Savings Plan",
        effective=plan.hourly - used if used is not None else 0,
        plan=plan.arn,
        commitment=plan.hourly if is_hourly else 0,
        used_commitment=used or 0,
    )


def dev_boxes(world: World) -> list[Machine]:
    """Return machines that somebody started by hand and nobody watches: one is tagged."""
    rng = stream(world.seed, "dev boxes")
    kind = next(m.kind for m in world.machines if m.kind.name == "m5.4xlarge")
    return [
        Machine(
            machine_id=f"i-0{hex_id(rng, 16)}",
            kind=kind,
            source="aws",
            account=SANDBOX,
            region=EAST,
            zone=f"{EAST}b",
            pool="by hand",
            cluster="",
            node="",
            market="on_demand",
            start=world.calendar.start,
            end=world.calendar.until,
            tags={"user_owner": world.people[number].login} if number == 0 else {},
        )
        for number in range(3)
    ]


def job_charges(world: World) -> Iterator[Charge]:
    """Yield the lines of managed jobs, hour by hour."""
    for job in world.jobs:
        for hour in range(job.start // HOUR * HOUR, job.end, HOUR):
            yield _job_hour(world, job, hour)


def _job_hour(world: World, job: ManagedJob, hour: int) -> Charge:
    rate = job.kind.price[EAST] * 5 // 4  # the service costs a quarter more than the machine
    held = min(job.end, hour + HOUR) - max(job.start, hour)
    return Charge(
        period=world.calendar.period_of(hour),
        start=hour,
        end=hour + HOUR,
        account=TRAINING,
        product="AmazonSageMaker",
        usage_type=f"USE1-Train:ml.{job.kind.name}",
        operation="RunInstance",
        resource=job.arn,
        region=EAST,
        amount=held / HOUR,
        unit="Hrs",
        rate=rate,
        cost=price_of(rate, held, HOUR),
        description=f"${rate / TICKS:.4f} per hour for Train:ml.{job.kind.name}",
        tags=job.tags,
        instance_type=f"ml.{job.kind.name}",
        job=job,
    )
