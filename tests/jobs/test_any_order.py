"""Bills of several clouds that come late, restated and mixed: the figures end the same."""

from __future__ import annotations

import csv
import io
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import connector_class
from connectors.base import Delivery
from jobs.config import read_config
from jobs.night import Night, open_night
from jobs.nightly import build_and_publish
from jobs.progress import NoProgress
from queries.generation import newest_generation
from queries.read import open_generation
from tests.connectors.gcp_lines import credit, line
from tests.jobs.folder_source import FolderFile
from tests.queries import split_bill
from tests.queries.bills import DATA
from tests.queries.test_gcp_staging import json_lines
from tests.servers.bigquery import utc

if TYPE_CHECKING:
    from collections.abc import Sequence

ALIBABA = DATA / "alibaba_bill" / "1234567890123456_InstanceDetailMonthly_202610.csv"
YEAR = "a year at "
CONFIG = """state_dir = "state"
[connectors.aws_cur]
root = "aws"
[connectors.gcp_billing]
root = "gcp"
[connectors.alibaba_bill]
root = "alibaba"
"""


@dataclass(frozen=True)
class Version:
    """One state of one unit of a bill."""

    kind: str
    unit: str
    hours: int
    """How late the provider wrote it; the latest of a unit is its truth."""
    costs: tuple[str, ...]

    def write(self, folder: Path) -> Path:
        """Write it as its provider does."""
        folder.mkdir(parents=True)
        if self.kind == "aws_cur":
            lines = [
                split_bill.machine(cost, f"i-{place}") for place, cost in enumerate(self.costs)
            ]
            return split_bill.write(folder / "bill.csv", lines)
        if self.kind == "gcp_billing":
            found = [line(cost=float(cost), usage_start_time=DAY) for cost in self.costs]
            found[0]["credits"] = [credit("PROMOTION", -0.125)]
            return json_lines(folder / "bill.json", found)
        header, used, _, _, ordered, *_ = csv.reader(io.StringIO(ALIBABA.read_text("utf-8")))
        place = header.index("PretaxAmount")
        rows = []
        for cost in self.costs:
            kind = ordered if cost.startswith(YEAR) else used
            rows.append([*kind[:place], cost.removeprefix(YEAR), *kind[place + 1 :]])
        with (folder / "bill.csv").open("w", encoding="utf-8", newline="") as text:
            csv.writer(text).writerows([header, *rows])
        return folder / "bill.csv"

    def land(self, night: Night, number: int) -> None:
        """Deliver it, under a name of its own."""
        file = FolderFile(self.write(night.config.state_dir.parent / "arrived" / str(number)))
        written_at = datetime(2026, 12, 1) + timedelta(hours=self.hours)  # noqa: DTZ001 - UTC
        (table, *_) = connector_class(self.kind).tables
        delivery = Delivery(table.name, self.unit, f"v{number}", written_at, [file])
        night.store.land(self.kind, self.kind, table, delivery)


DAY = utc(2026, 5, 17, 3)
VERSIONS = (
    Version("aws_cur", "2026-10", 1, ("1.25", "2.5")),
    Version("aws_cur", "2026-10", 3, ("1.25", "2.75", "-0.000000000001")),
    Version("gcp_billing", "partition-2026-05-17", 1, ("8.5",)),
    Version("gcp_billing", "partition-2026-05-17", 2, ("8.5", "0.25", "0.25")),
    Version("gcp_billing", "partition-2026-05-20", 1, ("-1.5",)),
    Version("alibaba_bill", "2026-10", 1, ("10.939",)),
    Version("alibaba_bill", "2026-10", 4, ("10.939", f"{YEAR}0.333333333333")),
)
TRUTH = (VERSIONS[1], VERSIONS[3], VERSIONS[4], VERSIONS[6])
BILLED = {
    "USD": Decimal("3.999999999999"),
    "EUR": Decimal("7.25"),
    "CNY": Decimal("11.272333333333"),
}
FIGURES = (
    "from marts.spend_daily order by all",
    "from marts.books order by all",
    "select * exclude (state) from marts.invoices order by all",
)


def figures_after(arrivals: Sequence[tuple[Version, bool]]) -> list[list[tuple[object, ...]]]:
    """Return what is published after deliveries; True: a night is built right after that one."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
        config = read_config(Path(name) / "mlspend.toml")
        with open_night(config, NoProgress(), "test") as night:
            for number, (version, is_built) in enumerate(arrivals):
                version.land(night, number)
                if is_built:
                    build_and_publish(night)
            build_and_publish(night)
        with open_generation(newest_generation(config.state_dir)) as con:
            billed = con.execute(
                "select billing_currency, sum(billed) from marts.books "
                "where measure = 'billed_cost' and dimension = 'team' group by all"
            ).fetchall()
            assert dict(billed) == BILLED
            return [con.execute(query).fetchall() for query in FIGURES]


@cache
def true_figures() -> list[list[tuple[object, ...]]]:
    """Return what is published when nothing but the newest versions ever came."""
    return figures_after([(version, False) for version in TRUTH])


@settings(max_examples=2, deadline=None)
@given(
    order=st.permutations([*VERSIONS, VERSIONS[2]]),
    nights=st.lists(st.booleans(), min_size=8, max_size=8).filter(lambda found: sum(found) < 3),
)
def test_bills_of_several_clouds_in_any_order_end_in_the_same_figures(
    order: list[Version], nights: list[bool]
) -> None:
    """A month that is restated, a day's partition that grows, one delivered twice."""
    assert figures_after(list(zip(order, nights, strict=True))) == true_figures()
