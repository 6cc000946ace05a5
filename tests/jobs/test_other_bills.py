"""Whole nights on bills that are no cloud's: what is published is what the raw files say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from queries.read import open_generation
from tests.connectors.model_vendor import openai, serving
from tests.queries.bills import DATA

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]


def night(home: Path, connectors: str) -> None:
    """Run a night on these sources."""
    (home / "mlspend.toml").write_text(f'state_dir = "state"\n{connectors}', encoding="utf-8")
    done = run(home)
    assert done.returncode == 0, done.stderr


def run(home: Path) -> subprocess.CompletedProcess[str]:
    """Run a night with the config that lies there."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "jobs.cli", "nightly"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def ask(home: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the newest generation."""
    newest = max((home / "state" / "generations").glob("*.duckdb"))
    with open_generation(newest) as con:
        return con.execute(query).fetchall()


def billed(home: Path) -> dict[str, Decimal]:
    """Return what the books say was billed, by currency, once they are seen to close."""
    rows = ask(
        home,
        "select billing_currency, sum(billed), sum(difference), "
        "sum(attributed + idle + shared + unattributed) from marts.books "
        "where measure = 'billed_cost' and dimension = 'team' group by all",
    )
    assert rows
    assert all(row[2] == 0 and row[1] == row[3] for row in rows)
    return {row[0]: row[1] for row in rows}


def test_a_night_on_a_rate_card_closes_its_books(tmp_path: Path) -> None:
    shutil.copytree(DATA / "rate_card", tmp_path / "card")
    night(
        tmp_path,
        '[connectors.rate_card]\npath = "card/machines.csv"\n'
        'measured_path = "card/measured.csv"\ncharge_from = "2026-10-01"\n',
    )
    assert set(billed(tmp_path)) == {"EUR", "USD"}
    vision = ask(
        tmp_path,
        "select sum(effective_cost) from marts.spend_daily where dimension = 'team' "
        "and member = 'vision'",
    )
    assert vision[0][0] > 0


def test_a_night_on_people_s_time_gives_a_project_its_labelling(tmp_path: Path) -> None:
    shutil.copytree(DATA / "people_card", tmp_path / "card")
    night(
        tmp_path,
        '[connectors.people_card]\npath = "card/crews.csv"\nsplit_path = "card/split.csv"\n'
        'charge_from = "2026-10-01"\n',
    )
    assert set(billed(tmp_path)) == {"EUR", "USD"}
    october = "charge_date between date '2026-10-01' and date '2026-10-31'"
    found = dict(
        ask(
            tmp_path,
            "select member, sum(effective_cost) from marts.spend_daily "
            f"where dimension = 'project' and billing_currency = 'EUR' and {october} group by all",
        )
    )
    # shares of 42000.01, and 4.5 and 2.5 of 7 days of 61333.333333333333
    assert {member: round(cost, 6) for member, cost in found.items()} == {
        "apollo": round(Decimal("25200.006") + Decimal("61333.333333333333") * 9 / 14, 6),
        "gemini": round(Decimal("10500.0025") + Decimal("61333.333333333333") * 5 / 14, 6),
        "unattributed": Decimal("6300.0015"),
    }
    models = ask(
        tmp_path,
        "select round(sum(effective_cost), 6) from marts.spend_daily "
        f"where dimension = 'model' and member = 'lens' and {october}",
    )
    assert models == [(Decimal("10500.0025"),)]


def test_a_night_on_two_invoices_of_other_shapes_closes_its_books(tmp_path: Path) -> None:
    for name, folder in (("labelling_2026-10.csv", "labels"), ("selectel_style_2026-10.csv", "s")):
        (tmp_path / folder).mkdir()
        shutil.copy(DATA / "mapped_csv" / name, tmp_path / folder)
    night(
        tmp_path,
        '[[connectors.mapped_csv]]\nsource = "labels"\nroot = "labels"\nprovider = "Label Works"\n'
        'date = "Date"\ncost = "Amount"\ncurrency = "Currency"\ntags = ["Project"]\n'
        '[[connectors.mapped_csv]]\nsource = "servers"\nroot = "s"\nprovider = "Selectel"\n'
        'date = "Дата"\ncost = "Сумма"\ncurrency = "=RUB"\nresource = "Сервер"\n'
        'date_format = "%d.%m.%Y"\ndecimal_comma = true\ndelimiter = ";"\nencoding = "cp1251"\n'
        'has_total = true\nline_class = "instance"\n'
        '[attribution]\nproject_tags = ["Project"]\n',
    )
    assert billed(tmp_path) == {"USD": Decimal("14645.250001"), "RUB": Decimal("368953.075")}
    projects = ask(
        tmp_path,
        "select member, sum(effective_cost) from marts.spend_daily where dimension = 'project' "
        "and billing_currency = 'USD' group by all order by 1",
    )
    assert projects == [("defects", Decimal("2344.750001")), ("reviews", Decimal("12300.5"))]


