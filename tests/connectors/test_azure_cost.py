"""Azure's two exports as one pair: in each layout that Azure writes, whole, late and damaged."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from connectors.azure_cost import AzureCost, declared_name
from connectors.base import Delivery, SourceError
from tests.connectors.azure_runs import line, run_id, text_of, write, write_pair, write_run
from tests.connectors.known import Memory
from tests.queries.bills import DATA

if TYPE_CHECKING:
    from pathlib import Path

ONE = text_of([line("1")])
OLD = "export/20260901-20260930/ml"


def source(root: Path) -> AzureCost:
    return AzureCost(str(root / "actual"), str(root / "amortized"))


def deliveries(root: Path, memory: Memory | None = None) -> list[Delivery]:
    return list(source(root).deliveries(memory or Memory()))


def until_error(root: Path) -> tuple[list[str], SourceError]:
    """Return the units delivered before the error, and the error."""
    units: list[str] = []
    found = source(root).deliveries(Memory())
    with pytest.raises(SourceError) as caught:
        units.extend(delivery.unit for delivery in found)
    return units, caught.value


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Abonnement-GUID (SubscriptionGuid)", "subscriptionguid"),
        ("costInBillingCurrency", "cost_in_billing_currency"),
        ("CostInBillingCurrency", "cost_in_billing_currency"),
        ("Kosten (CostInBillingCurrency)", "cost_in_billing_currency"),
        ("MeterSubcategory", "meter_sub_category"),
        ("benefitId", "benefit_id"),
        ("PayGPrice", "pay_g_price"),
        ("x (y)z", "x (y)z"),
    ],
)
def test_headers_are_read_in_any_case_and_language(header: str, name: str) -> None:
    assert declared_name(header) == name


def test_a_period_is_one_delivery_of_both_halves(tmp_path: Path) -> None:
    write_pair(tmp_path)
    (delivery,) = deliveries(tmp_path)
    assert (delivery.unit, delivery.stated_rows) == ("2026-10", 5)
    assert [file.name.partition("/")[0] for file in delivery.files] == ["actual", "amortized"]
    assert delivery.version.count(run_id("a")) == 2
    assert delivery.version_at == datetime(2026, 10, 6, 4, tzinfo=UTC)


def test_of_daily_copies_the_newest_run_counts(tmp_path: Path) -> None:
    for day in (6, 7, 8):
        write_pair(tmp_path, at=f"2026-10-0{day}T04:00:00", run=f"run-{day}")
    (delivery,) = deliveries(tmp_path)
    assert delivery.version_at.day == 8
    assert all(run_id("run-8") in file.name for file in delivery.files)


def test_a_known_pair_is_not_fetched_again_and_a_newer_half_makes_a_newer_pair(
    tmp_path: Path,
) -> None:
    memory = Memory()
    write_pair(tmp_path)
    (first,) = deliveries(tmp_path, memory)
    memory.land(first)
    assert deliveries(tmp_path, memory) == []
    write_run(tmp_path / "actual", "ActualCost", [ONE], at="2026-10-06T20:00:00", run="late")
    (second,) = deliveries(tmp_path, memory)
    assert first.version_at < second.version_at < datetime(2026, 10, 6, 20, tzinfo=UTC)


def test_parts_of_a_run_are_all_taken(tmp_path: Path) -> None:
    write_run(tmp_path / "actual", "ActualCost", [ONE, ONE])
    write_run(tmp_path / "amortized", "AmortizedCost", [ONE, ONE, ONE])
    (delivery,) = deliveries(tmp_path)
    assert (len(delivery.files), delivery.stated_rows) == (5, 5)


def test_an_export_that_overwrites_is_read_alike(tmp_path: Path) -> None:
    write_run(tmp_path / "actual", "ActualCost", [ONE], overwrites=True)
    write_run(tmp_path / "amortized", "AmortizedCost", [ONE], overwrites=True)
    (delivery,) = deliveries(tmp_path)
    assert (delivery.unit, len(delivery.files)) == ("2026-10", 2)


@pytest.mark.parametrize("late", ["actual", "amortized"])
def test_a_half_that_is_days_late_is_waited_for(tmp_path: Path, late: str) -> None:
    kinds = {"actual": "ActualCost", "amortized": "AmortizedCost"}
    for half, kind in kinds.items():
        day = 6 if half == late else 9
        write_run(tmp_path / half, kind, [ONE], at=f"2026-10-0{day}T04:00:00")
    units, error = until_error(tmp_path)
    assert units == []
    assert f"the newest {kinds[late]} is of 2026-10-06 04:00" in str(error)
    assert late in error.__notes__[0]
    write_run(tmp_path / late, kinds[late], [ONE], at="2026-10-09T20:00:00", run="b")
    assert len(deliveries(tmp_path)) == 1


def test_runs_made_when_the_month_was_final_are_a_pair_whatever_their_age(tmp_path: Path) -> None:
    write_run(tmp_path / "actual", "ActualCost", [ONE], at="2026-11-07T04:00:00")
    write_run(tmp_path / "amortized", "AmortizedCost", [ONE], at="2026-12-20T04:00:00")
    (delivery,) = deliveries(tmp_path)
    assert delivery.unit == "2026-10"


@pytest.mark.parametrize(
    ("half", "kind"), [("actual", "ActualCost"), ("amortized", "AmortizedCost")]
)
def test_a_period_of_one_half_alone_waits_and_the_others_do_not(
    tmp_path: Path, half: str, kind: str
) -> None:
    write_pair(tmp_path)
    write_run(tmp_path / half, kind, [ONE], month="2026-11", at="2026-11-02T04:00:00")
    units, error = until_error(tmp_path)
    assert units == ["2026-10"]
    missing = "AmortizedCost" if half == "actual" else "ActualCost"
    assert f"2026-11 waits for its other half: there is no {missing}" in str(error)


@pytest.mark.parametrize(
    ("half", "kind"), [("actual", "AmortizedCost"), ("amortized", "ActualCost")]
)
def test_exports_the_wrong_way_round_are_refused_by_their_manifests(
    tmp_path: Path, half: str, kind: str
) -> None:
    write_pair(tmp_path)
    shutil.rmtree(tmp_path / half)
    write_run(tmp_path / half, kind, [ONE])
    assert f"this export is of the type {kind}" in str(until_error(tmp_path)[1])


def test_a_broken_half_is_told_once(tmp_path: Path) -> None:
    write_pair(tmp_path)
    next((tmp_path / "actual").rglob("*.csv")).unlink()
    units, error = until_error(tmp_path)
    assert units == []
    assert "names a file that is not there" in str(error)
    assert not any("also:" in note for note in error.__notes__)


def test_an_export_without_manifests_is_read_by_its_folders(tmp_path: Path) -> None:
    for half in ("actual", "amortized"):
        write(tmp_path / half, f"{OLD}_{run_id('a')}.csv", ONE)
    (delivery,) = deliveries(tmp_path)
    assert (delivery.unit, delivery.stated_rows) == ("2026-09", None)


SAMPLES = DATA / "azure_cost" / "finops_toolkit"


def test_real_halves_whose_names_differ_are_paired_by_the_month_that_they_bill() -> None:
    """Downloaded by hand: nothing in their names says a month."""
    (delivery,) = deliveries(SAMPLES)
    assert (delivery.unit, len(delivery.files)) == ("2023-09", 2)


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("BillingPeriodStartDate", "10/01/2026"),
        ("billingPeriodStartDate", "2026-10-01T00:00:00Z"),
        ("Beginn (BillingPeriodStartDate)", "2026-10-01"),
        ("UsageDateTime", "2026-10-28 00:00:00"),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_is_of_the_month_that_its_first_line_bills(
    tmp_path: Path, header: str, cell: str, *, is_packed: bool
) -> None:
    for half, name in (("actual", "bought"), ("amortized", "spread")):
        (tmp_path / half).mkdir()
        text = f"\ufeff{header},Cost\r\n{cell},1\r\n".encode()
        path = tmp_path / half / (f"{name}.csv.gz" if is_packed else f"{name}.csv")
        path.write_bytes(gzip.compress(text) if is_packed else text)
    (delivery,) = deliveries(tmp_path)
    assert delivery.unit == "2026-10"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (text_of([line("1", month="2026-09")]), "2026-09 waits for its other half"),
        (text_of([]), "spread says no month, and there is no ActualCost of its name"),
        ("<html>", "spread says no month"),
        ("\x00\xff", "spread says no month"),
    ],
    ids=["another month", "no lines", "a web page", "no text"],
)
def test_halves_that_are_of_no_one_month_are_told(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path / "actual", "bought.csv", ONE)
    write(tmp_path / "amortized", "spread.csv", text)
    units, error = until_error(tmp_path)
    assert units == []
    told = [str(error), *error.__notes__]
    assert any(said in each for each in told)
    assert any(
        "2026-10 waits for its other half: there is no AmortizedCost" in each for each in told
    )


def test_two_files_of_a_month_are_two_copies_until_one_is_left(tmp_path: Path) -> None:
    write(tmp_path / "actual", "bought.csv", ONE)
    write(tmp_path / "amortized", "spread.csv", ONE)
    again = write(tmp_path / "amortized", "spread-again.csv", ONE)
    units, error = until_error(tmp_path)
    assert units == []
    assert "one copy of each month alone" in "".join([*error.__notes__])
    again.unlink()
    assert [delivery.unit for delivery in deliveries(tmp_path)] == ["2026-10"]


def test_a_file_without_a_month_does_not_stand_in_for_the_folder_of_its_month(
    tmp_path: Path,
) -> None:
    for half in ("actual", "amortized"):
        write(tmp_path / half, f"{OLD}_{run_id('a')}.csv", ONE)
    write(tmp_path / "actual", "more.csv", text_of([line("1", month="2026-09")]))
    units, error = until_error(tmp_path)
    assert units == ["2026-09"]
    assert "more says no month" in str(error)


def test_halves_of_one_name_keep_it(tmp_path: Path) -> None:
    """What has landed under a name stays one unit, whatever its lines say."""
    for half in ("actual", "amortized"):
        write(tmp_path / half, "export.csv", ONE)
    assert [delivery.unit for delivery in deliveries(tmp_path)] == ["export"]


def test_copies_without_manifests_in_a_folder_are_refused(tmp_path: Path) -> None:
    for half in ("actual", "amortized"):
        write(tmp_path / half, f"{OLD}_{run_id('a')}.csv", ONE)
    write(tmp_path / "actual", f"{OLD}_{run_id('b')}.csv", ONE)
    assert "2 runs of an export lie in one folder" in str(until_error(tmp_path)[1])


def test_pairs_in_any_order_of_arrival_are_ordered_alike(tmp_path: Path) -> None:
    """However late a half comes: the pair of the newest runs has the highest version_at."""
    days = ("2026-10-06T04:00:00", "2026-10-06T12:00:00", "2026-10-06T20:00:00")
    runs = [(half, at) for half in ("actual", "amortized") for at in days]
    kinds = {"actual": "ActualCost", "amortized": "AmortizedCost"}
    last = set()
    for order in list(permutations(runs))[::37]:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        seen: list[Delivery] = []
        for half, at in order:
            write_run(root / half, kinds[half], [ONE], at=at, run=at)
            other = "amortized" if half == "actual" else "actual"
            if (root / other).exists():
                seen += deliveries(root)
        ages = [delivery.version_at for delivery in seen]
        assert ages == sorted(ages)
        best = max(seen, key=lambda delivery: delivery.version_at)
        last.add((best.version, best.version_at))
    assert {at for _, at in last} == {datetime(2026, 10, 6, 20, tzinfo=UTC)}


def spoil(path: Path, **changes: object) -> None:
    """Change a manifest: a key, a key of a blob (`blob_...`), or the whole text."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        if key.startswith("blob_"):
            content["blobs"][0][key.removeprefix("blob_")] = value
        else:
            content[key] = value
    path.write_text(json.dumps(content), encoding="utf-8")


