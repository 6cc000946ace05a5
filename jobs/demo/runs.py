"""What became of the plans: who ran where, from when to when, and what it made.

The pools give GPU work its pods first; what follows from that (a sweep's controller, runs inside a
notebook or inside their parent's pod) comes after. Bare machines and managed jobs know no pools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from jobs.demo.annex import annex
from jobs.demo.azure import azure_machines
from jobs.demo.batch import batch_cluster
from jobs.demo.catalog import collect_datasets, register_models
from jobs.demo.fleet import G5, P3_HALF, POOLS, TRAINING, Ask, bare_machines, place
from jobs.demo.google import google_machines
from jobs.demo.lineage import derive
from jobs.demo.people import found_projects, hire
from jobs.demo.plans import WESTERN_POOLS, Planner, pod_labels
from jobs.demo.purposes import tag_models
from jobs.demo.quiet import quiet_corner
from jobs.demo.slices import sliced_machines
from jobs.demo.world import DAY, EAST, HOUR, Calendar, ManagedJob, Read, World, stream

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence
    from datetime import date

    from jobs.demo.plans import Plans
    from jobs.demo.world import Machine, Model, Pod, Project, Run

_ZOMBIES: Final = 6
_WRONG_CLOCKS: Final = 3
_LAB_TEAMS: Final = {"lab": ("language", "vision", "robotics"), "eu-lab": ("speech", "search")}


def found_company(seed: int, until: date, months: int) -> World:
    """Return the company, whole: the same for the same arguments."""
    calendar = Calendar.ending(until, months)
    world = World(seed, calendar)
    world.people = hire(calendar)
    world.projects = found_projects()
    world.datasets = collect_datasets(seed, calendar, world.people, world.projects)
    world.models = register_models(world.projects)
    planner = Planner(world)
    plans = planner.plan()
    for pool in POOLS:
        if not pool.name.startswith("cpu"):
            world.machines += place(seed, calendar, pool, plans.asks.get(pool.name, ()))
    _ask_for_controllers(plans)
    _prepare_data(world, planner)
    for pool in POOLS:
        if pool.name.startswith("cpu"):
            world.machines += place(seed, calendar, pool, plans.asks.get(pool.name, ()))
    _settle(world, plans)
    inside = _Inside(world, planner)
    inside.notebooks()
    inside.nested()
    _rent(world, planner)
    world.machines += quiet_corner(world)
    world.machines += sliced_machines(world)
    _use_service(world, planner)
    world.runs = sorted(plans.runs, key=lambda run: (run.start, run.run_id))
    _spoil(world)
    _register(world)
    derive(world)
    batch_cluster(world, planner)
    annex(world, planner)
    google_machines(world, planner)
    azure_machines(world, planner)
    tag_models(world)
    return world


def _ask_for_controllers(plans: Plans) -> None:
    """Give each sweep a small pod that waits for its trials."""
    trials: dict[str, list[Run]] = {}
    for run in plans.runs:
        if run.parent is not None and run.pods:
            trials.setdefault(run.parent.run_id, []).append(run)
    for run in plans.runs:
        if run.kind == "sweep" and run.run_id in trials:
            last = max(pod.end for trial in trials[run.run_id] for pod in trial.pods)
            west = trials[run.run_id][0].pods[0].machine.pool in WESTERN_POOLS
            run.minutes = max(6, (last - run.submitted) // 60 + 4)
            plans.ask("cpu-euw1" if west else "cpu-use1", _cpu_ask(run, 1000, 4))


def _prepare_data(world: World, planner: Planner) -> None:
    """Let every project build its datasets anew now and then."""
    rng = planner.rng
    for _ in range(round(60 * planner.months)):
        dataset = rng.choice(world.datasets)
        if dataset.size_bytes > 40 * 2**40:
            continue
        run = planner.run("preparation", dataset.project, planner.moment(), 0, 1.4)
        run.name = f"build-{dataset.name}-{run.run_id[:4]}"
        run.writes = [dataset]
        pool = "cpu-use1" if dataset.region == EAST else "cpu-euw1"
        planner.plans.ask(pool, _cpu_ask(run, rng.choice((3000, 6000, 12000)), 24))


def _cpu_ask(run: Run, cores_milli: int, memory_gib: int) -> Ask:
    return Ask(
        at=run.submitted,
        seconds=run.minutes * 60,
        name=f"{run.name}-{run.run_id[:5]}",
        namespace=f"ml-{run.team}",
        gpus=0,
        cores_milli=cores_milli,
        memory_gib=memory_gib,
        labels=pod_labels(run),
        run=run,
        busy=0.0,
    )


def _settle(world: World, plans: Plans) -> None:
    """Take over from the pods when each run began and ended; what got no room never was."""
    rng = stream(world.seed, "settle")
    plans.runs = [run for run in plans.runs if run.pods]
    for run in plans.runs:
        first = min(pod.start for pod in run.pods)
        last = max(pod.end for pod in run.pods)
        run.start = min(first + rng.randint(15, 50), last)
        run.end = max(run.start, last - rng.randint(3, 12))
        run.region = run.pods[0].machine.region
        if last == world.calendar.until:
            run.status = "RUNNING"
        elif any(pod.end in (pod.machine.dies_at, pod.machine.end) for pod in run.pods):
            run.status = "KILLED"


class _Inside:
    """Runs that share a pod with others."""

    def __init__(self, world: World, planner: Planner) -> None:
        self.world = world
        self.planner = planner
        self.rng = stream(world.seed, "inside")

    def notebooks(self) -> None:
        """Log runs from notebooks: now and then, sometimes two at once."""
        by_login = {person.login: person for person in self.world.people}
        for pod in self._pods("notebook"):
            person = by_login[pod.labels["user"]]
            for day in range(pod.start, pod.end - 8 * HOUR, DAY):
                if self.rng.random() < 0.45:  # noqa: PLR2004
                    continue
                begin = day + self.rng.randint(60, 3 * HOUR)
                team = person.team_at(begin)
                if team is None:
                    continue
                for number in range(self.rng.choice((1, 1, 2))):
                    run = self._within(pod, team, begin + number * self.rng.randint(600, 1800))
                    run.person, run.user_raw, run.tells_user = person, person.login, True
                    run.tells_team = False
                    run.experiment = f"notebooks/{person.login}"

    def nested(self) -> None:
        """Let some runs start trials in their own pod: the trials hold it, not the parent."""
        for parent in [run for run in self.planner.plans.runs if run.kind == "nested"]:
            pod = parent.pods[0]
            step = (parent.end - parent.start) // 4
            if step < 300:  # noqa: PLR2004  (too short for trials)
                continue
            for number in range(3):
                begin = parent.start + 120 + number * step
                trial = self._within(pod, parent.team or "platform", begin)
                trial.kind, trial.parent = "trial", parent
                trial.end = min(begin + step * self.rng.choice((3, 4, 5)) // 4, parent.end - 5)
                trial.name = f"{parent.name}-fold-{number}"
                trial.person, trial.user_raw = parent.person, parent.user_raw
                trial.tells_user, trial.tells_team = parent.tells_user, parent.tells_team
                trial.project, trial.experiment = parent.project, parent.experiment
                trial.reads = list(parent.reads)
                trial.status = "FINISHED"

    def _pods(self, purpose: str) -> list[Pod]:
        return [
            pod for machine in self.world.machines for pod in machine.pods if pod.purpose == purpose
        ]

    def _within(self, pod: Pod, team: str, begin: int) -> Run:
        project = self.planner.project_for(team, pod.machine.pool)
        run = self.planner.run("notebook", project, begin, pod.gpus, 1)
        run.inside, run.region = pod, pod.machine.region
        run.start = begin
        run.end = min(begin + run.minutes * 60 // 3 + self.rng.randint(0, 59), pod.end - 5)
        return run


def _rent(world: World, planner: Planner) -> None:
    """Run on bare machines: one at a time, two side by side, or a parent with children."""
    rng = stream(world.seed, "lab")
    for machine in bare_machines(world.seed, world.calendar):
        world.machines.append(machine)
        lab = _Lab(world, planner, machine, rng)
        now = world.calendar.start + rng.randint(0, 4 * HOUR)
        while now < world.calendar.until - HOUR:
            hours = rng.lognormvariate(0, 0.5) * 20
            end = min(now + int(hours * HOUR) + rng.randint(0, 59), world.calendar.until)
            style: Callable[[int, int], None] = rng.choices(
                (lab.alone, lab.side_by_side, lab.family), (60, 26, 14)
            )[0]
            style(now, end)
            now = end + rng.choice((20 * 60, HOUR, 3 * HOUR, 7 * HOUR)) + rng.randint(0, 59)


class _Lab:
    """One bare machine and those who log in to it."""

    def __init__(
        self, world: World, planner: Planner, machine: Machine, rng: random.Random
    ) -> None:
        self.world, self.planner, self.machine, self.rng = world, planner, machine, rng

    def alone(self, start: int, end: int) -> None:
        self._run(start, end, self.machine.kind.gpus)

    def side_by_side(self, start: int, end: int) -> None:
        """Two runs, each with half of the GPUs; while one is alone, half the machine is idle."""
        half = self.machine.kind.gpus // 2
        self._run(start, end, half)
        later = start + (end - start) // self.rng.choice((3, 4, 6))
        self._run(later, max(later + 60, end - self.rng.randint(0, 2 * HOUR)), half)

    def family(self, start: int, end: int) -> None:
        """A parent and its children, who do not say how many GPUs they hold."""
        parent = self._run(start, end, 0)
        parent.kind = "sweep"
        step = (end - start) // 3
        for number in range(3):
            begin = start + number * step + 30
            child = self._run(begin, begin + step * 9 // 10, 0, parent.project)
            child.kind, child.parent = "trial", parent
            child.person, child.user_raw = parent.person, parent.user_raw
            child.name = f"{parent.name}-trial-{number:02d}"

    def _run(self, start: int, end: int, gpus: int, project: Project | None = None) -> Run:
        machine, planner = self.machine, self.planner
        team = self.rng.choice(_LAB_TEAMS[machine.source])
        project = project or planner.project_for(team, machine.pool)
        run = planner.run("training", project, start, gpus, 1)
        run.start, run.end, run.region, run.machine = start, end, machine.region, machine
        if end >= self.world.calendar.until:
            run.status = "RUNNING"
        if machine.source == "lab":
            self._read(run)
        return run

    def _read(self, run: Run) -> None:
        """Copy a little of a dataset out of the cloud now and then: that is egress, too."""
        eastern = [
            data
            for data in self.world.datasets
            if data.project == run.project and data.region == EAST
        ]
        if eastern and self.rng.random() < 0.3:  # noqa: PLR2004
            dataset = self.rng.choice(eastern)
            run.reads = [
                Read(dataset, dataset.size_bytes // self.rng.randint(12, 60), is_logged=True)
            ]


def _use_service(world: World, planner: Planner) -> None:
    """Train a few models as managed jobs, some without telling the tracker."""
    rng = stream(world.seed, "managed jobs")
    for number in range(round(16 * planner.months)):
        kind = rng.choice((G5, P3_HALF))
        start = planner.moment() + rng.randint(0, 59)
        length = int(rng.lognormvariate(0, 0.6) * 4 * HOUR)
        end = min(start + length, world.calendar.until)
        project = planner.project_for(rng.choice(("recommendations", "forecasting")), "train-a10g")
        name = f"{project.name}-{day_stamp(start)}-{number:03d}"
        arn = f"arn:aws:sagemaker:{EAST}:{TRAINING}:training-job/{name}"
        run = None
        if number % 6:
            run = planner.run("training", project, start, kind.gpus, 1)
            run.start, run.end, run.job_arn, run.region = start, end, arn, EAST
            run.status = "RUNNING" if end == world.calendar.until else run.status
        tags = {"user_team": project.team, "user_project": project.name}
        world.jobs.append(ManagedJob(arn, kind, start, end, run, tags))


def day_stamp(second: int) -> str:
    """Return a day as job names carry it."""
    return f"d{second // DAY}"


def _spoil(world: World) -> None:
    """Plant what trackers get wrong: runs that never end, clocks that run back, a copied tag."""
    rng = stream(world.seed, "spoil")
    sound = [
        run
        for run in world.runs
        if run.kind == "training" and run.status == "FINISHED" and run.pods and run.project
    ]
    chosen = rng.sample(sound, _ZOMBIES + _WRONG_CLOCKS)
    for run in chosen[:_ZOMBIES]:
        run.is_zombie, run.status = True, "RUNNING"
    for run in chosen[_ZOMBIES:]:
        run.ends_early = True
    copied = next(run for run in sound if run.team == "language" and run not in chosen)
    copied.name, copied.tagged_team, copied.tells_team = "copied-config-baseline", "vision", True
    for pod in copied.pods:
        pod.labels["team"] = "vision"


def _register(world: World) -> None:
    """Register what succeeded: first of all each model once, then as it comes."""
    rng = stream(world.seed, "register")
    versions: dict[str, int] = {}
    by_project: dict[str, list[Model]] = {}
    for model in world.models:
        by_project.setdefault(model.project.name, []).append(model)
    candidates: Sequence[Run] = sorted(world.runs, key=lambda run: (run.end, run.run_id))
    for run in candidates:
        is_good = run.status == "FINISHED" and run.project and run.kind not in _NO_MODELS
        if not is_good or run.person is None:
            continue
        mine = by_project[run.project.name] if run.project else []
        new = [model for model in mine if model.name not in versions]
        if not new and rng.random() > 0.3:  # noqa: PLR2004
            continue
        chosen = new[:1] or rng.sample(mine, rng.choice((1, 1, 1, 2)))
        for model in chosen:
            versions[model.name] = versions.get(model.name, 0) + 1
            run.models.append((model, versions[model.name]))


_NO_MODELS: Final = frozenset({"evaluation", "preparation", "sweep"})
