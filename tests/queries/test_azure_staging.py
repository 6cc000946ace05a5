"""Azure's two exports as staged lines: samples to the last digit, what counts, what is damaged."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl
import pytest

from queries import ModelError
from queries.engines.duckdb import Error, Limits, connect
from queries.raw import find_bad_value
from queries.totals import RawTotal, raw_totals
from tests.connectors.azure_runs import HEADER, line, text_of
from tests.connectors.telemetry import Ledger, answer, save, stage
from tests.queries.bills import DATA, Row, land, stage_rows, staged, sum_column

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

from connectors.azure_cost import AzureCost

KIND, TABLE = "azure_cost", "azure_cost__cost_details"
PAIR = sorted((DATA / KIND / "finops_toolkit").rglob("*.csv"))
KOKU = DATA / KIND / "koku" / "amortized"
COSTS = {
    "azure_azure_camelCased.csv": "preTaxCost",
    "azure_azure_version_2.csv": "CostInBillingCurrency",
    "azure_camel_azure_version_2.csv": "costInBillingCurrency",  # its lines end in two ways
    "azure_costreport_a243c6f2-199f-4074-9a2c-40e671cf1584.csv": "PreTaxCost",
}
PLAN = "/providers/Microsoft.BillingBenefits/savingsPlanOrders/O/savingsPlans/P"
RESERVED = "/providers/Microsoft.Capacity/reservationOrders/O/reservations/R"


def summed(paths: Sequence[Path]) -> list[RawTotal]:
    return raw_totals(TABLE, paths, [f"{path.parent.name}/{path.name}" for path in paths])


def added(rows: Sequence[Row], column: str) -> Decimal:
    return sum((Decimal(str(row[column])) for row in rows), Decimal(0))


def amounts(paths: Sequence[Path]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for total in summed(paths):
        found[total.measure] = found.get(total.measure, Decimal(0)) + total.amount
    return found


def write(folder: Path, half: str, lines: Sequence[str], header: str = HEADER) -> Path:
    path = folder / half / "export.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(lines, header), encoding="utf-8")
    return path


def mca(folder: Path) -> Path:
    """Return koku's export of a new kind of account, all lines ended alike."""
    text = (KOKU / "azure_camel_azure_version_2.csv").read_text(encoding="utf-8-sig")
    path = folder / "amortized" / "mca.csv"
    path.parent.mkdir()
    path.write_text(text.replace("\r\n", "\n"), encoding="utf-8", newline="")
    return path


def test_microsofts_own_pair_is_put_together_as_microsoft_does() -> None:
    rows = stage_rows(KIND, PAIR)
    billed = added(rows, "billed_cost")
    effective = added(rows, "effective_cost")
    assert (len(rows), billed, effective) == (
        29,
        Decimal("19.047780136169"),
        Decimal("16.296932136637"),
    )
    exact = {total.measure: total.amount + total.beyond for total in summed(PAIR)}
    assert abs(exact["billed_cost"] - Decimal("19.04778013616866")) < Decimal("1e-13")
    assert exact["effective_cost"] == sum(sum_column([PAIR[1]], "Cost"))


@pytest.mark.parametrize("name", COSTS)
def test_a_sample_of_each_generation_is_staged_to_the_last_digit(name: str) -> None:
    path = KOKU / name
    wanted, _ = sum_column([path], COSTS[name])
    rows = stage_rows(KIND, [path])
    assert added(rows, "billed_cost") == wanted
    assert amounts([path]) == {"billed_cost": wanted, "effective_cost": wanted}


def test_a_new_kind_of_account_is_read_by_its_profile_and_dates_with_the_month_first(
    tmp_path: Path,
) -> None:
    path = mca(tmp_path)
    rows = stage_rows(KIND, [path])
    wanted, _ = sum_column([path], "costInBillingCurrency")
    assert amounts([path]) == {"billed_cost": wanted, "effective_cost": wanted}
    assert {str(row["charge_date"]) for row in rows} == {"2023-08-01"}
    assert {row["billing_account_id"] for row in rows} == {"NF5V-BI6B-BG7-PGB"}
    assert {row["tags"] and row["tags"].get("project") for row in rows} == {None, "p1"}  # type: ignore[attr-defined]
    assert {row["x_line_class"] for row in rows} == {"object_storage", "object_requests"}


def test_an_export_of_headers_alone_costs_nothing() -> None:
    paths = [DATA / KIND / "no_rows" / "actual" / "EA_NoRows.csv"]
    assert stage_rows(KIND, paths) == []
    assert amounts(paths) == {}