MANIFESTS: dict[str, tuple[dict[str, object], str]] = {
    "no blobs": ({"blobs": []}, "names no file"),
    "blobs as text": ({"blobs": "part_0"}, "no shape that mlspend knows"),
    "blobs missing": ({"blobs": None}, "no shape that mlspend knows"),
    "a blob as text": ({"blobs": ["part_0"]}, "no shape that mlspend knows"),
    "a blob without name": ({"blob_blobName": ""}, "no shape that mlspend knows"),
    "a blob that is gone": ({"blob_blobName": "export/20261001-20261031/x.csv"}, "not there"),
    "a blob of another size": ({"blob_byteCount": 7}, "where its manifest states 7"),
    "another type": ({"exportConfig": {"type": "FocusCost"}}, "of the type FocusCost"),
    "prices": ({"exportConfig": {"type": "PriceSheet"}}, "of the type PriceSheet"),
}


@pytest.mark.parametrize("half", ["actual", "amortized"])
@pytest.mark.parametrize(("changes", "said"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_damaged_manifest_stops_its_period_with_the_reason(
    tmp_path: Path, half: str, changes: dict[str, object], said: str
) -> None:
    write_pair(tmp_path)
    spoil(next((tmp_path / half).rglob("manifest.json")), **changes)
    units, error = until_error(tmp_path)
    assert units == []
    assert said in str(error)
    assert error.__notes__[0].startswith("in:  ")
    assert error.__notes__[1].startswith("fix: ")


@pytest.mark.parametrize("half", ["actual", "amortized"])
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '"x"', "\x00", '{"blobs": [{}]}'])
def test_a_manifest_of_unknown_shape_is_refused(tmp_path: Path, half: str, text: str) -> None:
    write_pair(tmp_path)
    next((tmp_path / half).rglob("manifest.json")).write_text(text, encoding="utf-8")
    assert "no shape that mlspend knows" in str(until_error(tmp_path)[1])


