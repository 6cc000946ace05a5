"""Small companies drawn from a seed: a FOCUS bill in two files and what Prometheus saw of two days.

Unlike the fictitious company of `mlspend demo` they are a second's work, so that the same one can
be delivered in many ways and its whole nights compared.
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.promql import QUERIES
from jobs.config import read_config
from jobs.nightly import open_night
from jobs.progress import NoProgress
from queries.generation import newest_generation
from queries.read import open_generation

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[Any, ...]
FIRST = date(2025, 9, 10)
HOURS = 4
GIB = 2**30
CONFIG = """
[connectors.focus]
root = "bills"
[connectors.prometheus]
root = "telemetry"
cluster = "lab"
"""
COLUMNS = (
    *("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingCurrency"),
    *("BillingAccountId", "BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd"),
    *("ChargeCategory", "ServiceName", "ServiceCategory", "ProviderName", "ResourceId"),
    *("SkuMeter", "Tags"),
)


@dataclass(frozen=True)
class Line:
    """A line of the bill; `hour` is None for one of the whole day."""

    cost: Decimal
    day: date
    hour: int | None
    account: str
    category: str
    service: str
    resource: str
    meter: str
    tags: tuple[tuple[str, str], ...]

    def cells(self) -> Sequence[str]:
        """Return the cells of the line, in the order of COLUMNS."""
        start = datetime(self.day.year, self.day.month, self.day.day, self.hour or 0, tzinfo=UTC)
        end = start + timedelta(hours=24 if self.hour is None else 1)
        kind = "Compute" if self.meter else "Storage"
        period = f"{self.day:%Y-%m}-01T00:00:00Z"
        cost = format(self.cost, "f")
        return (
            *(cost, cost, cost, cost, "USD", self.account, period),
            *(f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}", self.category),
            *(self.service, kind, "AWS", self.resource, self.meter, json.dumps(dict(self.tags))),
        )


@dataclass(frozen=True)
class Pod:
    """A pod that held GPUs for an hour."""

    name: str
    node: str
    day: date
    hour: int
    gpus: int
    team: str


@dataclass(frozen=True)
class Company:
    """Files of lines, in order, and pods on the machines of two days."""

    files: tuple[tuple[Line, ...], ...]
    pods: tuple[Pod, ...]

    def with_lines(self, change: Any) -> Company:
        """Return the company with every line changed."""
        files = tuple(tuple(change(line) for line in file) for file in self.files)
        return replace(self, files=files)


def drawn_from(seed: int) -> Company:
    """Return a company: two machines by the hour, buckets, tax, a credit, pods here and there."""
    rng = random.Random(seed)  # noqa: S311 - a made-up company, not a secret
    lines, pods = [], []
    for day in (FIRST, FIRST + timedelta(days=1)):
        for machine in ("i-0a", "i-0b"):
            team = rng.choice(((), (("team", rng.choice(("vision", "speech"))),)))
            for hour in range(HOURS):
                cost = Decimal(rng.randrange(10**9)).scaleb(-rng.choice((6, 7, 12)))
                lines.append(
                    Line(
                        *(cost, day, hour, "111", "Usage", "Amazon Elastic Compute Cloud"),
                        *(machine, "BoxUsage:p4d.24xlarge", team),
                    )
                )
                pods += [
                    Pod(f"{machine}-{number}", machine, day, hour, rng.randint(1, 5), team_name)
                    for number, team_name in enumerate(
                        ("vision", "speech", "")[: rng.randint(0, 3)]
                    )
                ]
        lines += _others(rng, day)
    rng.shuffle(lines)
    cut = rng.randint(1, len(lines) - 1)
    return Company((tuple(lines[:cut]), tuple(lines[cut:])), tuple(pods))


def _others(rng: random.Random, day: date) -> list[Line]:
    """Return what is billed by the day: buckets with and without tags, tax, a credit."""
    storage = "Amazon Simple Storage Service"
    tags: list[tuple[tuple[str, str], ...]] = [
        (),
        (("team", "vision"),),
        (("team", "speech"), ("project", "apollo")),
        (("user", "ada"),),
    ]
    buckets = [
        Line(
            *(Decimal(rng.randrange(10**12)).scaleb(-12), day, None, "111", "Usage", storage),
            *(f"bucket-{number}", "", tag),
        )
        for number, tag in enumerate(tags)
    ]
    tax = Line(Decimal("3.141592653589"), day, None, "111", "Tax", storage, "", "", ())
    return [*buckets, tax, replace(tax, cost=Decimal("-0.577215664901"), category="Credit")]


def figures(company: Company, settings: str = "", nights: int = 1) -> dict[str, list[Row]]:
    """Return what whole nights publish of a company: spend by day, and the books.

    The books must be what plain Python adds up of the lines, whatever else a test wants of them.
    """
    billed = sum((line.cost for file in company.files for line in file), Decimal(0))
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        _write_bills(home / "bills", company)
        _write_telemetry(home / "telemetry", company)
        (home / "mlspend.toml").write_text(settings + CONFIG, encoding="utf-8")
        config = read_config(home / "mlspend.toml")
        for _ in range(nights):
            with open_night(config, NoProgress(), "test") as night:
                night.extract()
                night.build_and_publish()
                assert night.problems == []
        with open_generation(newest_generation(config.state_dir)) as con:
            found = {
                mart: con.execute(f"from marts.{mart} order by all").fetchall()
                for mart in ("spend_daily", "books", "machines_daily")
            }
    for row in found["books"]:
        assert (row[6], row[7] + row[8] + row[9] + row[10], row[11]) == (billed, billed, 0)
    return found


def _write_bills(folder: Path, company: Company) -> None:
    """Write each file into the folder of its month."""
    for number, lines in enumerate(company.files):
        month = folder / f"{lines[0].day:%Y-%m}"
        month.mkdir(parents=True, exist_ok=True)
        with (month / f"part-{number}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(line.cells() for line in lines)


def _write_telemetry(folder: Path, company: Company) -> None:
    """Save the answers of each day on which the machines are billed."""
    for day in sorted({line.day for file in company.files for line in file}):
        midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        ends = [midnight + 3600 * (hour + 1) for hour in range(HOURS)]
        answers: dict[str, list[dict[str, Any]]] = {query: [] for query in QUERIES}
        for node in ("i-0a", "i-0b"):
            about = {"node": f"node-{node}"}
            provider = about | {"provider_id": f"aws:///us-east-1a/{node}"}
            answers["node_up"].append(_series(provider, ends, "60"))
            for resource, amount in (("nvidia_com_gpu", 8), ("cpu", 96), ("memory", 1152 * GIB)):
                capacity = about | {"resource": resource}
                answers["node_capacity"].append(_series(capacity, ends, str(amount)))
        for pod in company.pods:
            if pod.day == day:
                _add_pod(answers, pod, [ends[pod.hour]])
        of_day = folder / day.isoformat()
        of_day.mkdir(parents=True)
        for query, result in answers.items():
            answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
            (of_day / f"{query}.json").write_text(json.dumps(answer), encoding="utf-8")


def _add_pod(answers: dict[str, list[dict[str, Any]]], pod: Pod, ends: Sequence[int]) -> None:
    uid = f"{pod.name}-{pod.day.day}-{pod.hour}"
    named = {"namespace": "ml", "pod": uid, "uid": uid}
    placed = named | {"node": f"node-{pod.node}"}
    answers["pod_running"].append(_series(named, ends, "60"))
    answers["pod_node"].append(_series(placed, ends, "1"))
    for resource, amount in (("nvidia_com_gpu", pod.gpus), ("cpu", 9), ("memory", 100 * GIB)):
        asked = placed | {"resource": resource}
        answers["pod_request"].append(_series(asked, ends, str(amount)))
    if pod.team:
        answers["pod_labels"].append(_series(named | {"label_team": pod.team}, ends, "1"))


def _series(labels: dict[str, str], ends: Sequence[int], value: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[end, value] for end in ends]}
