"""What people want to run: training, sweeps, evaluations, data preparation, notebooks, services.

`plan` draws the runs and asks the pools for room; what comes of it is `jobs.demo.runs`. One
story lies in here: a broken setting makes a pipeline retry a hundred and eighty times in a night.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from jobs.demo.catalog import FAR
from jobs.demo.fleet import POOLS, Ask
from jobs.demo.people import NOBODY
from jobs.demo.world import DAY, EAST, HOUR, Read, Run, hex_id, stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobs.demo.fleet import Pool
    from jobs.demo.world import Person, Project, World


class Habit(NamedTuple):
    """What a team does over and over."""

    team: str
    kind: str
    times: int
    """A month."""
    pool: str
    gpus: int
    copies: int
    hours: float
    """The median."""


HABITS: Final = (
    Habit("language", "training", 40, "train-a100", 8, 1, 13),
    Habit("language", "training", 8, "train-a100", 8, 2, 18),
    Habit("language", "training", 24, "train-a100", 4, 1, 6),
    Habit("language", "evaluation", 60, "train-a10g", 1, 1, 0.7),
    Habit("language", "sweep", 5, "train-a10g", 1, 1, 2.5),
    Habit("vision", "training", 28, "train-a100", 4, 1, 8),
    Habit("vision", "training", 24, "train-a10g", 2, 1, 5),
    Habit("vision", "sweep", 5, "spot-t4", 1, 1, 2.5),
    Habit("vision", "evaluation", 40, "train-a10g", 1, 1, 0.6),
    Habit("speech", "training", 18, "train-a100", 4, 1, 7),
    Habit("speech", "training", 30, "mixed-euw1", 2, 1, 6),
    Habit("speech", "evaluation", 24, "spot-t4", 1, 1, 0.8),
    Habit("recommendations", "training", 26, "train-v100", 4, 1, 9),
    Habit("recommendations", "sweep", 4, "spot-t4", 1, 1, 2),
    Habit("recommendations", "evaluation", 30, "train-a10g", 1, 1, 0.5),
    Habit("forecasting", "training", 22, "train-v100", 2, 1, 4),
    Habit("forecasting", "training", 12, "train-euw1", 2, 1, 5),
    Habit("forecasting", "sweep", 3, "mixed-euw1", 1, 1, 1.5),
    Habit("robotics", "training", 13, "train-a100", 8, 1, 10),
    Habit("robotics", "training", 16, "train-euw1", 4, 1, 8),
    Habit("robotics", "sweep", 6, "mixed-euw1", 1, 1, 3),
    Habit("search", "training", 20, "train-v100", 4, 1, 7),
    Habit("search", "training", 14, "train-a10g", 2, 1, 4),
    Habit("search", "nested", 7, "train-a10g", 2, 1, 8),
    Habit("search", "evaluation", 30, "train-a10g", 1, 1, 0.4),
    Habit("platform", "training", 6, "train-a10g", 1, 1, 2),
    Habit("platform", "evaluation", 20, "spot-t4", 1, 1, 0.5),
)
WESTERN_POOLS: Final = frozenset(pool.name for pool in POOLS if pool.region != EAST)
BY_NAME: Final[Mapping[str, Pool]] = {pool.name: pool for pool in POOLS}
STORM_RUNS: Final = 180
SANDBOX_NAMESPACE: Final = "sandbox"
_TRIALS: Final = (7, 8, 9, 10, 12)
DOMAIN: Final = "lumenfold.example"
_ADJECTIVES: Final = (
    "amber",
    "brisk",
    "calm",
    "dusky",
    "eager",
    "fabled",
    "gentle",
    "hidden",
    "ivory",
    "jolly",
    "keen",
    "lucid",
)
_NOUNS: Final = (
    "fjord",
    "grove",
    "heron",
    "isle",
    "jackdaw",
    "kestrel",
    "lagoon",
    "meadow",
    "newt",
    "otter",
    "pine",
    "quarry",
)


@dataclass(slots=True)
class Plans:
    """The runs drawn, and what they ask of each pool."""

    runs: list[Run] = field(default_factory=list)
    asks: dict[str, list[Ask]] = field(default_factory=dict)

    def ask(self, pool: str, ask: Ask) -> None:
        """Ask a pool for pods."""
        self.asks.setdefault(pool, []).append(ask)


class Planner:
    """Draws what the company runs; each kind has random numbers of its own."""

    def __init__(self, world: World) -> None:
        """Plan for a company whose people, datasets and models are there."""
        self.world = world
        self.plans = Plans()
        self.rng = stream(world.seed, "plans")
        self.months = len(world.calendar.days) / 30.5

    def plan(self) -> Plans:
        """Return everything but what depends on how the rest turned out."""
        for habit in HABITS:
            for _ in range(round(habit.times * self.months)):
                self._one(habit)
        self._storm()
        self._strangers()
        self._notebooks()
        self._services()
        return self.plans

    def run(self, kind: str, project: Project, submitted: int, gpus: int, hours: float) -> Run:
        """Draw a run of a project, its author and its length."""
        rng = self.rng
        length = rng.lognormvariate(0, 0.55) * hours * 60
        author = self._author(project.team, submitted)
        run = Run(
            run_id=hex_id(rng, 32),
            name=f"{rng.choice(_ADJECTIVES)}-{rng.choice(_NOUNS)}-{rng.randint(1, 999)}",
            kind=kind,
            person=author,
            project=project,
            team=project.team,
            gpus=gpus,
            minutes=max(4, int(min(length, 6 * 24 * 60))),
            submitted=submitted,
            experiment=f"{project.team}/{project.name}",
        )
        self._choose_fate(run, author)
        self.plans.runs.append(run)
        return run

    def moment(self) -> int:
        """Return a minute at which people submit work: rather weekdays, rather by day."""
        rng, calendar = self.rng, self.world.calendar
        while True:
            day = rng.randrange(calendar.start, calendar.until, DAY)
            is_weekend = (day // DAY + 3) % 7 >= 5  # noqa: PLR2004  (1970 began on a Thursday)
            if not is_weekend or rng.random() < 0.35:  # noqa: PLR2004
                break
        hour = min(23, max(0, int(rng.gauss(13, 4))))
        return day + hour * HOUR + rng.randrange(60) * 60

    def project_for(self, team: str, pool: str) -> Project:
        """Return a project of a team that works in the pool's region, if there is one."""
        mine = [project for project in self.world.projects if project.team == team]
        at_home = [
            project for project in mine if self._is_western(project) == (pool in WESTERN_POOLS)
        ]
        return self.rng.choice(at_home or mine)

    def read(self, run: Run, count: int = 1) -> None:
        """Let a run read datasets of its project."""
        mine = [data for data in self.world.datasets if data.project == run.project]
        far = [data for data in mine if data.name in FAR]
        chosen = self.rng.sample(mine, min(count, len(mine)))
        if far and self.rng.random() < 0.6 and far[0] not in chosen:  # noqa: PLR2004
            chosen.append(far[0])
        for dataset in chosen:
            is_logged = dataset.name in FAR or self.rng.random() < 0.8  # noqa: PLR2004
            part = self.rng.uniform(0.02, 0.35) if is_logged else 1.0
            run.reads.append(Read(dataset, int(dataset.size_bytes * part), is_logged))

    def _is_western(self, project: Project) -> bool:
        return project.name in {"energy-load", "captions", "route-learning"}

    def _author(self, team: str, submitted: int) -> Person:
        here = [person for person in self.world.people if person.team_at(submitted) == team]
        return here[min(int(self.rng.expovariate(0.35)), len(here) - 1)]

    def _choose_fate(self, run: Run, author: Person) -> None:
        rng = self.rng
        run.user_raw = rng.choice([author.login] * 7 + [f"{author.user_id}@{DOMAIN}"])
        fate = rng.random()
        if run.kind in {"training", "nested", "trial"} and fate < 0.13:  # noqa: PLR2004
            run.status = "FAILED" if fate < 0.09 else "KILLED"  # noqa: PLR2004
            run.minutes = max(3, int(run.minutes * rng.uniform(0.02, 0.9)))
        run.tells_user = rng.random() > 0.04  # noqa: PLR2004
        run.tells_team = rng.random() > 0.15  # noqa: PLR2004

    def _one(self, habit: Habit) -> None:
        project = self.project_for(habit.team, habit.pool)
        submitted = self.moment()
        if habit.kind == "sweep":
            self._sweep(habit, project, submitted)
            return
        run = self.run(habit.kind, project, submitted, habit.gpus * habit.copies, habit.hours)
        self.read(run, self.rng.choice((1, 1, 2)))
        self.plans.ask(habit.pool, self.gpu_ask(run, habit.pool, habit.gpus, habit.copies))

    def _sweep(self, habit: Habit, project: Project, submitted: int) -> None:
        parent = self.run("sweep", project, submitted, 0, 1)
        parent.status = "FINISHED"
        for number in range(self.rng.choice(_TRIALS)):
            at = submitted + 120 + (number // 4) * int(habit.hours * HOUR) // 60 * 60
            trial = self.run("trial", project, at, habit.gpus, habit.hours)
            trial.parent, trial.person, trial.user_raw = parent, parent.person, parent.user_raw
            trial.tells_user, trial.tells_team = parent.tells_user, parent.tells_team
            trial.name = f"{parent.name}-trial-{number:02d}"
            if number == 0:
                self.read(trial)
            else:
                trial.reads = list(self.plans.runs[-2].reads)
            self.plans.ask(habit.pool, self.gpu_ask(trial, habit.pool, habit.gpus, 1))

    def gpu_ask(self, run: Run, pool: str, gpus: int, copies: int) -> Ask:
        """Ask for a run's GPUs, with as much of the cores and the memory as goes with them."""
        kind = BY_NAME[pool].kind
        cores = kind.cores * 900 * gpus // kind.gpus
        memory = kind.memory_gib * 85 * gpus // kind.gpus // 100
        used = self.rng.choice((55, 70, 85, 104))
        return Ask(
            at=run.submitted,
            seconds=run.minutes * 60,
            name=f"{run.name}-{run.run_id[:5]}",
            namespace=f"ml-{run.team}" if run.team else SANDBOX_NAMESPACE,
            gpus=gpus,
            cores_milli=cores,
            memory_gib=memory,
            copies=copies,
            labels=pod_labels(run),
            run=run,
            busy=self.rng.betavariate(6, 2.2),
            cpu_used_milli=cores * used // 100,
            memory_used_gib=memory * self.rng.choice((50, 65, 80)) // 100,
        )

    def _storm(self) -> None:
        calendar = self.world.calendar
        night = calendar.start + len(calendar.days) * 3 // 5 * DAY + 22 * HOUR
        project = next(item for item in self.world.projects if item.name == "home-feed")
        for number in range(STORM_RUNS):
            run = self.run("training", project, night + number * 180, 4, 0.1)
            run.name, run.status = f"nightly-retrain-retry-{number:03d}", "FAILED"
            run.minutes = self.rng.randint(4, 9)
            run.user_raw, run.tells_user = "svc-pipelines", True
            run.person = None
            self.plans.ask("train-a10g", self.gpu_ask(run, "train-a10g", 4, 1))

    def _strangers(self) -> None:
        """Draw runs whose author cannot be told: shared namespace, no tags, or an unknown login."""
        for number in range(round(14 * self.months)):
            project = self.project_for("vision" if number % 2 else "search", "train-a10g")
            run = self.run("training", project, self.moment(), 1, 2.5)
            run.person = None
            if number % 3:
                run.project, run.team, run.experiment = None, None, "Default"
                run.user_raw, run.tells_user, run.tells_team = "root", False, False
            else:
                run.user_raw, run.tells_user, run.tells_team = NOBODY, True, True
            self.plans.ask("train-a10g", self.gpu_ask(run, "train-a10g", 1, 1))

    def _notebooks(self) -> None:
        calendar = self.world.calendar
        for person in self.world.people[::4]:
            start = calendar.start + self.rng.randrange(len(calendar.days) // 2) * DAY + 8 * HOUR
            days = self.rng.randint(9, 40)
            team = person.team_at(start) or "platform"
            self.plans.ask(
                "train-a10g",
                Ask(
                    at=start,
                    seconds=days * DAY,
                    name=f"jupyter-{person.login}",
                    namespace=f"ml-{team}",
                    gpus=1,
                    cores_milli=8000,
                    memory_gib=32,
                    purpose="notebook",
                    labels={"app": "jupyter", "user": person.login, "team": team},
                    busy=0.02,
                    cpu_used_milli=self.rng.choice((900, 2500, 9000)),
                    memory_used_gib=self.rng.choice((9, 24, 36)),
                ),
            )

    def _services(self) -> None:
        calendar = self.world.calendar
        for project, model, count in self._served():
            for replica in range(count):
                self.plans.ask(
                    "serve-a10g",
                    Ask(
                        at=calendar.start,
                        seconds=calendar.until - calendar.start,
                        name=f"{model}-predictor-{hex_id(self.rng, 5)}-{replica}",
                        namespace="serving",
                        gpus=1,
                        cores_milli=9000,
                        memory_gib=36,
                        purpose="serving",
                        labels={
                            "app": "predictor",
                            "team": project.team,
                            "project": project.name,
                            "model": model,
                        },
                        busy=self.rng.uniform(0.15, 0.5),
                    ),
                )

    def _served(self) -> Iterator[tuple[Project, str, int]]:
        wanted = {
            "assistant": 3,
            "home-feed": 2,
            "query-ranking": 2,
            "visual-search": 1,
            "voice-desk": 2,
        }
        for project in self.world.projects:
            if project.name in wanted:
                models = [model for model in self.world.models if model.project == project]
                yield project, models[0].name, wanted[project.name]


def pod_labels(run: Run) -> dict[str, str]:
    """Return the labels that a run's pod carries."""
    labels = {"app": "trainer", "mlflow_run_id": run.run_id}
    if run.tells_user and run.user_raw != NOBODY:
        labels["user"] = run.user_raw.partition("@")[0]
    if run.tells_team and run.team and run.project:
        labels |= {"team": run.team, "project": run.project.name}
    return labels
