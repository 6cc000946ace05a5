"""What the company keeps by hand: people, ownership, the buckets' inventory, and the config file.

In the ownership file, experiments of five teams are ruled, namespaces of the others are mapped, and
one run whose tag was copied from another team is put right by an override.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Final

from jobs.demo.inventory import stored_on
from jobs.demo.owners import RULED_TEAMS
from jobs.demo.people import PROJECTS
from jobs.demo.plans import DOMAIN
from jobs.demo.world import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from jobs.demo.world import World

CONFIG: Final = """\
# The fictitious company Lumenfold: `mlspend demo` wrote it, `mlspend nightly` reads it.
# Paths are relative to this file.
state_dir = "state"

[report]
is_demo = true

[mail]
from_address = "mlspend@lumenfold.example"
to = "spenders"
send_on = "daily"
finance = ["finance@lumenfold.example"]

[attribution]
stale_hours = 8760  # its days are fixed: what is old here is not late
team_tags = ["user_team", "owner-team", "team", "k8s-label/team"]
user_tags = ["user_owner", "owner", "k8s-label/user"]
project_tags = ["user_project", "project", "k8s-label/project"]

[connectors.aws_cur]
source = "aws"
root = "aws"

[[connectors.focus]]
source = "lab"
root = "lab"

[[connectors.focus]]
source = "eu-lab"
root = "eu-lab"

[connectors.gcp_billing]
source = "gcp"
root = "gcp"

[connectors.azure_cost]
source = "azure"
actual_root = "azure/actual"
amortized_root = "azure/amortized"

[connectors.mlflow]
root = "mlflow.db"

[connectors.slurm]
root = "slurm"

[[connectors.prometheus]]
source = "forge-use1"
root = "prometheus/forge-use1"
cluster = "forge-use1"

[[connectors.prometheus]]
source = "forge-euw1"
root = "prometheus/forge-euw1"
cluster = "forge-euw1"

[connectors.identities]
root = "identities"

[connectors.ownership]
path = "ownership.toml"

[connectors.storage_inventory]
root = "inventory"

[connectors.aws_inventory]
root = "aws-inventory"

[[quotas]]
name = "robotics-month"
dimension = "team"
member = "robotics"
measure = "effective_cost"
limit = 40000
currency = "USD"

[[quotas]]
name = "vision-month"
dimension = "team"
member = "vision"
measure = "effective_cost"
limit = 44000
currency = "USD"

[[quotas]]
name = "language-month"
dimension = "team"
member = "language"
measure = "effective_cost"
limit = 40000
currency = "USD"
thresholds = [{ share = 0.8, do = "warn" }, { share = 1.0, do = "enforce" }]
"""


def write_identities(folder: Path, world: World) -> None:
    """Write people, their aliases and their teams."""
    folder.mkdir(parents=True, exist_ok=True)
    mail = {person.user_id: f"{person.user_id}@{DOMAIN}" for person in world.people}
    people = [(p.user_id, p.name, mail[p.user_id]) for p in world.people]
    aliases = [
        (alias, person.user_id, "", "")
        for person in world.people
        for alias in (person.login, f"{person.login}@{DOMAIN}")
    ]
    stays = [
        (person.user_id, stay.team, _date(stay.start), _date(stay.end))
        for person in world.people
        for stay in person.stays
    ]
    _write(folder / "people.csv", ("user_id", "user_name", "email"), people)
    span = ("valid_from", "valid_to")
    _write(folder / "aliases.csv", ("alias", "user_id", *span), aliases)
    _write(folder / "memberships.csv", ("user_id", "team", *span), stays)


def _date(second: int | None) -> str:
    return "" if second is None else day_of(second).isoformat()


def write_ownership(path: Path, world: World) -> None:
    """Write rules, overrides and datasets."""
    tables = [*_overrides(world), *_rules(), *_datasets(world)]
    path.write_text("\n\n".join(tables) + "\n", encoding="utf-8")


def _overrides(world: World) -> Iterator[str]:
    for run in world.runs:
        if run.tagged_team:
            yield (
                f'[[overrides]]\nid = "copied-config"\nwhen = {{ run = "{run.name}" }}\n'
                f'team = "{run.team}"'
            )


def _rules() -> Iterator[str]:
    for team, projects in PROJECTS.items():
        if team in RULED_TEAMS:
            for project in projects:
                yield (
                    f'[[rules]]\nid = "exp-{project}"\n'
                    f'when = {{ experiment = "{team}/{project}" }}\n'
                    f'team = "{team}"\nproject = "{project}"'
                )
    for team in PROJECTS:
        if team not in RULED_TEAMS:
            yield (
                f'[[rules]]\nid = "ns-{team}"\nwhen = {{ namespace = "ml-{team}" }}\n'
                f'team = "{team}"'
            )


def _datasets(world: World) -> Iterator[str]:
    for data in world.datasets:
        versions = (data.last_version, data.version) if data.is_kept else (data.version,)
        places = [(f'version = "{version}"\n', data.uri_of(version)) for version in versions]
        since = ""
        if not data.is_kept and data.made_at > world.calendar.start:
            since = f"from = {day_of(data.made_at)}\n"
        for version, uri in [("", data.uri_of("")), *places] if data.is_kept else places:
            yield (
                f'[[datasets]]\nname = "{data.name}"\n{version}{since}'
                f'uri = "{uri}"\nregion = "{data.region}"\nuser = "{data.owner.user_id}"\n'
                f'team = "{data.project.team}"\nproject = "{data.project.name}"'
            )


def write_inventory(folder: Path, world: World) -> None:
    """Write what lay where, a file a month."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = (
        "day",
        "container",
        "prefix",
        "storage_class",
        "size_bytes",
        "object_count",
        "is_current",
    )
    for period in world.calendar.periods:
        days = [day for day in world.calendar.days if period.start <= day < period.end]
        rows = [
            (
                day_of(day).isoformat(),
                place.bucket,
                f"{place.prefix}/",
                place.storage_class,
                place.size_bytes,
                place.object_count,
                "true" if place.is_current else "false",
            )
            for day in days
            for place in stored_on(world, day)
        ]
        _write(folder / f"buckets-{period.name}.csv", columns, rows)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