@pytest.mark.parametrize("paths", [PAIR, *([KOKU / name] for name in COSTS)], ids=str)
def test_models_and_raw_totals_agree_under_every_key(paths: Sequence[Path]) -> None:
    found = {
        (
            *(total.billing_account_id, total.billing_period, total.charge_month),
            *(total.billing_currency, total.measure),
        ): total.amount
        for total in summed(paths)
        if total.amount
    }
    with staged(KIND, paths) as con:
        rows = con.execute(
            "select coalesce(billing_account_id, ''), strftime(billing_period, '%Y-%m'), "
            "strftime(charge_date, '%Y-%m'), billing_currency, measure, sum(cost) from "
            "(unpivot staged on billed_cost, effective_cost into name measure value cost) "
            "group by all having sum(cost) <> 0"
        ).fetchall()
    assert {tuple(row[:5]): row[5] for row in rows} == found


Golden = tuple[str, str, str, str, "str | None"]
"""Category, class of line, billed, effective, commitment status."""
LINES: dict[str, tuple[str, str, Golden | None]] = {
    "used": ("amortized", line("30"), ("Usage", "instance", "30", "30", None)),
    "spot": ("amortized", line("3", model="Spot"), ("Usage", "instance", "3", "3", None)),
    "saved": (
        "amortized",
        line("12", model="SavingsPlan", benefit=PLAN),
        ("Usage", "instance", "0", "12", "Used"),
    ),
    "reserved": (
        "amortized",
        line("8", model="Reservation", benefit=RESERVED),
        ("Usage", "instance", "0", "8", "Used"),
    ),
    "reserved, of old": (
        "amortized",
        line("8", model="", benefit=RESERVED),
        ("Usage", "instance", "0", "8", "Used"),
    ),
    "unused reservation": (
        "amortized",
        line("5", "UnusedReservation", "Reservation", benefit=RESERVED),
        ("Usage", "commitment_unused", "0", "5", "Unused"),
    ),
    "unused plan": (
        "amortized",
        line("4", "UnusedSavingsPlan", "SavingsPlan", benefit=PLAN),
        ("Usage", "commitment_unused", "0", "4", "Unused"),
    ),
    "bought otherwise": (
        "amortized",
        line("9", "Purchase", ""),
        ("Purchase", "purchase", "9", "9", None),
    ),
    "given back otherwise": (
        "amortized",
        line("-9", "Refund", "OnDemand"),
        ("Purchase", "credit", "-9", "-9", None),
    ),
    "tax": ("amortized", line("2", "Tax", ""), ("Tax", "tax", "2", "2", None)),
    "credit": ("amortized", line("-7", "Credit", ""), ("Credit", "credit", "-7", "-7", None)),
    "rounding": (
        "amortized",
        line("0.01", "RoundingAdjustment", ""),
        ("Adjustment", "instance", "0.01", "0.01", None),
    ),
    "plan bought": (
        "actual",
        line("500", "Purchase", "SavingsPlan", benefit=PLAN),
        ("Purchase", "purchase", "500", "0", None),
    ),
    "reservation given back": (
        "actual",
        line("-80", "Refund", "Reservation", benefit=RESERVED),
        ("Purchase", "credit", "-80", "0", None),
    ),
    "used, again": ("actual", line("30"), None),
    "on demand where a plan saves": ("actual", line("40", model="SavingsPlan"), None),
    "bought otherwise, again": ("actual", line("9", "Purchase", ""), None),
}


@pytest.mark.parametrize(("half", "text", "golden"), LINES.values(), ids=LINES)
def test_each_kind_of_line_counts_as_written_down_by_hand(
    tmp_path: Path, half: str, text: str, golden: Golden | None
) -> None:
    path = write(tmp_path, half, [text])
    found = [
        (
            *(row["charge_category"], row["x_line_class"], row["billed_cost"]),
            *(row["effective_cost"], row["commitment_discount_status"]),
        )
        for row in stage_rows(KIND, [path])
    ]
    billed, effective = (Decimal(golden[2]), Decimal(golden[3])) if golden else (Decimal(0),) * 2
    assert found == ([(*golden[:2], billed, effective, golden[4])] if golden else [])
    assert amounts([path]) == {"billed_cost": billed, "effective_cost": effective}


