"""Who owns a run or a pod, as far as anybody wrote it down.

Each way of knowing is delivered in one file or another: a tag, a label, a rule, a map of
namespaces, a membership. What stands in none of them is nobody's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from jobs.demo.holding import Holder
    from jobs.demo.world import Person, Pod, Run, World

RULED_TEAMS: Final = ("vision", "language", "speech", "robotics", "platform")
"""Teams whose experiments the ownership rules know."""
NOBODY: Final = "unattributed"


class Owner(NamedTuple):
    """User, team and project; empty where nobody knows."""

    user: str = ""
    team: str = ""
    project: str = ""


class Owners:
    """Looks up who owns what."""

    def __init__(self, world: World) -> None:
        """Learn a company's people, runs and pods."""
        self.by_login = {person.login: person for person in world.people}
        self.runs = {run.run_id: run for run in world.runs}
        self.pods = {pod.uid: pod for machine in world.machines for pod in machine.pods}
        self.datasets = {dataset.name: dataset for dataset in world.datasets}
        self.start = world.calendar.start

    def of(self, holder: Holder) -> Owner:
        """Return who owns what a holder cost."""
        if holder.run:
            return owner_of_run(self.runs[holder.run])
        if holder.pod:
            return self._of_pod(self.pods[holder.pod])
        dataset = self.datasets.get(holder.dataset)
        if dataset is not None:
            return Owner(dataset.owner.user_id, dataset.project.team, dataset.project.name)
        person = self.by_login.get(holder.tag_user)
        user = person.user_id if person else ""
        return Owner(user, holder.tag_team or self._team_of(person), holder.tag_project)

    def _of_pod(self, pod: Pod) -> Owner:
        person = self.by_login.get(pod.labels.get("user", ""))
        user = person.user_id if person else ""
        return Owner(user, pod.labels.get("team", ""), pod.labels.get("project", ""))

    def _team_of(self, person: Person | None) -> str:
        return (person.team_at(self.start) or "") if person else ""


def owner_of_run(run: Run) -> Owner:
    """Return who owns a run."""
    user = ""
    if run.tells_user:
        user = run.person.user_id if run.person else run.user_raw
    is_ruled = run.team in RULED_TEAMS and has_own_experiment(run)
    is_told = run.tells_team or is_ruled or bool(run.job_arn)
    is_in_namespace = bool(run.pods or run.inside)
    knows_team = is_told or is_in_namespace or (run.tells_user and run.person is not None)
    return Owner(
        user=user,
        team=(run.team or "") if knows_team else "",
        project=run.project.name if is_told and run.project else "",
    )


def has_own_experiment(run: Run) -> bool:
    """Tell whether a run's experiment is that of its project."""
    return run.project is not None and run.experiment == f"{run.team}/{run.project.name}"
