"""Whole nights on a usage cost export in BigQuery: partitions come, grow, and are refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.cloud.billing_v1 import (  # noqa: TID251 - the counterpart
    Category,
    PricingExpression,
    PricingInfo,
    Sku,
)
from google.type.money_pb2 import Money  # type: ignore[import-untyped]

from jobs.journal import Journal
from queries.read import open_generation, run_named
from tests.connectors.gcp_lines import FIELDS, credit, line, pairs
from tests.servers import google_catalog
from tests.servers.bigquery import NOWHERE, Warehouse, serving, utc, write_key

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
SPEC = pairs(
    ("compute.googleapis.com/machine_spec", "a2-highgpu-1g"),
    ("compute.googleapis.com/cores", "12"),
)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with serving(Warehouse(FIELDS, page_rows=2)) as it:
        write_key(tmp_path / "key.json", it.address)
        (tmp_path / "mlspend.toml").write_text(
            f'state_dir = "state"\n[connectors.gcp_billing]\ntable = "{it.table}"\n'
            f'endpoint_url = "{it.address}"\nmaximum_bytes_billed = 90_000_000\n',
            "utf-8",
        )
        yield it


def night(home: Path) -> subprocess.CompletedProcess[str]:
    """Run a night."""
    key = {"GOOGLE_APPLICATION_CREDENTIALS": str(home / "key.json"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **key, "HTTPS_PROXY": NOWHERE},
    )


def teams(home: Path) -> dict[str, Decimal]:
    """Return what each team cost, by the newest database; its books must close."""
    newest = max((home / "state" / "generations").glob("*.duckdb"))
    with open_generation(newest) as con:
        (open_books,) = con.execute(
            "select count(*) from marts.books where difference <> 0"
        ).fetchall()
        assert open_books == (0,)
        rows = con.execute(
            "select member, sum(effective_cost) from marts.spend_daily where dimension = 'team' "
            "group by member"
        ).fetchall()
    return {str(member): cost for member, cost in rows}


def test_a_partition_that_grows_is_read_again_and_no_other(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    hour = line(system_labels=SPEC, labels=pairs(("k8s-label/team", "vision")), cost=3.0)
    warehouse.write("20260517", [hour] * 3, utc(2026, 5, 18))
    warehouse.write("20260518", [line(cost=0.25)], utc(2026, 5, 19, 9))
    done = night(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "partition-2026-05-17: 1 files" in done.stdout + done.stderr
    assert "10.5 MB billed by BigQuery" in done.stdout + done.stderr
    assert teams(tmp_path) == {"vision": Decimal(9), "platform": Decimal("0.25")}
    asked = len(warehouse.queries)
    assert night(tmp_path).returncode == 0
    assert len(warehouse.queries) == asked + 1
    late = line(cost=-1.0, cost_type="adjustment", labels=pairs(("team", "vision")))
    warehouse.write("20260518", [late, line(credits=[credit("PROMOTION", -0.5)])], utc(2026, 6, 2))
    done = night(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "partition-2026-05-18 restated" in done.stdout + done.stderr
    assert teams(tmp_path) == {
        "vision": Decimal(8),
        "platform": Decimal("1.25"),
        "(credit)": Decimal("-0.5"),
    }
    with Journal(tmp_path / "state" / "journal.sqlite") as journal:
        cursors = [entry.cursor for entry in journal.deliveries()]
    assert cursors == ["10485760 bytes billed"] * 3


def test_pages_that_lack_rows_leave_the_good_delivery_in_force(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.write("20260517", [line()] * 3, utc(2026, 5, 18))
    assert night(tmp_path).returncode == 0
    warehouse.write("20260517", [line()], utc(2026, 5, 19))
    warehouse.lost_rows = 1
    done = night(tmp_path)
    assert done.returncode == 1
    assert "3 lines, its manifest states 4" in done.stderr
    assert teams(tmp_path) == {"platform": Decimal(3)}


def test_a_night_that_may_bill_no_more_publishes_what_has_landed(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    for day in range(10, 14):
        warehouse.write(f"202605{day}", [line()] * 30, utc(2026, 5, day))
    done = night(tmp_path)
    assert done.returncode == 1
    assert "may not bill more" in done.stderr
    assert teams(tmp_path) == {"platform": Decimal(60)}
    assert night(tmp_path).returncode == 0
    assert teams(tmp_path) == {"platform": Decimal(120)}


def test_list_prices_are_published_beside_a_bill(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "data" / "gcp_billing" / "koku", tmp_path / "bill")
    rate = PricingExpression.TierRate(unit_price=Money(currency_code="USD", units=2, nanos=9))
    expression = PricingExpression(usage_unit="h", tiered_rates=[rate])
    gpu = Sku(
        sku_id="A",
        description="Nvidia L4 GPU running in Belgium",
        category=Category(usage_type="OnDemand"),
        service_regions=["europe-west1"],
        pricing_info=[PricingInfo(effective_time=utc(2026, 11, 1), pricing_expression=expression)],
    )
    with google_catalog.serving(google_catalog.Catalog({"Compute Engine": [gpu]})) as catalog:
        write_key(tmp_path / "key.json", catalog.address)
        (tmp_path / "mlspend.toml").write_text(
            f'state_dir = "state"\n[connectors.gcp_billing]\nroot = "bill"\n'
            f'[connectors.gcp_prices]\nservices = ["Compute Engine"]\n'
            f'endpoint_url = "{catalog.address}"\n',
            "utf-8",
        )
        done = night(tmp_path)
    assert done.returncode == 0, done.stderr
    newest = max((tmp_path / "state" / "generations").glob("*.duckdb"))
    with open_generation(newest) as con:
        _, found = run_named(con, "gpu_list_prices", {"gpu": "l4"})
    assert [row[:4] for row in found] == [
        ("Nvidia L4 GPU running in Belgium", "europe-west1", "ondemand", Decimal("2.000000009"))
    ]