METERS = {
    "Virtual Machines,NCads A100 v4 Series,NC24ads A100 v4": "instance",
    "Storage,Premium SSD Managed Disks,P30 LRS Disk": "volume",
    "Storage,Standard HDD Managed Disks,Disk Operations": "volume",
    "Storage,Standard SSD Managed Disks,E10 LRS Snapshots": "snapshot",
    "Storage,Tiered Block Blob,Hot LRS Data Stored": "object_storage",
    "Storage,Tiered Block Blob,Hot LRS Write Operations": "object_requests",
    "Storage,Tiered Block Blob,Cool Data Retrieval": "object_requests",
    "Storage,Bandwidth,Geo-Replication Data Transfer": "transfer",
    "Bandwidth,Inter-Region,Intra Continent Data Transfer Out": "transfer",
    "Bandwidth,,Standard Data Transfer Out": "transfer",
    "Virtual Network,Peering,Inter-Region Egress": "transfer",
    "NAT Gateway,NAT Gateway,Standard Data Processed": "nat",
    "Load Balancer,Standard,Standard Data Processed": "load_balancer",
    "Azure Kubernetes Service,,Standard Uptime SLA": "control_plane",
    "Log Analytics,,Analytics Logs Data Ingestion": "other",
    "Virtual Machines Licenses,Windows Server,1 vCPU VM License": "other",
    ",,": "other",
}


@pytest.mark.parametrize("meter", METERS)
def test_a_line_is_known_by_its_meter(tmp_path: Path, meter: str) -> None:
    (row,) = stage_rows(KIND, [write(tmp_path, "amortized", [line("1", meter=meter)])])
    assert row["x_line_class"] == METERS[meter]


def test_a_machine_of_azure_machine_learning_is_a_job(tmp_path: Path) -> None:
    text = line("1").replace("Microsoft.Compute", "Microsoft.MachineLearningServices", 1)
    (row,) = stage_rows(KIND, [write(tmp_path, "amortized", [text])])
    assert (row["x_line_class"], row["x_instance_type"]) == (
        "managed_job",
        "Standard_NC24ads_A100_v4",
    )


def one(folder: Path, **facts: str) -> Row:
    (row,) = stage_rows(KIND, [write(folder, "amortized", [line("1", **facts)])])
    return row


def test_a_machine_is_called_as_its_node_is(tmp_path: Path) -> None:
    alone = one(tmp_path)
    assert (alone["resource_id"], alone["x_instance_type"]) == (
        "train-1",
        "Standard_NC24ads_A100_v4",
    )
    assert alone["x_cpu_count"] == 24
    path = "/subscriptions/S/resourceGroups/MC/providers/Microsoft.Compute/virtualMachineScaleSets/"
    node = one(tmp_path, resource=f"{path}AKS-gpu-vmss", info='"{""VMName"":""AKS-gpu-vmss_3""}"')
    assert node["resource_id"] == "aks-gpu-vmss_3"


def test_a_node_of_a_scale_set_is_called_as_its_bill_calls_it(tmp_path: Path) -> None:
    group = "azure:///subscriptions/s/resourceGroups/mc/providers/Microsoft.Compute"
    provider = f"{group}/virtualMachineScaleSets/aks-gpu-vmss/virtualMachines/3"
    held = ({"namespace": "n", "pod": "p", "uid": "u"}, "60")
    up = ({"node": "aks-gpu-vmss000003", "provider_id": provider}, "60")
    saved = save(tmp_path / "answers", pod_running=answer(held), node_up=answer(up))
    con = connect(Limits(threads=1))
    try:
        stage(con, tmp_path, saved.deliveries(Ledger()))
        rows = con.execute("select distinct instance_id from staging.node_hours").fetchall()
    finally:
        con.close()
    assert rows == [("aks-gpu-vmss_3",)]


def test_a_focus_bill_calls_a_node_of_a_scale_set_alike(tmp_path: Path) -> None:
    path = tmp_path / "focus.csv"
    path.write_text(
        "BilledCost,EffectiveCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,"
        "ServiceCategory,ServiceSubcategory,ResourceId,x_SkuDetails\n"
        "1,1,USD,2026-10-05T00:00:00Z,2026-10-06T00:00:00Z,Compute,Virtual Machines,/subscriptions"
        "/s/resourcegroups/mc/providers/microsoft.compute/virtualmachinescalesets/aks-gpu-vmss,"
        '"{""VMName"":""aks-gpu-vmss_3""}"\n',
        encoding="utf-8",
    )
    (row,) = stage_rows("focus", [path])
    assert (row["x_line_class"], row["resource_id"]) == ("instance", "aks-gpu-vmss_3")


def test_one_id_in_many_cases_is_one_resource(tmp_path: Path) -> None:
    disk = "Storage,Premium SSD Managed Disks,P30 LRS Disk"
    path = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/disks/Data-1"
    ids = {one(tmp_path, meter=disk, resource=text)["resource_id"] for text in (path, path.upper())}
    assert ids == {"data-1"}


