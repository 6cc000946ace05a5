"""Two machines whose GPUs many pods share: one cut into MIG slices, one sliced by time.

They are of the western cluster and the last days. A slice is half of its GPU (3g.40gb: four of the
memory's eighths), a turn a quarter (four replicas), so that the truth is exact. A pod of a stateful
set moves from the one machine to the other under its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.fleet import EUROPE, G5, P4DE
from jobs.demo.world import DAY, HOUR, WEST, Machine, Pod, hex_id, stream

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from jobs.demo.world import MachineType, World

LASTS: Final = 3
"""Days until the end of what is told."""
CLUSTER: Final = "forge-euw1"
SLICE: Final = "nvidia_com_mig_3g_40gb"
TURN: Final = "nvidia_com_gpu"
OFFERED: Final[Mapping[str, int]] = {SLICE: 16, TURN: 16}
"""Resource -> units that the machine offers: two slices of 8 GPUs, four turns at 4 GPUs."""
EACH_MILLI: Final[Mapping[str, int]] = {SLICE: 500, TURN: 250}
"""Resource -> what a unit is of a GPU, in thousandths."""


class Sharer(NamedTuple):
    """A pod that holds slices, or takes turns."""

    name: str
    team: str
    units: int


SLICED: Final = (
    Sharer("tune-captions", "speech", 4),
    Sharer("tune-routes", "robotics", 5),
    Sharer("notebook-energy", "forecasting", 2),
)
TURNS: Final = (Sharer("probe-speech", "speech", 3), Sharer("probe-routes", "robotics", 6))
MOVED: Final = Sharer("tuner-0", "forecasting", 2)
"""Half of the days on each machine."""


def sliced_machines(world: World) -> list[Machine]:
    """Return the machines with their pods."""
    rng = stream(world.seed, "slices")
    start = max(world.calendar.start, world.calendar.until - LASTS * DAY)
    end = world.calendar.until
    moves = start + (end - start) // (2 * HOUR) * HOUR
    mig = _machine(rng, P4DE, "sliced-a100", start, end)
    turns = _machine(rng, G5, "turns-a10g", start, end)
    for sharer in SLICED:
        mig.pods.append(_pod(world, rng, mig, sharer, SLICE))
    for sharer in TURNS:
        turns.pods.append(_pod(world, rng, turns, sharer, TURN))
    before, after = _pod(world, rng, mig, MOVED, SLICE), _pod(world, rng, turns, MOVED, TURN)
    before.end, after.start, after.labels = moves, moves, before.labels
    mig.pods.append(before)
    turns.pods.append(after)
    return [mig, turns]


def _machine(rng: random.Random, kind: MachineType, pool: str, start: int, end: int) -> Machine:
    return Machine(
        machine_id=f"i-0{hex_id(rng, 16)}",
        kind=kind,
        source="aws",
        account=EUROPE,
        region=WEST,
        zone=f"{WEST}a",
        pool=pool,
        cluster=CLUSTER,
        node=f"ip-10-50-{rng.randint(0, 255)}-{rng.randint(0, 255)}.{WEST}.compute.internal",
        market="on_demand",
        start=start,
        end=end,
        tags={"aws_eks_cluster_name": CLUSTER, "user_Name": f"{CLUSTER}-{pool}"},
    )


def _pod(world: World, rng: random.Random, machine: Machine, sharer: Sharer, resource: str) -> Pod:
    here = [one for one in world.people if one.team_at(machine.start) == sharer.team]
    digits = hex_id(rng, 32)
    return Pod(
        uid=f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}",
        name=sharer.name,
        namespace=f"ml-{sharer.team}",
        machine=machine,
        start=machine.start,
        end=machine.end,
        gpus=0,
        cpu_milli=2000 * sharer.units,
        cpu_used_milli=1500 * sharer.units,
        memory_gib=8 * sharer.units,
        memory_used_gib=6 * sharer.units,
        purpose="shared",
        labels={"app": "tune", "user": rng.choice(here).login, "team": sharer.team},
        busy=rng.uniform(0.55, 0.8),
        resource=resource,
        units=sharer.units,
        gpu_milli=EACH_MILLI[resource] * sharer.units,
    )
