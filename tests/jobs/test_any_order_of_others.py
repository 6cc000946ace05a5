"""Bills of every other kind, as their connectors deliver them: in any order they end alike."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import connector_class
from connectors.azure_cost import AzureCost
from connectors.mapped_csv import MappedCsv
from connectors.model_api_usage import ModelApiUsage
from connectors.opencost import Opencost
from connectors.people_card import PeopleCard
from connectors.rate_card import RateCard
from jobs.config import read_config
from jobs.night import open_night
from jobs.nightly import build_and_publish
from jobs.progress import NoProgress
from queries.generation import newest_generation
from queries.read import open_generation
from tests.connectors.azure_runs import line, text_of, write_run
from tests.connectors.known import Memory
from tests.connectors.model_vendor import (
    anthropic_cost,
    anthropic_use,
    openai_cost,
    openai_use,
    page,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from connectors.base import Delivery
    from tests.connectors.model_vendor import Form, Reply

    Given = Callable[[Path, int], Iterator[Delivery]]

CONFIG = """state_dir = "state"
[connectors.azure_cost]
actual_root = "azure/actual"
amortized_root = "azure/amortized"
[connectors.mapped_csv]
root = "invoices"
provider = "Label Works"
date = "Date"
cost = "Amount"
currency = "=USD"
[connectors.rate_card]
path = "machines.csv"
[connectors.people_card]
path = "crews.csv"
split_path = "split.csv"
[connectors.opencost]
root = "pods"
[[connectors.model_api_usage]]
source = "openai"
vendor = "openai"
admin_key_env = "MLSPEND_TEST_KEY"
[[connectors.model_api_usage]]
source = "anthropic"
vendor = "anthropic"
admin_key_env = "MLSPEND_TEST_KEY"
"""
MACHINES = (
    "machine_id,currency,price,life_months,in_service,out_of_service,gpu_count,hosting_per_month\n"
    "gpu-01,EUR,{price},48,2026-10-01,2026-10-04,8,3100\n"
)
CREWS = (
    "crew,currency,price_per_month,starts,ends,work\nlab,EUR,{price},2026-10-01,2026-10-05,Labels\n"
)
PLAN = "/providers/Microsoft.BillingBenefits/p"


@dataclass(frozen=True)
class Arrival:
    """A delivery of a source; the latest of a unit is its truth."""

    source: str
    kind: str
    delivery: Delivery


def azure(home: Path, number: int, cost: str) -> Iterator[Delivery]:
    root = home / "azure" / str(number)
    saved = line("12.000000000001", model="SavingsPlan", benefit=PLAN)
    bought = line("500", "Purchase", "SavingsPlan", benefit=PLAN)
    write_run(root / "actual", "ActualCost", [text_of([line(cost), bought])])
    write_run(root / "amortized", "AmortizedCost", [text_of([line(cost), saved])])
    yield from AzureCost(str(root / "actual"), str(root / "amortized")).deliveries(Memory())


def invoices(home: Path, number: int, cost: str) -> Iterator[Delivery]:
    root = home / "invoices" / str(number)
    root.mkdir(parents=True)
    text = f"Date,Amount\n2026-10-01,{cost}\n2026-10-03,0.1\n"
    (root / "labels_2026-10.csv").write_text(text, encoding="utf-8")
    yield from MappedCsv(
        str(root), provider="Label Works", date="Date", cost="Amount", currency="=USD"
    ).deliveries(Memory())


def machines(home: Path, number: int, price: str, day: int = 9) -> Iterator[Delivery]:
    path = home / "machines" / str(number) / "machines.csv"
    path.parent.mkdir(parents=True)
    path.write_text(MACHINES.format(price=price), encoding="utf-8")
    card = RateCard(str(path))
    yield from card.deliveries_at(Memory(), datetime(2026, 10, day, tzinfo=UTC))


def people(home: Path, number: int, price: str, share: str) -> Iterator[Delivery]:
    folder = home / "people" / str(number)
    folder.mkdir(parents=True)
    (folder / "crews.csv").write_text(CREWS.format(price=price), encoding="utf-8")
    split = f"crew,share,day,days,project,team,user,model\nlab,{share},,,apollo,vision,,\n"
    (folder / "split.csv").write_text(split, encoding="utf-8")
    card = PeopleCard(str(folder / "crews.csv"), str(folder / "split.csv"))
    yield from card.deliveries_at(Memory(), datetime(2026, 10, 9, tzinfo=UTC))


def pods(home: Path, number: int, gpu_hours: int) -> Iterator[Delivery]:
    """Yield a day in which one pod held 4 GPUs of gpu-01, and another that was there."""
    window = {"start": "2026-10-02T00:00:00Z", "end": "2026-10-03T00:00:00Z"}
    place = {
        "cluster": "room",
        "node": "n",
        "namespace": "vision",
        "providerID": "openstack:///gpu-01",
    }
    hours = {"cpuCoreHours": 0, "gpuHours": 0, "ramByteHours": 0, "window": window, **window}
    held: list[dict[str, Any]] = [
        {**hours, "properties": {**place, "pod": "train", "labels": {"team": "vision"}}},
        {**hours, "properties": {**place, "pod": "keeper", "labels": {}}},
    ]
    held[0]["gpuHours"] = gpu_hours
    path = home / "pods" / str(number) / "2026-10-02.json"
    path.parent.mkdir(parents=True)
    answer = {"code": 200, "data": [{str(place): pod for place, pod in enumerate(held)}]}
    path.write_text(json.dumps(answer), encoding="utf-8")
    yield from Opencost(root=str(path.parent)).deliveries(Memory())


def models(vendor: str, costs: Sequence[Any], uses: Sequence[Any]) -> Iterator[Delivery]:
    """Yield a day as a vendor's server answers."""

    def reply(path: str, _: Form) -> Reply:
        is_cost = path.endswith(("costs", "cost_report"))
        return 200, page(costs if is_cost else uses, seconds=vendor == "openai")

    with serving(reply) as (address, _):
        source = ModelApiUsage(
            vendor=vendor, url=address, admin_key_env="MLSPEND_TEST_KEY", backfill_days=1
        )
        yield from source.deliveries_at(Memory(), datetime(2026, 10, 6, 12, tzinfo=UTC))