@pytest.mark.parametrize(
    "tags",
    [
        '"""team"": ""vision"",""env"": ""prod"""',
        '"{""team"": ""vision"",""env"": ""prod""}"',
        '" ""team"":""vision"", ""env"":""prod"" "',
    ],
)
def test_tags_are_read_with_and_without_their_braces(tmp_path: Path, tags: str) -> None:
    assert one(tmp_path, tags=tags)["tags"] == {"team": "vision", "env": "prod"}


@pytest.mark.parametrize("tags", ["", "team:vision", '"{""team"""', "{}"])
def test_tags_that_are_none_leave_the_line(tmp_path: Path, tags: str) -> None:
    row = one(tmp_path, tags=tags)
    assert not row["tags"]
    assert row["billed_cost"] == 1


def test_periods_that_end_inclusive_end_exclusive(tmp_path: Path) -> None:
    row = one(tmp_path)
    assert str(row["charge_period_start"]) == "2026-10-05 00:00:00"
    assert str(row["charge_period_end"]) == "2026-10-06 00:00:00"
    assert str(row["billing_period"]) == "2026-10-01"


@pytest.mark.parametrize(
    ("unit", "quantity", "wanted"),
    [
        ("1 Hour", "24", ("24", "Hours")),
        ("10K", "0.0004", ("4", "Units")),
        ("100 Hours", "0.24", ("24", "Hours")),
        ("1 GB/Month", "2.5", ("2.5", "GB/Month")),
        ("1/Day", "1", ("1", "Units/Day")),
        ("10K ", "1", ("10000", "Units")),
        ("3 Widgets", "2", ("2", "3 Widgets")),
        ("", "2", ("2", None)),
    ],
)
def test_quantities_are_in_single_units(
    tmp_path: Path, unit: str, quantity: str, wanted: tuple[str, str | None]
) -> None:
    text = line("1").replace("1 Hour,24", f"{unit},{quantity}")
    (row,) = stage_rows(KIND, [write(tmp_path, "amortized", [text])])
    assert (row["consumed_quantity"], row["consumed_unit"]) == (Decimal(wanted[0]), wanted[1])


