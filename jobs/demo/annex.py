"""A small cluster of the last two weeks that nobody watches: only the bill tells of its pods.

AWS's split cost allocation data add lines without a cost of their own: for each pod and hour what
it reserved and used of cores, memory and GPUs, and what share of its machine that is. Tags say
whose a pod is, but for teams whose namespaces are mapped. Some runs told the tracker their pod.

Source: https://docs.aws.amazon.com/cur/latest/userguide/split-cost-allocation-data.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.charges import TRANSFER_CODE, Charge, Split
from jobs.demo.fleet import G4DN, TRAINING
from jobs.demo.owners import RULED_TEAMS
from jobs.demo.world import DAY, EAST, HOUR, Machine, Pod, hex_id, stream, weigh

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from jobs.demo.plans import Planner
    from jobs.demo.world import World

CLUSTER: Final = "annex-use1"
LASTS: Final = 14
"""Days until the end of what is told."""


class Tenant(NamedTuple):
    """A pod."""

    name: str
    project: str
    gpus: int
    cores: int
    cores_used: int
    memory_gib: int
    memory_used_gib: int
    has_runs: bool = False


TENANTS: Final = (
    (
        Tenant("planner-eval-0", "warehouse-pick", 2, 20, 12, 80, 60, has_runs=True),
        Tenant("log-parser-0", "ml-platform", 1, 6, 9, 24, 20),
    ),
    (
        Tenant("ranker-probe-0", "query-ranking", 1, 8, 5, 40, 52),
        Tenant("quantile-probe-0", "demand-outlook", 2, 16, 11, 64, 40),
        Tenant("masks-0", "drone-inspection", 1, 8, 8, 32, 16),
    ),
)
"""A machine -> its pods."""
_METERS: Final = ("GPU-Hours", "vCPU-Hours", "GB-Hours")


def annex(world: World, planner: Planner) -> None:
    """Add the machines with their pods, and the runs in them."""
    rng = stream(world.seed, "annex")
    start = max(world.calendar.start, world.calendar.until - LASTS * DAY)
    for tenants in TENANTS:
        machine = _machine(rng, world, start)
        world.machines.append(machine)
        for tenant in tenants:
            pod = _pod(world, rng, machine, tenant)
            machine.pods.append(pod)
            if tenant.has_runs:
                _run_inside(world, planner, rng, pod)
    world.runs.sort(key=lambda run: (run.start, run.run_id))


def _machine(rng: random.Random, world: World, start: int) -> Machine:
    address = f"{rng.randint(0, 255)}-{rng.randint(0, 255)}"
    return Machine(
        machine_id=f"i-0{hex_id(rng, 16)}",
        kind=G4DN,
        source="aws",
        account=TRAINING,
        region=EAST,
        zone=f"{EAST}c",
        pool="annex-t4",
        cluster=CLUSTER,
        node=f"ip-10-70-{address}.{EAST}.compute.internal",
        market="on_demand",
        start=start,
        end=world.calendar.until,
        tags={"aws_eks_cluster_name": CLUSTER, "user_Name": f"{CLUSTER}-annex-t4"},
    )


def _pod(world: World, rng: random.Random, machine: Machine, tenant: Tenant) -> Pod:
    project = next(one for one in world.projects if one.name == tenant.project)
    labels = {"team": project.team}
    if project.team in RULED_TEAMS:
        here = [one for one in world.people if one.team_at(machine.start) == project.team]
        labels |= {"project": project.name, "user": rng.choice(here).login}
    digits = hex_id(rng, 32)
    return Pod(
        uid=f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}",
        name=tenant.name,
        namespace=f"ml-{project.team}",
        machine=machine,
        start=machine.start,
        end=machine.end,
        gpus=tenant.gpus,
        cpu_milli=tenant.cores * 1000,
        cpu_used_milli=tenant.cores_used * 1000,
        memory_gib=tenant.memory_gib,
        memory_used_gib=tenant.memory_used_gib,
        purpose="split",
        labels=labels,
    )


def _run_inside(world: World, planner: Planner, rng: random.Random, pod: Pod) -> None:
    """Log runs from a pod, one after the other."""
    now = pod.start + rng.randint(60, 5 * HOUR)
    while now < pod.end - 9 * HOUR:
        end = now + rng.randint(HOUR, 8 * HOUR)
        project = next(one for one in world.projects if one.name == pod.labels["project"])
        run = planner.run("evaluation", project, now, pod.gpus, 1)
        run.inside, run.region, run.start, run.end = pod, pod.machine.region, now, end
        run.status, run.tells_user, run.tells_team = "FINISHED", True, True
        world.runs.append(run)
        now = end + rng.randint(600, 14 * HOUR)


def split_charges(world: World) -> Iterator[Charge]:
    """Yield what the bill says of pods: three lines an hour for each, none with a cost."""
    for machine in world.machines:
        if machine.cluster == CLUSTER:
            for hour in range(machine.start, machine.end, HOUR):
                for pod in machine.pods:
                    yield from _of_pod(world, machine, pod, hour)


def _of_pod(world: World, machine: Machine, pod: Pod, hour: int) -> Iterator[Charge]:
    kind, rate = machine.kind, machine.kind.price[machine.region]
    reserved = (pod.gpus, pod.cpu_milli // 1000, pod.memory_gib)
    used = (pod.gpus, pod.cpu_used_milli // 1000, pod.memory_used_gib)
    there = (kind.gpus, kind.cores, kind.memory_gib)
    for number, meter in enumerate(_METERS):
        held = max(reserved[number], used[number])
        claim = [held * 1000 if place == number else 0 for place in range(3)]
        yield Charge(
            period=world.calendar.period_of(hour),
            start=hour,
            end=hour + HOUR,
            account=machine.account,
            product="AmazonEKS",
            usage_type=f"{TRANSFER_CODE[machine.region]}-EKS-EC2-{meter}",
            operation="EKSPod-EC2",
            resource=_arn(machine, pod),
            region=machine.region,
            amount=float(held),
            unit=meter,
            rate=0,
            cost=0,
            description=f"EKS pod usage of EC2 ({meter})",
            tags=_tags(machine, pod),
            split=Split(
                machine.machine_id,
                reserved[number],
                used[number],
                there[number],
                rate * weigh(claim[0], claim[1], claim[2]) // kind.weight,
            ),
        )


def _arn(machine: Machine, pod: Pod) -> str:
    place = f"{machine.region}:{machine.account}"
    return f"arn:aws:eks:{place}:pod/{machine.cluster}/{pod.namespace}/{pod.name}/{pod.uid}"


def _tags(machine: Machine, pod: Pod) -> dict[str, str]:
    tags = {
        "aws_eks_cluster_name": machine.cluster,
        "aws_eks_namespace": pod.namespace,
        "aws_eks_node": machine.node,
    }
    if "user" in pod.labels:  # else the map of namespaces has the team
        tags |= {
            "user_owner": pod.labels["user"],
            "user_team": pod.labels["team"],
            "user_project": pod.labels["project"],
        }
    return tags
