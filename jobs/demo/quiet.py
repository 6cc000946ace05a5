"""A corner of the eastern cluster in which GPUs are held and do nothing, or only seem to.

Two machines of the last twelve days. Two pods waste what they hold; five others look like it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.fleet import G4DN, TRAINING
from jobs.demo.world import DAY, EAST, HOUR, Machine, Pod, hex_id, stream

if TYPE_CHECKING:
    import random

    from jobs.demo.world import World

LASTS: Final = 12
"""Days until the end of what is told."""


class Still(NamedTuple):
    """A pod that holds GPUs."""

    name: str
    gpus: int
    busy: float
    signs: str = ""
    model: bool = False
    """It serves a model."""
    ends_days_ago: int = 0
    detector: str = ""
    """What must find it; empty: nothing."""


CORNER: Final = (
    (
        Still("stuck-loader", 2, 0.0, "empty", detector="dead_gpus"),
        Still("jupyter-forgotten", 1, 0.02, detector="parked_gpus"),
        Still("counters-missing", 1, 0.0, "hot"),
    ),
    (
        Still("jupyter-closed", 1, 0.02, ends_days_ago=3),
        Still("seldom-asked", 1, 0.01, model=True),
        Still("seldom-sampled", 1, 0.0, "dim"),
    ),
)
"""A machine -> its pods."""


def quiet_corner(world: World) -> list[Machine]:
    """Return the machines with their pods."""
    rng = stream(world.seed, "quiet corner")
    start = max(world.calendar.start, world.calendar.until - LASTS * DAY)
    return [_machine(world, rng, start, pods) for pods in CORNER]


def _machine(world: World, rng: random.Random, start: int, pods: tuple[Still, ...]) -> Machine:
    machine = Machine(
        machine_id=f"i-0{hex_id(rng, 16)}",
        kind=G4DN,
        source="aws",
        account=TRAINING,
        region=EAST,
        zone=f"{EAST}a",
        pool="bench-t4",
        cluster="forge-use1",
        node=f"ip-10-40-{rng.randint(0, 255)}-{rng.randint(0, 255)}.{EAST}.compute.internal",
        market="on_demand",
        start=start,
        end=world.calendar.until,
        tags={"aws_eks_cluster_name": "forge-use1", "user_Name": "forge-use1-bench-t4"},
    )
    machine.pods += [_pod(world, rng, machine, still) for still in pods]
    return machine


def _pod(world: World, rng: random.Random, machine: Machine, still: Still) -> Pod:
    person = rng.choice([one for one in world.people if one.team_at(machine.start) == "vision"])
    labels = {"app": "bench", "user": person.login, "team": "vision"}
    if still.model:
        labels |= {"model": world.models[0].name}
    digits = hex_id(rng, 32)
    return Pod(
        uid=f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}",
        name=still.name,
        namespace="ml-vision",
        machine=machine,
        start=machine.start + HOUR,
        end=machine.end - still.ends_days_ago * DAY,
        gpus=still.gpus,
        cpu_milli=8000 * still.gpus,
        cpu_used_milli=1000,
        memory_gib=32 * still.gpus,
        memory_used_gib=8,
        purpose="still",
        labels=labels,
        busy=still.busy,
        signs=still.signs,
    )
