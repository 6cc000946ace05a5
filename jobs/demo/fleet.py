"""The machines: node pools of two Kubernetes clusters, and bare ones; and who got which when.

`place` runs a scheduler as a cluster does: first come, first served on the first node with room, a
new node where the pool may grow, and a node without work leaves after a while. One pool's work was
taken away and its nodes were forgotten.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from jobs.demo.world import (
    COMPANY,
    EAST,
    HOUR,
    WEST,
    Machine,
    MachineType,
    Pod,
    hex_id,
    stream,
    ticks,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Sequence

    from jobs.demo.world import Calendar, Run

PAYER: Final = "104857600001"
TRAINING: Final = "104857600012"
SERVING: Final = "104857600023"
EUROPE: Final = "104857600034"
SANDBOX: Final = "004857600045"
"""An account whose number begins with zeros, as some do."""
ACCOUNTS: Final = {
    PAYER: f"{COMPANY}-payer",
    TRAINING: f"{COMPANY}-ml-training",
    SERVING: f"{COMPANY}-ml-serving",
    EUROPE: f"{COMPANY}-ml-europe",
    SANDBOX: f"{COMPANY}-sandbox",
}


def _kind(name: str, gpus: str, size: tuple[int, int], east: str, west: str = "0") -> MachineType:
    count, model, memory = gpus.split("/")
    return MachineType(
        name=name,
        gpus=int(count),
        gpu_model=model,
        gpu_gib=int(memory),
        cores=size[0],
        memory_gib=size[1],
        price={EAST: ticks(east), WEST: ticks(west)},
    )


# Prices are of the right size, not quotations: rates change, and the bill states its own.
P4D: Final = _kind("p4d.24xlarge", "8/NVIDIA-A100-SXM4-40GB/40", (96, 1152), "21.9576")
P4DE: Final = _kind("p4de.24xlarge", "8/NVIDIA-A100-SXM4-80GB/80", (96, 1152), "27.4471", "29.6429")
P3: Final = _kind("p3.16xlarge", "8/Tesla-V100-SXM2-16GB/16", (64, 488), "24.48")
P3_HALF: Final = _kind("p3.8xlarge", "4/Tesla-V100-SXM2-16GB/16", (32, 244), "12.24", "13.22")
G5: Final = _kind("g5.12xlarge", "4/NVIDIA-A10G/24", (48, 192), "5.672", "6.3288")
G4DN: Final = _kind("g4dn.12xlarge", "4/Tesla-T4/16", (48, 192), "3.912", "4.368")
M5: Final = _kind("m5.4xlarge", "0//0", (16, 64), "0.768", "0.856")
H100: Final = _kind("h100-8x", "8/NVIDIA-H100-80GB-HBM3/80", (192, 1800), "19.92")
L40S: Final = _kind("l40s-4x", "4/NVIDIA-L40S/48", (64, 384), "4.64")
G2: Final = _kind("g2-standard-24", "2/NVIDIA-L4/24", (24, 96), "2.00104")
NC6: Final = _kind("Standard_NC6s_v3", "1/Tesla-V100-PCIE-16GB/16", (6, 112), "0", "2.8")
NC24: Final = _kind("Standard_NC24ads_A100_v4", "1/NVIDIA-A100-80GB-PCIe/80", (24, 220), "0", "3.4")
NC48: Final = _kind("Standard_NC48ads_A100_v4", "2/NVIDIA-A100-80GB-PCIe/80", (48, 440), "0", "6.4")
A100: Final = _kind("a100-4x", "4/NVIDIA-A100-SXM4-80GB/80", (64, 480), "0", "7.1")


@dataclass(frozen=True, slots=True)
class Pool:
    """Nodes of one kind that grow and shrink together."""

    name: str
    cluster: str
    account: str
    region: str
    kind: MachineType
    least: int
    most: int
    market: str = "on_demand"
    team: str = ""
    """Whose tag the nodes carry, if any."""


POOLS: Final = (
    Pool("train-a100", "forge-use1", TRAINING, EAST, P4D, 2, 6),
    Pool("train-v100", "forge-use1", TRAINING, EAST, P3, 1, 2),
    Pool("train-a10g", "forge-use1", TRAINING, EAST, G5, 3, 9),
    Pool("spot-t4", "forge-use1", TRAINING, EAST, G4DN, 0, 8, "spot"),
    Pool("vision-batch-old", "forge-use1", TRAINING, EAST, G5, 3, 3, team="vision"),
    Pool("serve-a10g", "forge-use1", SERVING, EAST, G5, 3, 3, team="platform"),
    Pool("cpu-use1", "forge-use1", TRAINING, EAST, M5, 4, 12, team="platform"),
    Pool("train-euw1", "forge-euw1", EUROPE, WEST, P3_HALF, 0, 3),
    Pool("mixed-euw1", "forge-euw1", EUROPE, WEST, G5, 1, 5),
    Pool("cpu-euw1", "forge-euw1", EUROPE, WEST, M5, 2, 4, team="platform"),
)
FORGOTTEN: Final = "vision-batch-old"
_LINGER: Final = 40 * 60
"""How long a node without work stays, in seconds."""
_BOOT: Final = 4 * 60
_AGENT_CPU: Final = 400
_AGENT_GIB: Final = 2


@dataclass(slots=True)
class Ask:
    """Pods that somebody wants at a time, all at once."""

    at: int
    seconds: int
    name: str
    namespace: str
    gpus: int
    cores_milli: int
    memory_gib: int
    copies: int = 1
    purpose: str = "run"
    labels: dict[str, str] = field(default_factory=dict)
    run: Run | None = None
    busy: float = 0.8
    """How active its GPUs will be."""
    cpu_used_milli: int = 0
    memory_used_gib: int = 0


def place(seed: int, calendar: Calendar, pool: Pool, asks: Iterable[Ask]) -> list[Machine]:
    """Give each ask its pods on a pool's machines; what finds no room in time gets none."""
    return _Scheduler(stream(seed, f"pool {pool.name}"), calendar, pool).run(
        sorted(asks, key=lambda ask: (ask.at, ask.name))
    )


