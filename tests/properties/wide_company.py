"""Companies drawn from a seed whose bills hold what small ones leave out.

Two clouds in two currencies and two sources; storage with an inventory, and runs that read it from
another region; models that are served; managed jobs; commitments bought, used and left unused; a
cluster's fee; a correction on the next invoice.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tests.properties.small_company import CONFIG, FIRST, Company, Line, drawn_from

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

JOB = "arn:aws:sagemaker:us-east-1:111:training-job/fit"
WIDE = """
[[connectors.focus]]
source = "azure"
root = "azure"
[connectors.storage_inventory]
root = "inventory"
[connectors.ownership]
path = "ownership.toml"
"""
POLICIES = '[attribution]\ncontrol_planes = "by_cluster"\n'
OWNERSHIP = """
[[rules]]
id = "gemini-is-nlp"
when = { tag = "project=gemini" }
team = "nlp"
[[datasets]]
name = "images"
uri = "s3://data/images"
region = "us-east-1"
team = "vision"
"""
COVERED = (
    ("CommitmentDiscountId", "sp-1"),
    ("CommitmentDiscountType", "Savings Plan"),
)


@dataclass(frozen=True)
class Wide(Company):
    """A company whose bills say more."""

    @property
    def config(self) -> str:
        """The config file, but for settings."""
        return CONFIG + WIDE

    def write(self, home: Path) -> None:
        """Write what the sources hold, in the place of what they held before."""
        super().write(home)
        (home / "ownership.toml").write_text(OWNERSHIP, encoding="utf-8")
        (home / "inventory").mkdir(exist_ok=True)
        (home / "inventory" / "bytes.csv").write_text(
            f"day,container,prefix,size_bytes\n{FIRST},data,images,700\n{FIRST},data,,300\n",
            encoding="utf-8",
        )
        runs = [f"run-{pod.uid}" for pod in self.pods if pod.status]
        tables = {
            "runs-jobs": [
                "native_id,status,kind,team_raw,started_at,ended_at,cloud_job_arn",
                f"fit,succeeded,training,speech,{FIRST}T01:00:00Z,{FIRST}T05:00:00Z,{JOB}",
            ],
            "run_inputs": [
                "native_id,dataset_uri,bytes_read",
                *(f"{run},s3://data/images,1000" for run in runs if "i-0b" in run),
            ],
            "run_outputs": ["native_id,dataset_uri", "fit,s3://data/images"],
            "run_models": [
                "native_id,model_name,model_version",
                *(f"{run},{name},1" for run in runs[:3] for name in ("lens", "prism")),
            ],
        }
        for name, lines in tables.items():
            (home / "runs" / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def wide_from(seed: int) -> Wide:
    """Return a small company with all that its bills leave out."""
    rng = random.Random(-seed)  # noqa: S311 - a made-up company, not a secret
    small = drawn_from(seed).with_lines(_placed)
    others = [
        line
        for day in (FIRST, FIRST + timedelta(days=1))
        for line in (*_used(rng, day), *_committed(rng, day), *_of_azure(rng, day))
    ]
    like = others[0]
    late = replace(
        like,
        cost=Decimal("-0.333333333333"),
        more=(("BillingPeriodStart", "2025-10-01T00:00:00Z"), ("ChargeClass", "Correction")),
    )
    pods = tuple(
        replace(pod, asked=rng.choice((None, 0, 7))) if not pod.status else pod
        for pod in small.pods
    )
    files = (*small.files, tuple(others), (late,))
    return Wide(files, pods, sources=(("az-1", "azure"),))


def _placed(line: Line) -> Line:
    """Put a small company's machines into two regions."""
    region = "eu-central-1" if line.resource == "i-0b" else "us-east-1"
    return replace(line, more=(*line.more, ("RegionId", region)))


def _cost(rng: random.Random) -> Decimal:
    return Decimal(rng.randrange(1, 10**14)).scaleb(-12)


def _line(rng: random.Random, day: date, service: str, resource: str, meter: str) -> Line:
    return Line(_cost(rng), day, None, "111", "Usage", service, resource, meter, ())


def _used(rng: random.Random, day: date) -> list[Line]:
    """Return storage, what is read of it elsewhere, a job, a cluster's fee, support."""
    storage, cluster = "Amazon Simple Storage Service", "arn:aws:eks:us-east-1:111:cluster/lab"
    return [
        _line(rng, day, storage, "data", "TimedStorage-ByteHrs"),
        _line(rng, day, storage, "data", "USE1-EUC1-AWS-Out-Bytes"),
        _line(rng, day, storage, "data", "DataTransfer-Out-Bytes"),
        _line(rng, day, "Amazon SageMaker", JOB, "USE1-Train:ml.p4d.24xlarge"),
        _line(rng, day, "Amazon Elastic Kubernetes Service", cluster, "AmazonEKS-Hours:perCluster"),
        _line(rng, day, "AWS Support (Business)", "", "Support"),
    ]


def _committed(rng: random.Random, day: date) -> list[Line]:
    """Return an hour that a commitment covers, what of it was unused, and its purchase."""
    like = _line(rng, day, "Amazon Elastic Compute Cloud", "i-0a", "BoxUsage:p4d.24xlarge")
    unbilled = ("BilledCost", "0")
    used, unused = ((*COVERED, ("CommitmentDiscountStatus", said)) for said in ("Used", "Unused"))
    return [
        replace(like, hour=1, more=(*used, unbilled)),
        replace(like, cost=_cost(rng), resource="", meter="", more=(*unused, unbilled)),
        replace(
            like,
            cost=_cost(rng),
            category="Purchase",
            resource="",
            meter="",
            more=(*COVERED, ("EffectiveCost", "0")),
        ),
    ]


def _of_azure(rng: random.Random, day: date) -> list[Line]:
    """Return another cloud's lines, in another currency, some of them owned by a rule."""
    azure = (("BillingCurrency", "EUR"), ("ProviderName", "Microsoft"))
    return [
        replace(
            _line(rng, day, service, f"vm-{number}", meter),
            account="az-1",
            tags=tags,
            more=azure,
        )
        for number, (service, meter, tags) in enumerate(
            (
                ("Virtual Machines", "D4s v5", (("project", "gemini"),)),
                ("Storage Accounts", "Hot LRS Data Stored", (("team", "speech"),)),
                ("Bandwidth", "Standard Data Transfer Out", ()),
            )
        )
    ]