HEADERS = {
    "german": HEADER.replace("SubscriptionId", "Abonnement-GUID (SubscriptionGuid)").replace(
        "CostInBillingCurrency", "Kosten in Abrechnungswährung (CostInBillingCurrency)"
    ),
    "camel": ",".join(name[0].lower() + name[1:] for name in HEADER.split(",")),
    "upper": HEADER.upper(),
    "of old": HEADER.replace("CostInBillingCurrency", "PreTaxCost")
    .replace(",Date,", ",UsageDateTime,")
    .replace("ResourceId", "InstanceId")
    .replace("SubscriptionId", "SubscriptionGuid")
    .replace("Quantity", "UsageQuantity")
    .replace("BillingCurrencyCode", "Currency"),
    "marked": "\ufeff" + HEADER,
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_headers_in_any_case_language_and_generation_give_the_same_line(
    tmp_path: Path, header: str
) -> None:
    plain = write(tmp_path / "a", "amortized", [line("1.25")])
    other = write(tmp_path / "b", "amortized", [line("1.25")], header)
    assert stage_rows(KIND, [other]) == stage_rows(KIND, [plain])
    assert summed([other]) == summed([plain])


def test_dates_are_read_in_one_way_per_file(tmp_path: Path) -> None:
    iso = write(tmp_path / "a", "amortized", [line("1"), line("2", day="2026-10-12")])
    text = iso.read_text(encoding="utf-8")
    months = write(tmp_path / "b", "amortized", [])
    for date in ("2026-10-01", "2026-10-31", "2026-10-05", "2026-10-12"):
        year, month, day = date.split("-")
        text = text.replace(date, f"{month}/{day}/{year}")
    months.write_text(text, encoding="utf-8")
    assert stage_rows(KIND, [months]) == stage_rows(KIND, [iso])
    assert summed([months]) == summed([iso])
    both = stage_rows(KIND, [iso, months])
    assert (
        sorted(str(row["charge_date"]) for row in both) == ["2026-10-05"] * 2 + ["2026-10-12"] * 2
    )


def test_parquet_gives_what_text_gives(tmp_path: Path) -> None:
    text = write(tmp_path, "amortized", [line("1.25"), line("0.1", day="2026-10-06")])
    frame = pl.read_csv(text, try_parse_dates=True)
    packed = text.with_suffix(".parquet")
    frame.write_parquet(packed)
    assert stage_rows(KIND, [packed]) == stage_rows(KIND, [text])
    assert summed([packed]) == summed([text])
    dated = pl.read_csv(text, infer_schema=False).with_columns(pl.lit("10/05/2026").alias("Date"))
    dated.write_parquet(packed)
    with pytest.raises((ModelError, Error)):
        stage_rows(KIND, [packed])  # the period is ISO, the date is not
    with pytest.raises(ModelError):
        summed([packed])


DAMAGED: dict[str, tuple[str, str]] = {
    "a cost as a word": ("24,7,", "24,much,"),
    "a cost with a comma": ("24,7,", '24,"7,5",'),
    "a cost with its currency": ("24,7,", "24,$7,"),
    "a cost twice signed": ("24,7,", "24,--7,"),
    "no number": ("24,7,", "24,NaN,"),
    "without end": ("24,7,", "24,Infinity,"),
    "too large": ("24,7,", "24,1e30,"),
    "a day first": ("2026-10-05", "25/10/2026"),
    "a word for a day": ("2026-10-05", "yesterday"),
    "no such day": ("2026-10-05", "2026-10-32"),
    "no such month": ("2026-10-05", "2026-13-05"),
    "two ways in a file": ("2026-10-05", "10/05/2026"),
    "a short year": ("2026-10-05", "10/5/26"),
    "an open quote": ("S,/subs", 'S,"/subs'),
}


@pytest.mark.parametrize("half", ["actual", "amortized"])
@pytest.mark.parametrize(("good", "bad"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_by_both_readers(
    tmp_path: Path, half: str, good: str, bad: str
) -> None:
    lines = [line("7", "Purchase", "Reservation") if half == "actual" else line("7")] * 3
    path = write(tmp_path, half, lines)
    text = path.read_text(encoding="utf-8")
    head, last = text.rsplit("8611537", 1)
    assert good in last
    path.write_text(f"{head}8611537{last.replace(good, bad)}", encoding="utf-8")
    with pytest.raises((ModelError, Error)):
        stage_rows(KIND, [path])
    with pytest.raises(ModelError) as error:
        summed([path])
    assert str(path) in error.value.__notes__[0]


def test_a_damaged_value_is_named_with_its_file_and_row(tmp_path: Path) -> None:
    path = write(tmp_path, "amortized", [line("1"), line("2", day="10/05/2026")])
    with staged(KIND, [PAIR[1]]) as con:
        found = find_bad_value(con, AzureCost.tables[0], [land(KIND, [path])])
    assert found is not None
    assert "column date holds '10/05/2026', which is not a time" in str(found)
    assert "row 2" in found.__notes__[0]


@pytest.mark.parametrize(
    ("half", "text", "kind"),
    [
        ("actual", line("5", "UnusedReservation", "Reservation"), "ActualCost"),
        ("actual", line("5", "UnusedSavingsPlan", "SavingsPlan"), "ActualCost"),
        ("amortized", line("5", "Purchase", "Reservation"), "AmortizedCost"),
        ("amortized", line("5", "Purchase", "SavingsPlan"), "AmortizedCost"),
    ],
)
def test_exports_the_wrong_way_round_are_noticed_by_their_lines(
    tmp_path: Path, half: str, text: str, kind: str
) -> None:
    with pytest.raises(ModelError, match=f"an export given as {kind} holds lines that only"):
        summed([write(tmp_path, half, [text])])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"a,b\n1,2\n", b"\xff\xfe\x00"])
def test_what_is_no_bill_adds_up_to_nothing_or_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "amortized" / "x.csv"
    path.parent.mkdir()
    path.write_bytes(content)
    if not content:
        assert summed([path]) == []
        return
    with pytest.raises(ModelError) as error:
        summed([path])
    assert str(path) in error.value.__notes__[0]


def test_a_header_alone_adds_up_to_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "amortized", [])
    assert summed([path]) == []
    assert stage_rows(KIND, [path]) == []


def test_packed_text_gives_what_text_gives_and_half_of_it_nothing(tmp_path: Path) -> None:
    text = write(tmp_path, "amortized", [line("1.25")] * 50)
    packed = text.with_suffix(".csv.gz")
    whole = gzip.compress(text.read_bytes())
    packed.write_bytes(whole)
    assert stage_rows(KIND, [packed]) == stage_rows(KIND, [text])
    assert summed([packed]) == summed([text])
    packed.write_bytes(whole[:-20])
    with pytest.raises(ModelError, match="cannot be read"):
        summed([packed])
