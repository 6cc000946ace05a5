"""A generation of a made-up company, with every mart as the contract has it.

What its runs, machines and buckets cost is drawn from a seed, in whole millionths, and every mart
is summed from the same postings; so its books close, and the figures of a test can be added up.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb  # noqa: TID251 - this writes what queries/ reads

from queries.catalog import macro_files
from tests.queries import acme_findings, acme_lineage, acme_objectives, acme_reported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIRST_DAY = date(2026, 8, 15)
NEWEST_DAY = date(2026, 11, 19)
MILLION = 1_000_000
DIMENSIONS = ("user", "team", "project", "model", "dataset", "service")
NOBODYS = {
    "idle": "(idle)",
    "shared": "(shared)",
    "tax": "(tax)",
    "commitment_unused": "(unused commitment)",
}
COLUMN_OF: dict[object, str] = {"idle": "idle", "direct": "attributed", "credit": "attributed"}
NONE_OF = {"model": "not a model's", "dataset": "not a dataset's"}

TEAMS = ("vision", "language", "search", "recommendations", "speech", "platform", "robotics")
FIRST = ("Ada", "Claude", "Edsger", "Fatima", "Hedy", "Jürgen", "Noor", "Pradeep", "Tomás", "Wei")
LAST = ("Okafor", "Haddad", "Nakamura", "O'Neill", "Schröder", "Iyer", "Ivanova", "Kaya", "Chen")
LANGUAGE = ("atlas-7b", "atlas-70b", "query-rewrite", "safety-filter")
MODELS = (*LANGUAGE, "lens-detect", "lens-segment", "whisper-asr", "rank-two-tower", "grasp-policy")
BUCKETS = ("laion-5b", "common-crawl", "librispeech", "clicks-2026", "web-images", "logs", "grasps")
GPU_USES = ("dead", "starved", "wrong class", "in use")
SERVICES = {"gpu": "Amazon Elastic Compute Cloud", "job": "Amazon SageMaker", "store": "Amazon S3"}
TABLES = {
    "spend_daily": (
        "charge_date date, source varchar, billing_period date, billing_currency varchar, "
        "dimension varchar, member varchar, cost_kind varchar, service_name varchar, "
        "effective_cost decimal(38, 12), billed_cost decimal(38, 12), gpu_hours decimal(38, 6)"
    ),
    "books": (
        "source varchar, billing_period date, charge_month date, billing_currency varchar, "
        "measure varchar, dimension varchar, billed decimal(38, 12), attributed decimal(38, 12), "
        "idle decimal(38, 12), shared decimal(38, 12), unattributed decimal(38, 12), "
        "difference decimal(38, 12), beyond_12_places varchar"
    ),
    "runs": (
        "run_id varchar, run_name varchar, experiment varchar, source varchar, user_id varchar, "
        "user_name varchar, team varchar, project varchar, model varchar, status varchar, "
        "started_at timestamp, ended_at timestamp, duration_hours double, "
        "gpu_hours decimal(38, 6), "
        "effective_cost decimal(38, 12), billed_cost decimal(38, 12), billing_currency varchar, "
        "is_provisional boolean"
    ),
    "training_jobs": (
        "experiment varchar, project varchar, team varchar, billing_currency varchar, "
        "run_count bigint, failed_count bigint, failure_rate double, "
        "effective_cost decimal(38, 12), failed_cost decimal(38, 12), "
        "longest_hours double, mean_hours double, "
        "dearest_run_id varchar, dearest_run_cost decimal(38, 12)"
    ),
    "coverage": (
        "dimension varchar, rule_id varchar, confidence varchar, billing_currency varchar, "
        "effective_cost decimal(38, 12), cost_share double"
    ),
    "freshness": (
        "source varchar, table_name varchar, newest_data_at timestamp, delivered_at timestamp, "
        "is_stale boolean, note varchar"
    ),
    "restatements": (
        "restatement_no bigint, restated_at timestamp, source varchar, unit varchar, "
        "charge_month date, billing_currency varchar, measure varchar, "
        "cost_before decimal(38, 12), cost_after decimal(38, 12), cost_change decimal(38, 12), "
        "lines_before bigint, lines_after bigint, was_open boolean, cause varchar"
    ),
    "machines_daily": (
        "charge_date date, instance_id varchar, instance_type varchar, region_id varchar, "
        "billing_currency varchar, gpu_count decimal(18, 6), up_hours double, "
        "gpu_hours_held decimal(38, 6), effective_cost decimal(38, 12), idle_cost decimal(38, 12), "
        "lost_hours decimal(18, 6), lost_cost decimal(38, 12)"
    ),
    "gpu_uses": (
        "charge_date date, cluster varchar, team varchar, gpu_use varchar, "
        "billing_currency varchar, effective_cost decimal(38, 12)"
    ),
    "telemetry_coverage": (
        "charge_date date, cluster varchar, held_gpu_hours decimal(18, 6), "
        "known_gpu_hours decimal(18, 6), unknown_gpu_hours decimal(18, 6), "
        "machine_hours decimal(18, 6), lost_machine_hours decimal(18, 6)"
    ),
    "quotas": (
        "quota varchar, dimension varchar, member varchar, measure varchar, window_kind varchar, "
        "window_start date, window_end date, as_of_date date, limit_amount decimal(38, 12), "
        "used_amount decimal(38, 12), forecast_amount decimal(38, 12), billing_currency varchar, "
        "threshold double, state varchar, provisional_amount decimal(38, 12)"
    ),
    "invoices": (
        "source varchar, provider varchar, billing_account_id varchar, billing_period date, "
        "invoice_id varchar, billing_currency varchar, billed_cost decimal(38, 12), "
        "state varchar, entered_amount decimal(38, 12), compared_cost decimal(38, 12), "
        "difference decimal(38, 12), verdict varchar"
    ),
    "unknown_names": (
        "user_id varchar, source varchar, charge_month date, billing_currency varchar, "
        "first_date date, last_date date, run_count bigint, "
        "effective_cost decimal(38, 12), fix varchar"
    ),
    "covered_days": "first_day date, newest_day date, last_day date",
    "members": "dimension varchar, member varchar, member_name varchar, team varchar",
    **acme_lineage.TABLES,
    **acme_objectives.TABLES,
    "findings": acme_findings.COLUMNS,
    "list_prices": (
        "source varchar, provider varchar, service_name varchar, sku_id varchar, "
        "sku_meter varchar, region_id varchar, usage_type varchar, price_unit varchar, "
        "unit_price decimal(38, 12), billing_currency varchar, effective_at timestamp, "
        "observed_at timestamp"
    ),
    "serving_daily": (
        "charge_date date, model varchar, model_version varchar, billing_currency varchar, "
        "replica_count bigint, requests decimal(38, 6), input_tokens decimal(38, 6), "
        "output_tokens decimal(38, 6), compute_seconds decimal(38, 6), "
        "effective_cost decimal(38, 12), idle_cost decimal(38, 12), gpu_hours decimal(38, 6), "
        "cost_per_1000_requests decimal(38, 12), cost_per_million_tokens decimal(38, 12)"
    ),
    "egress_coverage": (
        "charge_date date, from_region varchar, to_region varchar, container varchar, "
        "billed_bytes bigint, logged_bytes bigint, logged_share double, told_by varchar"
    ),
}
LOADED = """
create table marts.loaded_spend as
select
    cast(date_trunc('month', charge_date) as date) as charge_month,
    billing_currency,
    dimension,
    member,
    0 as step_no,
    'own cost' as step,
    cast(sum(effective_cost) as decimal(38, 12)) as effective_cost
