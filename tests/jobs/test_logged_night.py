"""A night with S3 Inventory and access logs: storage by bytes, transfers by what was logged."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from queries.generation import newest_generation
from queries.read import open_generation
from tests.connectors.test_s3_reads import packed_csv, record, write_inventory, write_log
from tests.jobs.nights import run

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[connectors.focus]
root = "bills"
[connectors.ownership]
path = "ownership.toml"
[connectors.s3_inventory]
root = "inventory"
[connectors.s3_access_logs]
root = "logs"
"""
OWNERSHIP = """
[[datasets]]
name = "images"
uri = "s3://data/images"
region = "us-east-1"
[[datasets]]
name = "texts"
uri = "s3://data/texts"
region = "us-east-1"
"""
HEADER = (
    "BilledCost,EffectiveCost,ListCost,ContractedCost,BillingCurrency,BillingAccountId,"
    "BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,"
    "ChargeFrequency,ServiceName,ServiceCategory,ProviderName,ResourceId,RegionId,SkuMeter,"
    "ConsumedQuantity,ConsumedUnit,x_ServiceCode,Tags\n"
)
LOG = "2026-10-04-00-10-00-0123456789ABCDEF"
GIB = 2**30


def line(cost: int, meter: str, quantity: int, unit: str, code: str) -> str:
    return (
        f"{cost},{cost},{cost},{cost},USD,111,2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,"
        "2026-10-03T00:00:00Z,2026-10-04T00:00:00Z,Usage,Usage-Based,Amazon Simple Storage Service,"
        f"Storage,AWS,data,us-east-1,{meter},{quantity},{unit},{code},{{}}\n"
    )


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    path = newest_generation(home / "state")
    with open_generation(path) as con:
        return con.execute(query).fetchall()


def spend(home: Path, dimension: str) -> dict[str, Decimal]:
    return dict(
        ask(
            home,
            "select member, sum(effective_cost) from marts.spend_daily "
            f"where dimension = '{dimension}' and effective_cost <> 0 group by all",
        )
    )


def test_a_night_shares_storage_by_inventory_and_transfers_by_logs(tmp_path: Path) -> None:
    """A log that comes late moves what it explains, and the books close on both nights."""
    (tmp_path / "bills").mkdir()
    (tmp_path / "bills" / "2026-10.csv").write_text(
        HEADER
        + line(8, "USE1-TimedStorage-ByteHrs", 1, "GB-Mo", "AmazonS3")
        + line(10, "USE1-DataTransfer-Out-Bytes", 10, "GB", "AWSDataTransfer"),
        encoding="utf-8",
    )
    (tmp_path / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "ownership.toml").write_text(OWNERSHIP, encoding="utf-8")
    rows = [
        ("images/a.bin", "true", "false", "300", "STANDARD"),
        ("texts/a.bin", "true", "false", "100", "STANDARD"),
    ]
    write_inventory(tmp_path / "inventory", packed_csv(rows), "csv.gz")
    at = {"at": "03/Oct/2026:10:00:00"}
    write_log(tmp_path / "logs", record("images/a.bin", str(4 * GIB), **at), name=LOG)

    first = run(tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert spend(tmp_path, "dataset") == {
        "images": Decimal(6) + Decimal(4),
        "texts": Decimal(2),
        "(unattributed egress)": Decimal(6),
    }
    assert spend(tmp_path, "user") == {"ada": Decimal(4), "unattributed": Decimal(14)}

    late = record("texts/a.bin", str(GIB), **at)
    write_log(tmp_path / "logs", late, name=LOG.replace("-10-04-", "-10-05-"))
    second = run(tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert spend(tmp_path, "dataset") == {
        "images": Decimal(10),
        "texts": Decimal(3),
        "(unattributed egress)": Decimal(5),
    }
    told = ask(tmp_path, "select container, logged_share, told_by from marts.egress_coverage")
    assert told == [("data", 0.5, "access_log")]