class _Scheduler:
    def __init__(self, rng: random.Random, calendar: Calendar, pool: Pool) -> None:
        self.rng = rng
        self.calendar = calendar
        self.pool = pool
        self.live: list[Machine] = []
        self.all: list[Machine] = []
        self.ends: list[tuple[int, int, Pod]] = []
        self.empty_since: dict[str, int] = {}
        self.serial = 0
        for _ in range(pool.least):
            self._launch(calendar.start)

    def run(self, asks: Sequence[Ask]) -> list[Machine]:
        waiting: list[Ask] = []
        for ask in asks:
            while self.ends and self.ends[0][0] <= ask.at:
                waiting = self._release(waiting)
            if not self._fit(ask, ask.at):
                waiting.append(ask)
        while self.ends:
            waiting = self._release(waiting)
        self._shrink(self.calendar.until)
        return self.all

    def _release(self, waiting: list[Ask]) -> list[Ask]:
        now, _, pod = heapq.heappop(self.ends)
        machine = pod.machine
        machine.free = [had + got for had, got in zip(machine.free, _claim_of(pod), strict=True)]
        if machine.free == _room_of(machine) and machine.end == self.calendar.until:
            self.empty_since[machine.machine_id] = now
        return [ask for ask in waiting if not self._fit(ask, now)]

    def _fit(self, ask: Ask, now: int) -> bool:
        self._shrink(now)
        if now >= self.calendar.until:
            return False
        claim = (
            ask.gpus,
            max(ask.cores_milli, ask.cpu_used_milli),
            max(ask.memory_gib, ask.memory_used_gib),
        )
        chosen = [machine for machine in self.live if _holds(machine, claim, now)][: ask.copies]
        missing = ask.copies - len(chosen)
        if missing > self.pool.most - len(self.live):
            return False
        fresh = [self._launch(now) for _ in range(missing)]
        start = now + (_BOOT if fresh else 0)
        for position, machine in enumerate([*chosen, *fresh]):
            self._start(ask, machine, start, position)
        return True

    def _start(self, ask: Ask, machine: Machine, start: int, position: int) -> None:
        end = min(start + ask.seconds, self.calendar.until, machine.dies_at)
        suffix = f"-{position}" if ask.copies > 1 else ""
        pod = Pod(
            uid=_uuid(self.rng),
            name=f"{ask.name}{suffix}",
            namespace=ask.namespace,
            machine=machine,
            start=min(start, end),
            end=end,
            gpus=ask.gpus,
            cpu_milli=ask.cores_milli,
            cpu_used_milli=ask.cpu_used_milli or ask.cores_milli * 6 // 10,
            memory_gib=ask.memory_gib,
            memory_used_gib=ask.memory_used_gib or ask.memory_gib * 7 // 10,
            purpose=ask.purpose,
            labels=ask.labels,
            run=ask.run,
            busy=ask.busy,
        )
        machine.pods.append(pod)
        machine.free = [had - got for had, got in zip(machine.free, _claim_of(pod), strict=True)]
        self.empty_since.pop(machine.machine_id, None)
        if ask.run is not None:
            ask.run.pods.append(pod)
        self.serial += 1
        heapq.heappush(self.ends, (end, self.serial, pod))

    def _launch(self, now: int) -> Machine:
        pool = self.pool
        zone = f"{pool.region}{self.rng.choice('abc')}"
        address = "-".join(str(self.rng.randint(0, 255)) for _ in range(2))
        lives = int(self.rng.expovariate(1 / (60 * HOUR)) / 60 + 60) * 60
        machine = Machine(
            machine_id=f"i-0{hex_id(self.rng, 16)}",
            kind=pool.kind,
            source="aws",
            account=pool.account,
            region=pool.region,
            zone=zone,
            pool=pool.name,
            cluster=pool.cluster,
            node=f"ip-10-{20 + POOLS.index(pool)}-{address}.{pool.region}.compute.internal",
            market=pool.market,
            start=now,
            end=self.calendar.until,
            dies_at=now + lives if pool.market == "spot" else 2**62,
            tags=_tags_of(pool),
        )
        machine.pods.append(_agent(machine, self.rng))
        machine.free = _room_of(machine)
        self.live.append(machine)
        self.all.append(machine)
        if len(self.all) > pool.least:
            self.empty_since[machine.machine_id] = now
        return machine

    def _shrink(self, now: int) -> None:
        """Let go of machines that were without work for long, or whose market took them."""
        for machine in list(self.live):
            since = self.empty_since.get(machine.machine_id, 2**62)
            idle_end = since + _LINGER if len(self.live) > self.pool.least else 2**62
            end = min(idle_end, machine.dies_at)
            if end <= now and end < self.calendar.until:
                machine.end = end
                machine.pods[0].end = end
                self.live.remove(machine)