from marts.spend_daily
where dimension = 'team'
group by all
"""
"""As without rules: every team has its own."""
VERSIONS = """
create table marts.version_spend as
select
    charge_date,
    source,
    billing_period,
    billing_currency,
    dimension,
    member,
    case
        when starts_with(member, 'atlas') then cast(month(charge_date) - 7 as varchar)
    end as version,
    cost_kind,
    service_name,
    effective_cost,
    billed_cost,
    gpu_hours
from marts.spend_daily
where dimension in ('model', 'dataset')
"""
"""A new version every month of some models; of the others nobody knows."""
RECORDS = """
create table marts.run_records as
select distinct
    run_id,
    run_id as run_key,
    source as system,
    source,
    run_id as native_id,
    'same' as relation,
    cast(null as varchar) as rule,
    cast(null as varchar) as evidence,
    cast(null as varchar) as confidence
from marts.runs
"""
"""Every run was seen by its tracker alone."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom a posting belongs to, in every dimension; none where nobody is known."""

    user: str | None = None
    team: str | None = None
    project: str | None = None
    model: str | None = None
    dataset: str | None = None


@dataclass(slots=True)
class Acme:
    """The company's rows, mart by mart."""

    rows: dict[str, list[Sequence[object]]] = field(
        default_factory=lambda: {table: [] for table in TABLES}
    )
    spend: dict[tuple[object, ...], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0])
    )
    rules: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))

    def post(  # noqa: PLR0913 - a posting has that many columns
        self,
        day: date,
        source: str,
        service: str,
        owner: Owner,
        cost: int,
        *,
        kind: str = "direct",
        gpu_hours: int = 0,
        rule: str = "run-tag",
    ) -> None:
        """Add a posting, in millionths, to every dimension."""
        currency = "EUR" if source == "focus-eu" else "USD"
        for dimension in DIMENSIONS:
            if dimension == "service":
                member = service
            elif kind in NOBODYS:
                member = NOBODYS[kind]
            else:
                member = getattr(owner, dimension) or NONE_OF.get(dimension, "unattributed")
            key = (day, source, day.replace(day=1), currency, dimension, member, kind, service)
            for place, amount in enumerate((cost, cost - cost // 40, gpu_hours)):
                self.spend[key][place] += amount
            named = member if member in ("unattributed", *NONE_OF.values()) else rule
            if kind not in NOBODYS and dimension != "service":
                self.rules[dimension, named, currency] += cost


@dataclass(frozen=True, slots=True)
class Person:
    """One who starts runs."""

    user_id: str
    name: str
    team: str


def write_generation(path: Path, dollar: Decimal | None = None) -> Path:
    """Write the company's generation to `path`, the same one every time; return `path`.

    It reports in EUR; `dollar` is what one USD is, none: no rate is known.
    """
    acme = Acme()
    drawn = random.Random(20261119)  # noqa: S311 - made-up figures
    people = _people(drawn)
    _machines(acme, drawn, _runs(acme, drawn, people))
    _storage_and_the_rest(acme, drawn)
    _coverage(acme, random.Random(14))  # noqa: S311 - made-up figures
    _sum_up(acme, people)
    acme.rows["findings"] += acme_findings.finding_rows(NEWEST_DAY)
    for table, rows in acme_lineage.full_cost_rows(acme.spend).items():
        acme.rows[table] += rows
    _write(acme, path, dollar)
    return path


def days() -> list[date]:
    """Return every day the company has cost on."""
    return [FIRST_DAY + timedelta(i) for i in range((NEWEST_DAY - FIRST_DAY).days + 1)]


def _people(drawn: random.Random) -> list[Person]:
    people = []
    for number in range(34):
        first, last = drawn.choice(FIRST), drawn.choice(LAST)
        people.append(Person(f"u{number:03d}", f"{first} {last}", drawn.choice(TEAMS)))
    return people


def _runs(acme: Acme, drawn: random.Random, people: list[Person]) -> dict[tuple[date, str], int]:
    """Add 1,400 runs; return the GPU-millihours held by day and currency's source."""
    held: dict[tuple[date, str], int] = defaultdict(int)
    jobs: dict[tuple[str, str, str, str], list[tuple[str, str, int, float]]] = defaultdict(list)
    favourite = {person.user_id: drawn.sample(MODELS, 3) for person in people}
    eager = {person.user_id: drawn.paretovariate(1.1) for person in people}
    for number in range(1_400):
        person = drawn.choices(people, [eager[one.user_id] for one in people])[0]
        model = drawn.choice(favourite[person.user_id]) if drawn.random() < 0.86 else None
        source = "focus-eu" if person.team in ("speech", "robotics") else "aws_cur"
        project = f"{person.team}-{drawn.choice(('core', 'research', 'serving'))}"
        start = datetime.combine(drawn.choice(days()), datetime.min.time(), UTC)
        start += timedelta(minutes=drawn.randrange(1440))
        hours = min(drawn.lognormvariate(1.6, 1.1), 90.0)
        gpus = drawn.choice((1, 2, 4, 8, 8, 16))
        status = drawn.choices(("succeeded", "failed", "cancelled"), (78, 16, 6))[0]
        run_id = f"run-{number:05d}"
        cost = gpu_hours = 0
        owner = Owner(person.user_id, person.team, project, model, drawn.choice((None, "laion-5b")))
        for day, share in _split_by_day(start, hours):
            part = int(share * gpus * 1_000)
            spent = part * drawn.randint(2_450, 2_600)
            acme.post(
                day,
                source,
                SERVICES["job" if number % 5 == 0 else "gpu"],
                owner,
                spent,
                gpu_hours=part,
                rule=drawn.choices(("run-tag", "pod-label", "namespace"), (6, 3, 2))[0],
            )
            held[day, source] += part
            cost, gpu_hours = cost + spent, gpu_hours + part
        if cost:
            experiment = f"{model or 'sandbox'}-{drawn.choice(('pretrain', 'finetune', 'eval'))}"
            currency = "EUR" if source == "focus-eu" else "USD"
            jobs[experiment, project, person.team, currency].append((run_id, status, cost, hours))
            acme.rows["runs"].append(
                (
                    run_id,
                    f"{experiment}-{number}",
                    experiment,
                    "mlflow",
                    person.user_id,
                    person.name,
                    person.team,
                    project,
                    model,
                    status,
                    start.replace(tzinfo=None),
                    (start + timedelta(hours=hours)).replace(tzinfo=None),
                    hours,
                    _thousandths(gpu_hours),
                    _millionths(cost),
                    _millionths(cost - cost // 40),
                    currency,
                    start.date() >= NEWEST_DAY.replace(day=1),
                )
            )
    _training_jobs(acme, jobs)
    acme.rows["run_objectives"] += acme_objectives.objective_rows(acme.rows["runs"])
    _unbilled(acme)
    return held


def _unbilled(acme: Acme) -> None:
    """Add a run that a tracker knows and no bill shows: it costs 0 and has no currency."""
    start = datetime(2026, 11, 18, 9)  # noqa: DTZ001 - marts hold UTC without a zone
    names = ("run-unbilled", "on-a-laptop", "laptop", "mlflow", "u001", None, None, None, None)
    ends = (start, None, 200.0, Decimal(0), Decimal(0), Decimal(0), None, True)
    acme.rows["runs"].append((*names, "running", *ends))
    job = ("laptop", None, None, None, 3, 1, 1 / 3, Decimal(0), Decimal(0), 200.0, 90.0)
    acme.rows["training_jobs"].append((*job, "run-unbilled", Decimal(0)))


def _split_by_day(start: datetime, hours: float) -> list[tuple[date, float]]:
    parts = []
    while hours > 0:
        midnight = datetime.combine(start.date() + timedelta(1), datetime.min.time(), UTC)
        here = min(hours, (midnight - start).total_seconds() / 3600)
        if start.date() <= NEWEST_DAY:
            parts.append((start.date(), here))
        start, hours = midnight, hours - here
    return parts


def _training_jobs(
    acme: Acme, jobs: dict[tuple[str, str, str, str], list[tuple[str, str, int, float]]]
) -> None:
    for (experiment, project, team, currency), runs in jobs.items():
        failed = [run for run in runs if run[1] == "failed"]
        dearest = max(runs, key=lambda run: run[2])
        acme.rows["training_jobs"].append(
            (
                experiment,
                project,
                team,
                currency,
                len(runs),
                len(failed),
                len(failed) / len(runs),
                _millionths(sum(run[2] for run in runs)),
                _millionths(sum(run[2] for run in failed)),
                max(run[3] for run in runs),
                sum(run[3] for run in runs) / len(runs),
                dearest[0],
                _millionths(dearest[2]),
            )
        )


def _machines(acme: Acme, drawn: random.Random, held: dict[tuple[date, str], int]) -> None:
    """Add the machines, with the GPU-hours that no run held as idle cost."""
    fleet = [
        (f"i-{drawn.getrandbits(68):017x}", kind, region, source, busy)
        for kind, region, source, busy, count in (
            ("p4d.24xlarge", "us-east-1", "aws_cur", 0.82, 4),
            ("p5.48xlarge", "us-west-2", "aws_cur", 0.94, 2),
            ("g5.48xlarge", "us-east-1", "aws_cur", 0.41, 3),
            ("Standard_ND96asr_v4", "westeurope", "focus-eu", 0.66, 3),
        )
        for _ in range(count)
    ]
    for day in days():
        for instance, kind, region, source, busy in fleet:
            if day.weekday() >= 5 and drawn.random() < 0.4:
                continue
            up = drawn.choice((24.0, 24.0, 24.0, 17.5))
            taken = max(0.0, min(1.0, drawn.gauss(busy, 0.12)))
            idle = int(8 * up * (1 - taken) * 1_000) * drawn.randint(2_450, 2_600)
            acme.post(day, source, SERVICES["gpu"], Owner(), idle, kind="idle")
            acme.rows["machines_daily"].append(
                (
                    day,
                    instance,
                    kind,
                    region,
                    "EUR" if source == "focus-eu" else "USD",
                    8,
                    up,
                    _thousandths(int(8 * up * taken * 1_000)),
                    _millionths(idle + int(8 * up * taken * 1_000) * 2_500),
                    _millionths(idle),
                    Decimal(0),
                    Decimal(0),
                )
            )
            if day > NEWEST_DAY - timedelta(days=14):
                _gpu_uses(acme, day, "EUR" if source == "focus-eu" else "USD", idle)
    assert held


def _gpu_uses(acme: Acme, day: date, currency: str, idle: int) -> None:
    """Add what a machine's GPUs did on a day, by what was idle of it."""
    used = (("(idle)", "unallocated", idle), *((TEAMS[0], use, idle // 8) for use in GPU_USES))
    for team, use, cost in used:
        row = (day, "main", team, use, currency, _millionths(cost))
        acme.rows["gpu_uses"].append(row)


def _coverage(acme: Acme, drawn: random.Random) -> None:
    """Add what telemetry saw of the cluster on the newest days; one has a gap."""
    for number in range(14):
        unknown, gap = drawn.randint(0, 5), 2 if number == 4 else 0
        day = NEWEST_DAY - timedelta(days=number)
        acme.rows["telemetry_coverage"].append((day, "main", 90, 90 - unknown, unknown, 168, gap))


def _storage_and_the_rest(acme: Acme, drawn: random.Random) -> None:
    """Add buckets, transfers, support, tax, a credit and what has no owner."""
    buckets = [(name, drawn.choice(TEAMS), drawn.randint(2, 90)) for name in BUCKETS]
    for day in days():
        for name, team, size in buckets:
            cost = size * drawn.randint(990_000, 1_010_000)
            owner = Owner(None, team, f"{team}-core", None, name)
            acme.post(day, "aws_cur", SERVICES["store"], owner, cost, rule="ownership:buckets")
        acme.post(day, "aws_cur", "AWS Data Transfer", Owner(), drawn.randint(20, 90) * MILLION)
        acme.post(day, "aws_cur", "Amazon EKS", Owner(), 2_400_000, kind="shared")
        acme.post(day, "focus-eu", "Azure Storage", Owner(), drawn.randint(9, 30) * MILLION)
        if day.day == 1:
            acme.post(day, "aws_cur", "Tax", Owner(), 1_904_117_003, kind="tax")
            acme.post(
                day,
                "aws_cur",
                "ComputeSavingsPlans",
                Owner(),
                812_000_017,
                kind="commitment_unused",
            )
            owner = Owner(None, "platform", "platform-core")
            acme.post(day, "aws_cur", "AWS Credits", owner, -750 * MILLION, kind="credit")


def _sum_up(acme: Acme, people: list[Person]) -> None:
    books: dict[tuple[object, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key, (effective, billed, gpu_hours) in acme.spend.items():
        acme.rows["spend_daily"].append(
            (*key, _millionths(effective), _millionths(billed), _thousandths(gpu_hours))
        )
        day, source, period, currency, dimension, member, kind, _ = key
        assert isinstance(day, date)
        for measure, cost in (("effective_cost", effective), ("billed_cost", billed)):
            line = books[source, period, day.replace(day=1), currency, measure, dimension]
            line["billed"] += cost
            if member == "unattributed":
                line["unattributed"] += cost
            else:
                line[
                    {"idle": "idle", "direct": "attributed", "credit": "attributed"}.get(
                        str(kind), "shared"
                    )
                ] += cost
    for key, line in books.items():
        amounts = [
            _millionths(line[column])
            for column in ("billed", "attributed", "idle", "shared", "unattributed")
        ]
        acme.rows["books"].append((*key, *amounts, Decimal(0), "0.000000000000471"))
    _labels(acme, people)


def _labels(acme: Acme, people: list[Person]) -> None:
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for (dimension, _, currency), cost in acme.rules.items():
        totals[dimension, currency] += cost
    for (dimension, rule, currency), cost in acme.rules.items():
        share = cost / totals[dimension, currency]
        sure = "none" if rule == "unattributed" else "high"
        acme.rows["coverage"].append((dimension, rule, sure, currency, _millionths(cost), share))
    for person in people:
        acme.rows["members"].append(("user", person.user_id, person.name, person.team))
    november = (NEWEST_DAY.replace(day=1), "USD", NEWEST_DAY, NEWEST_DAY, 0)
    acme.rows["unknown_names"].append(("jdoe", "aws_cur", *november, Decimal(12), "add it"))
    _fill_quotas(acme)
    acme.rows["covered_days"].append((FIRST_DAY, NEWEST_DAY, NEWEST_DAY))
    words = ("Compute Engine", "A1", "Nvidia Tesla A100 GPU running in Americas", "us-central1")
    listed = datetime(2026, 11, 1)  # noqa: DTZ001 - marts hold UTC without a zone
    price = ("ondemand", "h", Decimal("2.933908"), "USD", listed, listed)
    acme.rows["list_prices"].append(("gcp_prices", "Google Cloud", *words, *price))
    egress = (date(2026, 10, 5), "us-east-1", "internet", "acme-data")
    acme.rows["egress_coverage"].append((*egress, 10 << 30, 8 << 30, 0.8, "access_log"))
    asked = (Decimal(48_000), Decimal(9_600_000), Decimal(2_400_000), Decimal(61_440))
    costs = (Decimal(96), Decimal(24), Decimal(48), Decimal(2), Decimal(8))
    acme.rows["serving_daily"].append((NEWEST_DAY, "atlas-7b", "3", "USD", 2, *asked, *costs))
    night = datetime(2026, 11, 20, 2, 14)  # noqa: DTZ001 - marts hold UTC without a zone
    for source, table, behind, stale, note in (
        ("aws_cur", "line_items", 26, False, ""),
        ("focus-eu", "cost", 31, False, ""),
        ("mlflow", "runs", 1, False, ""),
        ("prometheus", "gpu_hours", 74, True, "the server did not answer for two nights"),
        ("ownership", "rules", 1, False, ""),
    ):
        newest = night - timedelta(hours=behind)
        acme.rows["freshness"].append((source, table, newest, night, stale, note))
    october = ("aws_cur", "2026-10", date(2026, 10, 1), "USD", "effective_cost")
    sums = (Decimal(100_000), Decimal("100412.17"), Decimal("412.17"))
    row = (1, night, *october, *sums, 1200, 1260, False, "late_lines")
    acme.rows["restatements"].append(row)
    _fill_invoices(acme)


def _fill_invoices(acme: Acme) -> None:
    """Bill one invoice a month, of which October's differs from the figure entered."""
    billed: dict[tuple[object, ...], Decimal] = {}
    for source, period, _, currency, measure, dimension, amount, *_ in acme.rows["books"]:
        if (measure, dimension) == ("billed_cost", "user"):
            key = (source, period, currency)
            billed[key] = billed.get(key, Decimal(0)) + Decimal(str(amount))
    for (source, period, currency), cost in billed.items():
        invoice = None if str(period) == "2026-11-01" else f"INV-{period}"
        row = (source, "AWS", "111122223333", period, invoice, currency, cost)
        entered = cost - 1 if (source, str(period)) == ("aws_cur", "2026-10-01") else None
        told = (entered, cost, Decimal(1), "differs") if entered else (None, None, None)
        state = "final" if invoice else "estimated"
        acme.rows["invoices"].append((*row, state, *told, *([] if entered else ["not entered"])))


def _fill_quotas(acme: Acme) -> None:
    """Give three teams a quota for November: one keeps it, one is warned, one is over."""
    month = NEWEST_DAY.replace(day=1)
    for team, used_percent in (("vision", 40), ("language", 90), ("search", 125)):
        used = sum(
            amounts[0]
            for (day, _, _, currency, dimension, member, *_), amounts in acme.spend.items()
            if (currency, dimension, member) == ("USD", "team", team) and str(day) >= str(month)
        )
        limit = _millionths(used * 100 // used_percent)
        reached, state = {40: (None, "ok"), 90: (0.8, "warned"), 125: (1.0, "over")}[used_percent]
        window = ("effective_cost", "month", month, date(2026, 12, 1), NEWEST_DAY)
        amounts = (limit, _millionths(used), _millionths(used * 30 // 19), "USD")
        row = (f"{team}-month", "team", team, *window, *amounts, reached, state, _millionths(used))
        acme.rows["quotas"].append(row)


def _write(acme: Acme, path: Path, dollar: Decimal | None) -> None:
    con = duckdb.connect(str(path), config={"storage_compatibility_version": "v1.4.0"})
    con.execute("create schema marts")
    for table, columns in TABLES.items():
        rows = path.with_name(f"{path.stem}.{table}.csv")
        with rows.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(acme.rows[table])
        con.execute(f"create table marts.{table} ({columns})")
        con.execute(
            f"insert into marts.{table} from read_csv(?, header = false, all_varchar = true)",
            [str(rows)],
        )
        rows.unlink()
    acme_reported.report(con, dollar)
    for macros in macro_files():
        con.execute(macros.read_text(encoding="utf-8"))
    con.execute(LOADED)
    con.execute(VERSIONS)
    con.execute(RECORDS)
    con.close()
    path.chmod(0o444)


def _millionths(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-6)


def _thousandths(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-3)
