"""`mlspend sources`: what each source adds up to, what differs, and which permission lacks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.jobs.nights import FOCUS, make_home, run, write_month
from tests.servers.bigquery import NOWHERE, write_key
from tests.servers.google_storage import Bucket, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

CRON = Path(__file__).parents[2] / "cron"
INVOICE = '[[invoices]]\nsource = "focus"\nmonth = "{}"\namount = {}\ncurrency = "USD"\n'


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with serving(Bucket()) as it:
        yield it


def test_what_was_billed_and_the_invoices_that_differ_are_shown(tmp_path: Path) -> None:
    entered = INVOICE.format("2026-09", "1") + INVOICE.format("2026-10", "3.75")
    (make_home(tmp_path) / "mlspend.toml").write_text(FOCUS + entered, encoding="utf-8")
    assert "billed: " not in run(tmp_path, "sources").stdout
    assert run(tmp_path).returncode == 0
    told = run(tmp_path, "sources")
    assert told.returncode == 0, told.stderr
    assert "billed: focus: 2 lines, 3.75 USD\n" in told.stdout
    assert "invoice focus 2026-09: 1.00 USD entered, no line of a bill is on it\n" in told.stdout
    assert "invoice focus 2026-10" not in told.stdout
    assert "last night: " not in told.stdout
    assert "azure" not in run(tmp_path, "sources", "--ask").stdout


def test_lines_without_a_cost_are_kept_and_told_of(tmp_path: Path) -> None:
    make_home(tmp_path)
    write_month(tmp_path / "bills", "2026-11", {1: "1", 2: "NULL", 3: "0"})
    bill = tmp_path / "bills" / "2026-11.csv"
    bill.write_text(bill.read_text("utf-8").replace("0,0,0,0,", "0,,0,0,"), encoding="utf-8")
    night = run(tmp_path)
    assert night.returncode == 0, night.stderr
    told = "1 of 3 lines have no billed cost, 2 of 3 lines have no effective cost: each counts as 0"
    assert f"note: focus cost_and_usage 2026-11: {told}\n" in night.stderr
    shown = run(tmp_path, "sources").stdout
    assert f"note: focus 2026-11: {told}\n" in shown
    assert shown.count("note: ") == 1
    assert "note: " not in run(tmp_path).stderr
    write_month(tmp_path / "bills", "2026-11", {1: "1", 2: "2", 3: "0"})
    assert run(tmp_path).returncode == 0
    assert "note: " not in run(tmp_path, "sources").stdout


def test_lines_without_a_currency_are_told_of(tmp_path: Path) -> None:
    make_home(tmp_path)
    bill = tmp_path / "bills" / "2026-10.csv"
    bill.write_text(bill.read_text("utf-8").replace("BillingCurrency", "BillingCurency"), "utf-8")
    told = "focus 2026-10: 2 lines name no currency, so their cost is in XXX\n"
    assert told.replace("focus", "focus cost_and_usage", 1) in run(tmp_path).stderr
    assert f"note: {told}" in run(tmp_path, "sources").stdout


def test_sources_are_told_in_json_with_every_digit(tmp_path: Path) -> None:
    entered = INVOICE.format("2026-10", "3.80")
    (make_home(tmp_path) / "mlspend.toml").write_text(FOCUS + entered, encoding="utf-8")
    before = json.loads(run(tmp_path, "sources", "--json").stdout)
    assert before["tables"][0]["landed_at"] is None
    assert run(tmp_path).returncode == 0
    told = json.loads(run(tmp_path, "sources", "--json").stdout)
    assert told.keys() == before.keys()
    (table,) = told["tables"]
    assert (table["source"], table["units"], table["left_out"]) == ("focus", 1, 0)
    assert table["landed_at"].startswith("20")
    assert told["bills"] == [
        {
            "source": "focus",
            "line_count": 2,
            "billed_cost": {"USD": "3.750000000000"},
            "no_cost": {},
        }
    ]
    assert told["unread"][0]["columns"] == ["BillingPeriodEnd"]
    (invoice,) = told["invoices"]
    assert (invoice["verdict"], invoice["difference"]) == ("open", "-0.050000000000")
    assert told["last_night"] == []
    asked = json.loads(run(tmp_path, "sources", "--ask", "--json").stdout)
    assert asked.items() >= told.items()
    assert [(each["check"], each["verdict"]) for each in asked["reach"]] == [("source focus", "ok")]
    assert asked["stated"] == []


@pytest.mark.servers
def test_a_source_that_refuses_is_named_with_the_permission_that_lacks(
    bucket: Bucket, tmp_path: Path
) -> None:
    config = f'{FOCUS}[connectors.gcp_billing]\nroot = "gs://acme-billing/ml"\n'
    (make_home(tmp_path) / "mlspend.toml").write_text(config, encoding="utf-8")
    google = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(write_key(tmp_path / "key.json", bucket.address)),
        "HTTPS_PROXY": NOWHERE,
        "STORAGE_EMULATOR_HOST": bucket.address,
    }
    bucket.denied = True
    assert run(tmp_path, **google).returncode == 1
    told = run(tmp_path, "sources", "--ask", **google)
    assert told.returncode == 1
    assert "reach: focus: reachable, nothing new\n" in told.stdout
    (reach,) = [line for line in told.stdout.splitlines() if "reach: gcp_billing: " in line]
    assert "access denied: mlspend@acme.example does not have storage.objects.list" in reach
    assert "fix: grant Storage Object Viewer on the bucket" in reach
    assert "last night: access denied: mlspend@acme.example" in told.stdout


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp", "alibaba"])
def test_least_privilege_is_documented_for_each_cloud(cloud: str) -> None:
    page = (CRON / f"{cloud}-roles.md").read_text("utf-8")
    shipped = [path.name for path in CRON.glob(f"{cloud}-*.json")]
    assert all(f"`{name}`" in page or f"@{name}" in page for name in shipped)
    assert f"cron/{cloud}-roles.md" in (CRON.parent / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["aws-bill-policy.json", "alibaba-bill-policy.json"])
def test_policies_of_bills_only_read(name: str) -> None:
    policy = json.loads((CRON / name).read_text("utf-8"))
    actions = [action for each in policy["Statement"] for action in each["Action"]]
    assert actions
    assert all("*" not in action for action in actions)
    assert all(action.split(":")[1].startswith(("Get", "List", "Describe")) for action in actions)
    assert {each["Effect"] for each in policy["Statement"]} == {"Allow"}


RUN = (
    "native_id,status,started_at,ended_at,user_raw\nr1,succeeded,{0}T02:00:00Z,{0}T08:00:00Z,ann\n"
)


def test_a_run_on_what_the_bill_does_not_call_a_machine_is_told_of_it(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    (home / "runs").mkdir()
    (home / "runs" / "runs.csv").write_text(RUN.format("2026-10-01"), encoding="utf-8")
    places = "native_id,instance_id\nr1,bucket-1\n"
    (home / "runs" / "run_places.csv").write_text(places, encoding="utf-8")
    config = FOCUS + '[connectors.runs_file]\nroot = "runs"\n'
    (home / "mlspend.toml").write_text(config, encoding="utf-8")
    assert run(home).returncode == 0
    told = run(home, "explain", "run", "r1")
    assert told.returncode == 1
    assert 'the run "r1" was on bucket-1' in told.stderr
    assert 'line_class = "instance"' in told.stderr


def test_what_is_wrong_is_told_with_where_it_is(tmp_path: Path) -> None:
    bills = make_home(tmp_path) / "bills"
    text = (bills / "2026-10.csv").read_text("utf-8")
    (bills / "2026-11.csv").write_text(text.replace("-01T", "/01T"), encoding="utf-8")
    (bills / "2026-12.csv").write_text(text[: text.rindex(",")] + "\n", encoding="utf-8")
    assert run(tmp_path).returncode == 1
    told = run(tmp_path, "sources").stdout
    (short,) = [line for line in told.splitlines() if "line 3 has 16 fields" in line]
    assert short.startswith("last night: a file cannot be read: ")
    assert short.endswith("its header has 17 (in: 2026-12.csv)")
    (time,) = [line for line in told.splitlines() if "is not a time" in line]
    assert time.startswith("last night: column ChargePeriodStart holds '2026-10/01T00:00:00Z'")
    assert time.endswith("(in: 2026-11.csv, row 1 after the header)")


def test_a_unit_that_is_left_out_is_told_with_why(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    write_month(home / "twice", "2026-10", {1: "1.25", 2: "2.5"})
    both = FOCUS.replace("[connectors.focus]", "[[connectors.focus]]")
    both += '[[connectors.focus]]\nsource = "copy"\nroot = "twice"\n'
    (home / "mlspend.toml").write_text(both, encoding="utf-8")
    assert run(home).returncode == 1
    told = run(home, "sources").stdout
    (line,) = [line for line in told.splitlines() if line.startswith("left out: ")]
    assert line.startswith('left out: copy 2026-10: sources "focus" and "copy" both deliver the ')


def test_a_wrong_value_is_told_with_the_file_as_the_source_calls_it(tmp_path: Path) -> None:
    bill = make_home(tmp_path) / "bills" / "2026-10.csv"
    bill.write_text(bill.read_text("utf-8").replace("2.5,", "many,", 1), encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 1
    assert "column BilledCost holds 'many'" in done.stderr
    where = "  in:  2026-10.csv, row 2 after the header "
    assert f"{where}({tmp_path}/state/raw/focus/cost_and_usage/2026-10/" in done.stderr
