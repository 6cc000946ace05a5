"""Companies drawn piece by piece by Hypothesis, so that one whose books are wrong shrinks.

Unlike those that are drawn from a seed they have faults: tags that are missing or strange, pods on
machines that nobody bills, more GPUs held than there are, telemetry that was lost, clocks that are
wrong, costs of nothing, below nothing and of the smallest unit there is.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.properties.small_company import FIRST, HOURS, Line, Pod
from tests.properties.wide_company import COVERED, JOB, Wide

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import DrawFn

STORAGE, COMPUTE = "Amazon Simple Storage Service", "Amazon Elastic Compute Cloud"
CLUSTER = "arn:aws:eks:us-east-1:111:cluster/lab"
DAYS = (FIRST, FIRST + timedelta(days=1))
SERVICES = (
    (COMPUTE, "i-0a", "BoxUsage:p4d.24xlarge"),
    (COMPUTE, "i-0b", "BoxUsage:p4d.24xlarge"),
    (COMPUTE, "i-0b", "SpotUsage:p4d.24xlarge"),
    (STORAGE, "data", "TimedStorage-ByteHrs"),
    (STORAGE, "data", "USE1-EUC1-AWS-Out-Bytes"),
    (STORAGE, "data", "DataTransfer-Out-Bytes"),
    (STORAGE, "elsewhere", "TimedStorage-SIA-ByteHrs"),
    (COMPUTE, "vol-1", "EBS:VolumeUsage.gp3"),
    (COMPUTE, "nat-1", "NatGateway-Bytes"),
    ("Amazon SageMaker", JOB, "USE1-Train:ml.p4d.24xlarge"),
    ("Amazon Elastic Kubernetes Service", CLUSTER, "AmazonEKS-Hours:perCluster"),
    ("AWS Support (Business)", "", "Support"),
    ("A service that nobody knows", "r-1", ""),
)
OTHERS = ("Virtual Machines", "Storage Accounts", "Bandwidth")
AZURE = (("BillingCurrency", "EUR"), ("ProviderName", "Microsoft"))
UNBILLED = ("BilledCost", "0")
CATEGORIES = ("Usage", "Usage", "Usage", "Tax", "Credit", "Adjustment")
LOST = ("node_capacity", "node_up", "pod_request", "pod_node", "pod_running", "pod_labels")
"""Answers of Prometheus that may be gone."""

ALWAYS = (
    Line(Decimal(1), FIRST, None, "111", "Usage", STORAGE, "data", "", ()),
    Line(Decimal(1), FIRST, None, "az-1", "Usage", OTHERS[0], "vm-0", "", (), AZURE),
)
"""Of each source one, so that its folder is there."""
costs = st.one_of(
    st.integers(-(10**15), 10**18).map(lambda units: Decimal(units).scaleb(-12)),
    st.sampled_from([Decimal(0), Decimal("1e-12"), Decimal("-1e-12"), Decimal("999.999999999999")]),
)
texts = st.sampled_from(
    ["vision", "speech", "Vision", "ada", "a'b\"c", "Ünïcode 😀", " ", "(idle)"]
)
tags = st.dictionaries(
    st.sampled_from(["team", "Team", "user", "project", "model", "nonsense"]), texts, max_size=3
).map(lambda found: tuple(sorted(found.items())))


@dataclass(frozen=True)
class Drawn(Wide):
    """A company with faults."""

    lost: tuple[tuple[date, str], ...] = ()
    """Day, answer -> telemetry that was never delivered."""
    skew: int = 0
    """Minutes by which the clocks of those who tell of runs are wrong."""

    def write(self, home: Path) -> None:
        """Write what the sources hold, and what is wrong with it."""
        super().write(home)
        for day, query in self.lost:
            path = home / "telemetry" / day.isoformat() / f"{query}.json"
            others = [other for other in path.parent.glob("*.json") if other != path]
            if path.exists() and any(map(_has_samples, others)):  # else the source says so
                answer = {"status": "success", "data": {"resultType": "matrix", "result": []}}
                path.write_text(json.dumps(answer), encoding="utf-8")
        path = home / "runs" / "runs.csv"
        with path.open(encoding="utf-8") as stream:
            rows = [
                [cell.replace(":00:00Z", f":{self.skew:02}:00Z") for cell in row]
                for row in csv.reader(stream)
            ]
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(rows)


def _has_samples(answer: Path) -> bool:
    return bool(json.loads(answer.read_text(encoding="utf-8"))["data"]["result"])


@st.composite
def lines(draw: DrawFn) -> Line:
    """Return a line of either cloud, of any kind that there is."""
    day = draw(st.sampled_from(DAYS))
    cost, tagged = draw(costs), draw(tags)
    if draw(st.integers(0, 5)) == 0:
        service, resource = draw(st.sampled_from(OTHERS)), f"vm-{draw(st.integers(0, 2))}"
        return Line(cost, day, None, "az-1", "Usage", service, resource, "", tagged, AZURE)
    service, resource, meter = draw(st.sampled_from(SERVICES))
    is_machine = resource.startswith("i-")
    hour = draw(st.integers(0, HOURS - 1)) if is_machine else None
    category = draw(st.sampled_from(CATEGORIES))
    region = "eu-central-1" if resource == "i-0b" else "us-east-1"
    line = Line(
        *(cost, day, hour, "111", category, service, resource, meter, tagged),
        more=(("RegionId", region),),
    )
    said = draw(st.sampled_from(["", "", "", "used", "unused", "bought", "corrected"]))
    return _as_said(line, said)


def _as_said(line: Line, said: str) -> Line:
    """Return a line as what a commitment makes of it, or as a correction on the next invoice."""
    if said == "bought":
        bought = (*line.more, *COVERED, ("EffectiveCost", "0"))
        return replace(line, category="Purchase", resource="", meter="", hour=None, more=bought)
    if said in ("used", "unused"):
        status = ("CommitmentDiscountStatus", said.capitalize())
        covered = (*line.more, *COVERED, status, UNBILLED)
        return replace(line, category="Usage", more=covered)
    if said == "corrected":
        late = ("BillingPeriodStart", "2025-10-01T00:00:00Z")
        return replace(line, more=(*line.more, late, ("ChargeClass", "Correction")))
    return line


@st.composite
def pods(draw: DrawFn) -> Pod:
    """Return a pod on a machine that is billed, or on one that is not; its name is not its own."""
    return Pod(
        name="pod",
        node=draw(st.sampled_from(["i-0a", "i-0b", "i-gone"])),
        day=draw(st.sampled_from(DAYS)),
        hour=draw(st.integers(0, HOURS - 1)),
        gpus=draw(st.integers(0, 12)),
        team=draw(st.sampled_from(["vision", "speech", ""])),
        status=draw(st.sampled_from(["", "succeeded", "failed"])),
        asked=draw(st.sampled_from([None, None, 0, 7])),
    )


@st.composite
def worlds(draw: DrawFn) -> Drawn:
    """Return a company in one to three files, each of one invoice, with its faults."""
    drawn = draw(st.lists(lines(), min_size=4, max_size=40))
    held = draw(st.lists(pods(), max_size=14))
    count = draw(st.integers(1, 3))
    files = [tuple(drawn[part::count]) for part in range(count)]
    whole = tuple(
        part
        for file in files
        for part in (tuple(one for one in file if _is_late(one) == late) for late in (False, True))
        if part
    )
    named = tuple(replace(pod, name=f"pod-{number}") for number, pod in enumerate(held))
    lost = st.tuples(st.sampled_from(DAYS), st.sampled_from(LOST))
    return Drawn(
        (ALWAYS, *whole),
        named,
        sources=(("az-1", "azure"),),
        lost=tuple(draw(st.lists(lost, max_size=3, unique=True))),
        skew=draw(st.sampled_from([0, 0, 7, 59])),
    )


def _is_late(line: Line) -> bool:
    return "BillingPeriodStart" in dict(line.more)


settings_of_a_night = st.builds(
    lambda idle, planes: f'[attribution]\nidle_policy = "{idle}"\ncontrol_planes = "{planes}"\n',
    st.sampled_from(["separate", "by_node", "by_cluster"]),
    st.sampled_from(["shared", "by_cluster"]),
)
