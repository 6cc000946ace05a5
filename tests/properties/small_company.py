"""Small companies drawn from a seed: a FOCUS bill in two files, runs, two days of Prometheus.

Unlike the fictitious company of `mlspend demo` they are a second's work, so that the same one can
be delivered in many ways and its whole nights compared.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.promql import QUERIES
from jobs.config import read_config
from jobs.extracting import extract
from jobs.night import open_night
from jobs.nightly import build_and_publish
from jobs.progress import NoProgress
from queries.generation import newest_generation
from queries.read import open_generation

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = tuple[Any, ...]
FIRST = date(2025, 9, 10)
HOURS = 4
DIMENSIONS = ("user", "team", "project", "model", "dataset", "service")
MEASURES = {"billed_cost": "BilledCost", "effective_cost": "EffectiveCost"}
GIB = 2**30
CONFIG = """
[[connectors.focus]]
source = "bills"
root = "bills"
[connectors.prometheus]
root = "telemetry"
cluster = "lab"
[connectors.runs_file]
root = "runs"
[detectors.failed_runs]
min_waste = 0
"""
MARTS = {
    "spend_daily": "*",
    "books": "*",
    "machines_daily": "*",
    "runs": "run_id, status, user_id, team, project, gpu_hours, billing_currency, effective_cost, "
    "billed_cost",
    "coverage": "dimension, rule_id, billing_currency, effective_cost",
    "findings": "detector, resource_id, owner_user, owner_team, since, billing_currency, "
    "confidence, evidence, conflict_key, is_counted, monthly_waste, state",
}
"""What is compared of two nights: attribution, books and findings."""
COLUMNS = (
    *("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "BillingCurrency"),
    *("BillingAccountId", "BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd"),
    *("ChargeCategory", "ServiceName", "ServiceCategory", "ProviderName", "ResourceId"),
    *("SkuMeter", "Tags", "RegionId", "ChargeClass", "CommitmentDiscountId"),
    *("CommitmentDiscountStatus", "CommitmentDiscountType", "ResourceType"),
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
    more: tuple[tuple[str, str], ...] = ()
    """Columns that say something else than the rest of the line would."""

    def cells(self) -> Sequence[str]:
        """Return the cells of the line, in the order of COLUMNS."""
        told = dict(zip(COLUMNS, self._cells(), strict=False)) | dict(self.more)
        return [told.get(column, "") for column in COLUMNS]

    def _cells(self) -> Sequence[str]:
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
    status: str = ""
    """How the run in it ended; empty: it has none."""
    asked: int | None = None
    """How often the model in it was asked; none: it serves none."""

    @property
    def uid(self) -> str:
        """What the cluster calls it."""
        return f"{self.name}-{self.day.day}-{self.hour}"


@dataclass(frozen=True)
class Company:
    """Files of lines, in order, and pods on the machines of two days."""

    files: tuple[tuple[Line, ...], ...]
    pods: tuple[Pod, ...]
    sources: tuple[tuple[str, str], ...] = ()
    """Account -> the source that bills it, and its folder; `bills` bills the others."""

    @property
    def config(self) -> str:
        """The config file, but for settings."""
        return CONFIG

    def write(self, home: Path) -> None:
        """Write what the sources hold, in the place of what they held before."""
        for folder in ("telemetry", "runs"):
            shutil.rmtree(home / folder, ignore_errors=True)
        for source in {"bills", *dict(self.sources).values()}:
            shutil.rmtree(home / source, ignore_errors=True)
            files = [[one for one in file if self.source_of(one) == source] for file in self.files]
            _write_bills(home / source, [file for file in files if file])
        _write_telemetry(home / "telemetry", self)
        _write_runs(home / "runs", self)

    def billed(self) -> dict[tuple[Any, ...], Decimal]:
        """Return source, period, month of use, currency and measure -> cost, added up plainly."""
        sums: dict[tuple[Any, ...], Decimal] = {}
        for line in (line for file in self.files for line in file):
            told = dict(zip(COLUMNS, line.cells(), strict=True))
            period = date.fromisoformat(told["BillingPeriodStart"][:10])
            month, currency = line.day.replace(day=1), told["BillingCurrency"]
            for measure, column in MEASURES.items():
                key = (self.source_of(line), period, month, currency, measure)
                sums[key] = sums.get(key, Decimal(0)) + Decimal(told[column])
        return sums

    def source_of(self, line: Line) -> str:
        """Return which source of the config file bills a line."""
        return dict(self.sources).get(line.account, "bills")

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
                    Pod(
                        *(f"{machine}-{number}", machine, day, hour, rng.randint(1, 5), team_name),
                        rng.choice(("", "succeeded", "failed")),
                    )
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


def figures(
    company: Company, settings: str = "", nights: int = 1, before: Sequence[Company] = ()
) -> dict[str, list[Row]]:
    """Return what whole nights publish of a company.

    `before` is what the sources held on earlier nights, of which nothing may be left. The books
    must be what plain Python adds up of the lines, whatever else a test wants of them.
    """
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        config = home / "mlspend.toml"
        for held in (*before, *[company] * nights):
            held.write(home)
            config.write_text(settings + company.config, encoding="utf-8")
            with open_night(read_config(config), NoProgress(), "test") as night:
                extract(night)
                build_and_publish(night)
                assert night.problems == [], night.problems
        with open_generation(newest_generation(read_config(config).state_dir)) as con:
            found = {
                mart: con.execute(f"select {columns} from marts.{mart} order by all").fetchall()
                for mart, columns in MARTS.items()
            }
    _prove(company, found["books"])
    return found


def _prove(company: Company, books: Sequence[Row]) -> None:
    """Hold every line of the books against the lines, in each dimension."""
    billed = company.billed()
    wanted = {(*key, dimension) for key in billed for dimension in DIMENSIONS}
    assert {tuple(row[:6]) for row in books} == wanted
    for row in books:
        total = billed[tuple(row[:5])]
        assert (row[6], row[7] + row[8] + row[9] + row[10], row[11]) == (total, total, 0)


def _write_bills(folder: Path, files: Sequence[Sequence[Line]]) -> None:
    """Write each file into the folder of its invoice's month."""
    place = COLUMNS.index("BillingPeriodStart")
    for number, lines in enumerate(files):
        month = folder / lines[0].cells()[place][:7]
        month.mkdir(parents=True, exist_ok=True)
        with (month / f"part-{number}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(COLUMNS)
            writer.writerows(line.cells() for line in lines)


def _write_runs(folder: Path, company: Company) -> None:
    """Write the runs in pods, each of one pod's hour."""
    runs, places = (
        ["native_id,status,kind,started_at,ended_at"],
        ["native_id,cluster,namespace,pod"],
    )
    for pod in company.pods:
        if pod.status:
            start = datetime(pod.day.year, pod.day.month, pod.day.day, pod.hour, tzinfo=UTC)
            times = [f"{start + timedelta(hours=ran):%Y-%m-%dT%H:%M:%SZ}" for ran in (0, 1)]
            runs.append(f"run-{pod.uid},{pod.status},training,{times[0]},{times[1]}")
            places.append(f"run-{pod.uid},lab,ml,{pod.uid}")
    folder.mkdir(parents=True)
    for table, lines in (("runs", runs), ("run_places", places)):
        (folder / f"{table}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


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
    named = {"namespace": "ml", "pod": pod.uid, "uid": pod.uid}
    placed = named | {"node": f"node-{pod.node}"}
    answers["pod_running"].append(_series(named, ends, "60"))
    answers["pod_node"].append(_series(placed, ends, "1"))
    for resource, amount in (("nvidia_com_gpu", pod.gpus), ("cpu", 9), ("memory", 100 * GIB)):
        asked = placed | {"resource": resource}
        answers["pod_request"].append(_series(asked, ends, str(amount)))
    if pod.asked is not None:
        served = named | {"model_name": "lens", "model_version": "1", "serving_system": "vllm"}
        answers["served_requests"].append(_series(served, ends, str(pod.asked)))
    if pod.team:
        answers["pod_labels"].append(_series(named | {"label_team": pod.team}, ends, "1"))


def _series(labels: dict[str, str], ends: Sequence[int], value: str) -> dict[str, Any]:
    return {"metric": labels, "values": [[end, value] for end in ends]}
