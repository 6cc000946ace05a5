"""A Slurm cluster of the last month, on machines that others use, too.

Two nodes are rented and bare: people log in to one of them and take a GPU of it. Two are nodes of
the eastern Kubernetes cluster, where pods hold half of the GPUs; one has such guests as well. A
job asks for as many cores and as much memory of each of its nodes, as go with the GPUs on the
smallest. Jobs that are requeued have a
try for each time; some tries told the tracker, and most did not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.fleet import G5, L40S, TRAINING
from jobs.demo.tries import Try
from jobs.demo.world import DAY, EAST, HOUR, Machine, Pod, Run, hex_id, stream

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from jobs.demo.plans import Planner
    from jobs.demo.world import Person, Project, World

LASTS: Final = 30
"""Days until the end of what is told."""
CLUSTER: Final = "forge-use1"
_FIRST_JOB: Final = 48_210
_JOBS: Final = 110
_TEAMS: Final = ("vision", "language", "speech", "recommendations")
_GUESTS: Final = "robotics"
"""The team that logs in: of other people than the jobs, so that nothing seems to be one piece."""
_TOLD: Final = {"COMPLETED": "FINISHED", "FAILED": "FAILED", "CANCELLED": "KILLED"}
"""How the tracker heard of the end; what Slurm ended otherwise told nobody."""
_ENDS: Final = (
    *("COMPLETED",) * 14,
    *("FAILED",) * 2,
    "TIMEOUT",
    "OUT_OF_MEMORY",
    *("CANCELLED by 5001",) * 2,
)
_REQUEUED: Final = ("NODE_FAIL", "PREEMPTED", "REQUEUED")


class Shape(NamedTuple):
    """What a job asks for."""

    partition: str
    nodes: int
    gpus: int
    """Of each node."""
    hours: float
    """The median."""


SHAPES: Final = (
    Shape("l40s", 1, 1, 5),
    Shape("l40s", 1, 2, 8),
    Shape("l40s", 2, 2, 9),
    Shape("l40s", 1, 4, 5),
    Shape("a10g", 1, 1, 4),
    Shape("a10g", 2, 1, 7),
    Shape("all", 3, 1, 6),
)


@dataclass(slots=True)
class _Node:
    machine: Machine
    partition: str
    room: int
    """GPUs for jobs."""
    held: list[tuple[int, int, int]] = field(default_factory=list)

    def has_room(self, start: int, end: int, gpus: int) -> bool:
        """Tell whether GPUs are free all the time; what is held is counted at its worst."""
        there = [(since, upto, n) for since, upto, n in self.held if since < end and upto > start]
        times = [start, *(since for since, _, _ in there if since > start)]
        return all(
            sum(n for since, upto, n in there if since <= at < upto) + gpus <= self.room
            for at in times
        )


def batch_cluster(world: World, planner: Planner) -> None:
    """Add the machines, the jobs and those who log in."""
    rng = stream(world.seed, "batch")
    start = max(world.calendar.start, world.calendar.until - LASTS * DAY)
    bare = [_bare(rng, world, start, number) for number in (1, 2)]
    mixed = [_mixed(rng, world, start) for _ in range(2)]
    world.machines += [*bare, *mixed]
    nodes = [
        _Node(bare[0], "l40s", 3),
        _Node(bare[1], "l40s", 4),
        _Node(mixed[0], "a10g", 1),
        _Node(mixed[1], "a10g", 2),
    ]
    jobs = _Jobs(world, planner, rng, nodes)
    times = sorted(rng.randrange(start, world.calendar.until, 60) for _ in range(_JOBS))
    for number, at in enumerate(times):
        jobs.submit(_FIRST_JOB + number, at)
    for machine in (bare[0], mixed[0]):
        _log_in(world, planner, rng, machine, start)
    world.runs.sort(key=lambda run: (run.start, run.run_id))


def _bare(rng: random.Random, world: World, start: int, number: int) -> Machine:
    return Machine(
        machine_id=f"vm-{hex_id(rng, 10)}",
        kind=L40S,
        source="lab",
        account="lab-research",
        region="us-south-1",
        zone="us-south-1b",
        pool="drift",
        cluster="",
        node=f"drift-{number:02d}",
        market="on_demand",
        start=start,
        end=world.calendar.until,
    )


def _mixed(rng: random.Random, world: World, start: int) -> Machine:
    machine = Machine(
        machine_id=f"i-0{hex_id(rng, 16)}",
        kind=G5,
        source="aws",
        account=TRAINING,
        region=EAST,
        zone=f"{EAST}b",
        pool="drift-a10g",
        cluster=CLUSTER,
        node=f"ip-10-60-{rng.randint(0, 255)}-{rng.randint(0, 255)}.{EAST}.compute.internal",
        market="on_demand",
        start=start,
        end=world.calendar.until,
        tags={"aws_eks_cluster_name": CLUSTER, "user_Name": f"{CLUSTER}-drift-a10g"},
    )
    machine.pods.append(_pods(world, rng, machine))
    return machine


def _pods(world: World, rng: random.Random, machine: Machine) -> Pod:
    """Return what holds half of a machine: labels that people check all day."""
    person = _member(world, rng, "vision", machine.start)
    digits = hex_id(rng, 32)
    return Pod(
        uid=f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}",
        name=f"label-checker-{hex_id(rng, 5)}",
        namespace="ml-vision",
        machine=machine,
        start=machine.start,
        end=machine.end,
        gpus=2,
        cpu_milli=20_000,
        cpu_used_milli=14_000,
        memory_gib=80,
        memory_used_gib=62,
        purpose="shared",
        labels={
            "app": "label-checker",
            "user": person.login,
            "team": "vision",
            "project": "shelf-vision",
        },
        busy=0.62,
    )


def _member(world: World, rng: random.Random, team: str, at: int) -> Person:
    end = world.calendar.until
    return rng.choice(
        [one for one in world.people if one.team_at(at) == team and one.team_at(end) == team]
    )


class _Jobs:
    """The scheduler: each job begins when its nodes first have room for it."""

    def __init__(
        self, world: World, planner: Planner, rng: random.Random, nodes: Sequence[_Node]
    ) -> None:
        self.world, self.planner, self.rng, self.nodes = world, planner, rng, nodes

    def submit(self, job_id: int, at: int) -> None:
        """Run a job, once or as often as it is requeued; one that gets no room waits."""
        rng = self.rng
        shape = rng.choice(SHAPES)
        team = rng.choice(_TEAMS)
        project = self.planner.project_for(team, "train-a10g")
        tries = rng.choice((1, 1, 1, 1, 2))
        # a comment is the job's: of two tries it would name the same run
        ways = ("tag", "comment", "", "", "") if tries == 1 else ("tag", "tag", "", "", "")
        job = _Job(
            job_id=job_id,
            shape=shape,
            person=_member(self.world, rng, team, at),
            project=project,
            has_key=rng.random() < 0.75,  # noqa: PLR2004
            tells=rng.choice(ways),
        )
        for attempt in range(1, tries + 1):
            seconds = max(600, int(rng.lognormvariate(0, 0.5) * shape.hours * HOUR))
            state = rng.choice(_REQUEUED if attempt < tries else _ENDS)
            if tries > 1 and attempt == 1:
                seconds //= 3
            found = self._place(shape, at, seconds)
            if found is None:
                self._wait(job, attempt, at)
                return
            one = self._begin(job, attempt, at, (found[0], found[0] + seconds), found[1], state)
            at = one.end + 120

    def _place(self, shape: Shape, at: int, seconds: int) -> tuple[int, list[_Node]] | None:
        """Return when and where there is room first."""
        choice = [node for node in self.nodes if shape.partition in {"all", node.partition}]
        ends = sorted(upto for node in choice for _, upto, _ in node.held if upto > at)
        for start in (at + 15, *(end + 5 for end in ends)):
            if start >= self.world.calendar.until - HOUR:
                return None
            free = [n for n in choice if n.has_room(start, start + seconds, shape.gpus)]
            if len(free) >= shape.nodes:
                return start, free[: shape.nodes]
        return None

    def _begin(  # noqa: PLR0913, PLR0917  (a job has many columns)
        self,
        job: _Job,
        attempt: int,
        submitted: int,
        span: tuple[int, int],
        nodes: Sequence[_Node],
        state: str,
    ) -> Try:
        start, end = span[0], min(span[1], self.world.calendar.until)
        for node in nodes:
            node.held.append((start, end, job.shape.gpus))
            node.machine.guests.append((start, end, job.shape.gpus))
        state = "RUNNING" if end == self.world.calendar.until else state
        kinds = [node.machine.kind for node in nodes]
        one = Try(
            job_id=job.job_id,
            attempt=attempt,
            name=f"{job.project.name}-train",
            login=job.person.login,
            account=job.project.team,
            wckey=job.project.name if job.has_key else "",
            partition=job.shape.partition,
            state=state,
            gpus=job.shape.gpus * len(nodes),
            cores=len(nodes) * min(kind.cores * job.shape.gpus // kind.gpus for kind in kinds),
            memory_gib=len(nodes)
            * min(kind.memory_gib * job.shape.gpus // kind.gpus for kind in kinds),
            nodes=[node.machine for node in nodes],
            submitted=submitted,
            start=start,
            end=end,
            limit_minutes=(end - start) // 60 if state == "TIMEOUT" else 2880,
        )
        one.run = self._run(job, one)
        if job.tells == "comment":
            one.comment = f"mlflow_run_id={one.run.run_id}"
        self.world.tries.append(one)
        self.world.runs.append(one.run)
        return one

    def _wait(self, job: _Job, attempt: int, submitted: int) -> None:
        """Leave a job in the queue: it holds nothing."""
        self.world.tries.append(
            Try(
                job_id=job.job_id,
                attempt=attempt,
                name=f"{job.project.name}-train",
                login=job.person.login,
                account=job.project.team,
                wckey=job.project.name,
                partition=job.shape.partition,
                state="PENDING",
                gpus=0,
                cores=0,
                memory_gib=0,
                nodes=[],
                submitted=submitted,
                start=0,
                end=0,
                limit_minutes=2880,
            )
        )

    def _run(self, job: _Job, one: Try) -> Run:
        """Return the run that a try is: the tracker's, where the job told it."""
        is_tracked = bool(job.tells)
        run = Run(
            run_id=hex_id(self.rng, 32) if is_tracked else f"{one.job_id}/{one.attempt}",
            name=f"{one.name}-{one.job_id}",
            kind="training",
            person=job.person,
            project=job.project if job.has_key or is_tracked else None,
            team=job.project.team,
            gpus=one.gpus,
            minutes=(one.end - one.start) // 60,
            submitted=one.submitted,
            start=one.start,
            end=one.end,
            state=one.state,
            is_tracked=is_tracked,
            region=one.nodes[0].region,
        )
        if is_tracked:
            run.start, run.end = one.start + 20, one.end - 4
            run.status = _TOLD.get(one.state.partition(" ")[0], "RUNNING")
            run.experiment = f"{run.team}/{job.project.name}"
            run.user_raw = job.person.login
            run.slurm_job = str(one.job_id) if job.tells == "tag" else ""
        return run


@dataclass(frozen=True, slots=True)
class _Job:
    job_id: int
    shape: Shape
    person: Person
    project: Project
    has_key: bool
    tells: str
    """How the tracker's run and the job know each other: by a tag, a comment or not at all."""


def _log_in(
    world: World, planner: Planner, rng: random.Random, machine: Machine, start: int
) -> None:
    """Run on one GPU of a machine, by hand and one after the other."""
    now = start + rng.randint(0, 9 * HOUR)
    while now < world.calendar.until - 14 * HOUR:
        end = now + rng.randint(HOUR, 11 * HOUR)
        run = planner.run("training", planner.project_for(_GUESTS, "train-a10g"), now, 1, 1)
        run.person = _member(world, rng, _GUESTS, now)
        run.user_raw, run.tells_user, run.tells_team = run.person.login, True, True
        run.start, run.end, run.region, run.machine = now, end, machine.region, machine
        run.status = "FINISHED"
        machine.guests.append((now, end, 1))
        world.runs.append(run)
        now = end + rng.randint(2 * HOUR, 40 * HOUR)