def test_pods_that_opencost_saw_share_a_machine_of_ones_own(tmp_path: Path) -> None:
    """Of 8 GPUs for 24 hours a pod held 4 for 12 hours: a quarter of the machine."""
    (tmp_path / "card.csv").write_text(
        "machine_id,currency,price,life_months,in_service,out_of_service,gpu_count,"
        "hosting_per_month\n"
        "gpu-01,EUR,73000,48,2026-10-01,2026-10-02,8,3100\n",
        encoding="utf-8",
    )
    window = {"start": "2026-10-01T00:00:00Z", "end": "2026-10-02T00:00:00Z"}
    pod: dict[str, Any] = {
        "properties": {
            "cluster": "room",
            "node": "node-1",
            "namespace": "vision",
            "pod": "train",
            "providerID": "openstack:///gpu-01",
            "labels": {"team": "vision"},
        },
        "window": window,
        "start": "2026-10-01T00:00:00Z",
        "end": "2026-10-01T12:00:00Z",
        "cpuCoreHours": 0,
        "gpuHours": 48,
        "ramByteHours": 0,
    }
    keeper = {
        **pod,
        "properties": {**pod["properties"], "pod": "keeper", "labels": {}},
        "end": window["end"],
        "gpuHours": 0,
    }
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "2026-10-01.json").write_text(
        json.dumps({"code": 200, "data": [{"a": pod, "b": keeper}]}), encoding="utf-8"
    )
    night(
        tmp_path,
        '[connectors.rate_card]\npath = "card.csv"\n[connectors.opencost]\nroot = "answers"\n',
    )
    assert billed(tmp_path) == {"EUR": Decimal(73100)}
    teams = dict(
        ask(
            tmp_path,
            "select member, sum(effective_cost) from marts.spend_daily where dimension = 'team' "
            "group by all",
        )
    )
    assert teams == {"vision": Decimal(73100) / 4, "(idle)": Decimal(73100) * 3 / 4}


def test_a_night_on_alibaba_bills_closes_its_books_and_counts_a_bill_once(tmp_path: Path) -> None:
    """A second view of the same account's month is left out, and the night says so."""
    bill = DATA / "alibaba_bill" / "1234567890123456_InstanceDetailMonthly_202610.csv"
    (tmp_path / "oss").mkdir()
    shutil.copy(bill, tmp_path / "oss")
    settings = '[[connectors.alibaba_bill]]\nroot = "oss"\n'
    night(tmp_path, settings)
    assert billed(tmp_path) == {"CNY": Decimal("21934.602455789")}
    shutil.copy(bill, tmp_path / "oss" / "1234567890123456_BillingItemDetailMonthly_202610.csv")
    settings += '[[connectors.alibaba_bill]]\nsource = "items"\nbill = "items"\nroot = "oss"\n'
    (tmp_path / "mlspend.toml").write_text(f'state_dir = "state"\n{settings}', encoding="utf-8")
    done = run(tmp_path)
    assert done.returncode == 1
    assert "both deliver the Alibaba Cloud bill of account 1234567890123456" in done.stderr
    assert billed(tmp_path) == {"CNY": Decimal("21934.602455789")}


def test_what_keys_of_a_model_api_spend_is_their_peoples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLSPEND_TEST_KEY", "canary")
    (tmp_path / "people").mkdir()
    for name, text in (
        ("people", "user_id,user_name,email\nalice,Alice,alice@acme.example\n"),
        ("aliases", "alias,user_id\nuser-alice,alice\n"),
        ("memberships", "user_id,team\nalice,vision\n"),
    ):
        (tmp_path / "people" / f"{name}.csv").write_text(text, encoding="utf-8")
    with serving(openai) as (address, _):
        night(
            tmp_path,
            f'[connectors.model_api_usage]\nvendor = "openai"\nurl = "{address}"\n'
            'admin_key_env = "MLSPEND_TEST_KEY"\nbackfill_days = 2\n'
            '[connectors.identities]\nroot = "people"\n',
        )
    assert billed(tmp_path) == {"USD": Decimal("30.6")}
    found = ask(
        tmp_path,
        "select dimension, member, sum(effective_cost) > 0 from marts.spend_daily "
        "where member in ('alice', 'vision', 'user-bob') group by all order by all",
    )
    assert found == [("team", "vision", True), ("user", "alice", True), ("user", "user-bob", True)]