def openai(_: Path, __: int, cost: float, tokens: int) -> Iterator[Delivery]:
    uses = [
        openai_use("key_1", "user-alice", tokens=(300, 0, 0)),
        openai_use("key_2", "user-bob", tokens=(tokens, 0, 0)),
    ]
    yield from models("openai", [openai_cost(cost, "gpt-5, input")], uses)


def anthropic(_: Path, __: int, cents: str) -> Iterator[Delivery]:
    uses = [anthropic_use("apikey_1", None, 100, 30, 0), anthropic_use("apikey_2", "bob", 7, 1, 0)]
    yield from models("anthropic", [anthropic_cost(cents, "uncached_input_tokens")], uses)


STATES: Sequence[tuple[str, str, Sequence[Given]]] = (
    ("azure_cost", "azure_cost", [partial(azure, cost="30"), partial(azure, cost="31.5")]),
    ("mapped_csv", "mapped_csv", [partial(invoices, cost="7"), partial(invoices, cost="7.75")]),
    (
        *("rate_card", "rate_card"),
        [partial(machines, price="73000", day=3), partial(machines, price="73000.01")],
    ),
    (
        *("people_card", "people_card"),
        [partial(people, price="3100", share="0.5"), partial(people, price="3200", share="0.25")],
    ),
    ("opencost", "opencost", [partial(pods, gpu_hours=24), partial(pods, gpu_hours=96)]),
    (
        *("openai", "model_api_usage"),
        [partial(openai, cost=1.0, tokens=1), partial(openai, cost=3.000000000002, tokens=77)],
    ),
    (
        *("anthropic", "model_api_usage"),
        [partial(anthropic, cents="100"), partial(anthropic, cents="123.78912")],
    ),
)
"""Source, kind, and what it delivers at first and in the end."""
FIGURES = (
    "from marts.spend_daily order by all",
    "from marts.books order by all",
    "select * exclude (state) from marts.invoices order by all",
)
BILLED = {
    # Azure's use and what was bought, an invoice, two models
    "USD": Decimal("31.5")
    + 500
    + Decimal("7.85")
    + Decimal("3.000000000002")
    + Decimal("1.2378912"),
    # a machine of three days: all of its price, and hosting; four days of people
    "EUR": Decimal("73000.01") + 300 + Decimal(3200) * 4 / 31,
}


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory: pytest.TempPathFactory) -> list[Arrival]:
    """Every source's deliveries, the newest of each in the second half."""
    home, found = tmp_path_factory.mktemp("arrived"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLSPEND_TEST_KEY", "canary")
        for number in range(2):
            for source, kind, states in STATES:
                for each in states[number](home, number):
                    at = datetime(2026, 12, 1 + number, tzinfo=UTC)
                    delivery = replace(each, version_at=at, version=f"{number}")
                    found.append(Arrival(source, kind, delivery))
    return found


def figures_after(home: Path, order: Sequence[tuple[Arrival, bool]]) -> list[Any]:
    """Return what is published after deliveries; True: a night is built right after that one."""
    home.mkdir()
    (home / "mlspend.toml").write_text(CONFIG, encoding="utf-8")
    config = read_config(home / "mlspend.toml")
    with open_night(config, NoProgress(), "test") as night:
        for arrival, is_built in order:
            (table, *_) = connector_class(arrival.kind).tables
            night.store.land(arrival.source, arrival.kind, table, arrival.delivery)
            if is_built:
                build_and_publish(night)
        build_and_publish(night)
    with open_generation(newest_generation(config.state_dir)) as con:
        return [con.execute(query).fetchall() for query in FIGURES]


@pytest.fixture(scope="module")
def truth(arrivals: list[Arrival], tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What is published when nothing but the newest of each unit ever came."""
    newest = {(each.source, each.delivery.unit): each for each in arrivals}
    order = [(arrival, False) for arrival in newest.values()]
    return figures_after(tmp_path_factory.mktemp("truth") / "home", order)


def test_what_is_published_is_what_was_delivered_last(truth: list[Any]) -> None:
    spend, books, _ = truth
    billed: dict[str, Decimal] = {}
    for row in books:
        if row[4:6] == ("billed_cost", "team"):
            billed[row[3]] = billed.get(row[3], Decimal(0)) + row[6]
    assert {key: round(amount, 11) for key, amount in billed.items()} == {
        key: round(amount, 11) for key, amount in BILLED.items()
    }
    assert {row[5] for row in spend} >= {"vision", "apollo", "user-alice", "user-bob", "bob"}
    assert {row[-2] for row in books} == {0}


@settings(
    max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_in_any_order_the_figures_end_the_same(
    arrivals: list[Arrival],
    truth: list[Any],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    """Late, restated and delivered twice, with a night after two of them."""
    order = data.draw(st.permutations([*arrivals, arrivals[-1], arrivals[0]]))
    built = data.draw(st.sets(st.integers(0, len(order) - 1), max_size=2))
    found = figures_after(
        tmp_path_factory.mktemp("order") / "home",
        [(arrival, place in built) for place, arrival in enumerate(order)],
    )
    assert found == truth