@pytest.mark.parametrize("half", ["actual", "amortized"])
@pytest.mark.parametrize("harm", ["empty", "cut", "gone", "grown"])
def test_a_damaged_file_stops_its_period(tmp_path: Path, half: str, harm: str) -> None:
    write_pair(tmp_path)
    path = next((tmp_path / half).rglob("*.csv"))
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut": content[:-9], "grown": content + b"\n"}[harm])
    units, error = until_error(tmp_path)
    assert units == []
    assert half in error.__notes__[0] or "part_0_0001.csv" in str(error) + error.__notes__[0]


def test_two_exports_under_one_root_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path)
    path = write_run(tmp_path / "actual", "ActualCost", [ONE], run="b", at="2026-10-07T04:00:00")
    spoil(path, exportConfig={"exportName": "other", "type": "ActualCost"})
    assert "2 exports lie under one root" in str(until_error(tmp_path)[1])


def test_a_root_that_is_not_there_is_told_for_each_half(tmp_path: Path) -> None:
    units, error = until_error(tmp_path)
    assert units == []
    told = [str(error), *error.__notes__]
    assert any("actual" in text for text in told)
    assert any("amortized" in text for text in told)


def test_the_age_of_a_pair_lies_between_its_halves(tmp_path: Path) -> None:
    write_run(tmp_path / "actual", "ActualCost", [ONE], at="2026-10-06T04:00:00")
    write_run(tmp_path / "amortized", "AmortizedCost", [ONE], at="2026-10-06T10:00:00")
    (delivery,) = deliveries(tmp_path)
    assert delivery.version_at == datetime(2026, 10, 6, 4, tzinfo=UTC) + timedelta(hours=3)