def _holds(machine: Machine, claim: tuple[int, int, int], now: int) -> bool:
    if machine.dies_at <= now:
        return False
    return all(free >= wanted for free, wanted in zip(machine.free, claim, strict=True))


def _claim_of(pod: Pod) -> list[int]:
    return [
        pod.gpus,
        max(pod.cpu_milli, pod.cpu_used_milli),
        max(pod.memory_gib, pod.memory_used_gib),
    ]


def _room_of(machine: Machine) -> list[int]:
    kind = machine.kind
    return [kind.gpus, kind.cores * 1000 - _AGENT_CPU, kind.memory_gib - _AGENT_GIB]


def _tags_of(pool: Pool) -> dict[str, str]:
    tags = {
        "aws_eks_cluster_name": pool.cluster,
        "aws_autoscaling_groupName": f"eks-{pool.name}",
        "user_Name": f"{pool.cluster}-{pool.name}",
    }
    return tags | ({"user_team": pool.team} if pool.team else {})


def _agent(machine: Machine, rng: random.Random) -> Pod:
    """Return the DaemonSet pod that every node runs."""
    return Pod(
        uid=_uuid(rng),
        name=f"node-agent-{hex_id(rng, 5)}",
        namespace="kube-system",
        machine=machine,
        start=machine.start,
        end=machine.end,
        gpus=0,
        cpu_milli=_AGENT_CPU,
        cpu_used_milli=_AGENT_CPU * 3 // 4,
        memory_gib=_AGENT_GIB,
        memory_used_gib=1,
        purpose="system",
        labels={"app": "node-agent"},
        busy=0.0,
    )


def _uuid(rng: random.Random) -> str:
    digits = hex_id(rng, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def bare_machines(seed: int, calendar: Calendar) -> list[Machine]:
    """Return the machines without Kubernetes: rented whole, all the time."""
    rng = stream(seed, "bare machines")
    shapes = [("lab", H100, "us-south-1", 4), ("eu-lab", A100, "eu-north-7", 3)]
    return [
        Machine(
            machine_id=f"vm-{hex_id(rng, 10)}",
            kind=kind,
            source=source,
            account=f"{source}-research",
            region=region,
            zone=f"{region}a",
            pool=source,
            cluster="",
            node=f"{source}-{number:02d}",
            market="on_demand",
            start=calendar.start,
            end=calendar.until,
            tags={"environment": "research", "owner-team": "language"} if number == 1 else {},
        )
        for source, kind, region, count in shapes
        for number in range(1, count + 1)
    ]
