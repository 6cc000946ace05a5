"""Cost Management asked through its client library: sums, pages, patience, refusals."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from connectors.azure_cost import AzureCost
from connectors.azure_query import CostManagement
from connectors.base import SourceError, Stated, Telling
from tests.servers.cost_management import TOKEN, CostManagementServer, cost_management

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers
SCOPE = "subscriptions/1caaa5a3"
COLUMNS = [
    {"name": "Cost", "type": "Number"},
    {"name": "BillingMonth", "type": "Datetime"},
    {"name": "Currency", "type": "String"},
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[CostManagementServer]:
    with cost_management() as found:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{found.address}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "canary-header")
        yield found


def page(rows: str, following: str | None = None) -> str:
    """Return an answer; rows are text, because a test that wrote doubles could not tell."""
    link = f'"{following}"' if following else "null"
    columns = str(COLUMNS).replace("'", '"')
    return f'{{"properties": {{"nextLink": {link}, "columns": {columns}, "rows": {rows}}}}}'


def billed(server: CostManagementServer, *periods: str) -> list[Stated]:
    return CostManagement(SCOPE, server.address).billed(periods)


def refused(server: CostManagementServer) -> tuple[str, str]:
    with pytest.raises(SourceError) as error:
        billed(server, "2026-10")
    told = "".join((str(error.value), *error.value.__notes__))
    assert TOKEN not in told
    assert SCOPE in error.value.__notes__[0]
    return str(error.value), error.value.__notes__[1]


def test_sums_are_read_to_the_last_digit_by_month_and_currency(
    server: CostManagementServer,
) -> None:
    server.say(
        page(
            '[[123456789.123456789012, "2026-10-01T00:00:00", "USD"],'
            ' [0.1, "2026-09-01T00:00:00", "EUR"], [5, "2026-08-01T00:00:00", "USD"]]'
        )
    )
    assert billed(server, "2026-10", "2026-09") == [
        Stated("2026-10", "USD", Decimal("123456789.123456789012")),
        Stated("2026-09", "EUR", Decimal("0.1")),
    ]
    ((method, path, body),) = server.asked
    assert method == "POST"
    assert path.startswith(f"/{SCOPE}/providers/Microsoft.CostManagement/query?api-version=")
    assert body["type"] == "ActualCost"
    assert body["timePeriod"] == {"from": "2026-09-01T00:00:00Z", "to": "2026-10-31T23:59:59Z"}


def test_only_the_newest_twelve_months_are_asked_for(server: CostManagementServer) -> None:
    server.say(page("[]"))
    months = [f"{year}-{month:02d}" for year in (2024, 2025, 2026) for month in range(1, 13)]
    assert billed(server, *months) == []
    assert server.asked[0][2]["timePeriod"]["from"] == "2026-01-01T00:00:00Z"
    assert billed(server) == []
    assert len(server.asked) == 1


def test_further_pages_are_asked_for(server: CostManagementServer) -> None:
    server.say(page('[[1.5, 202610, "USD"]]', f"{server.address}/more?$skiptoken=2"))
    server.say(page('[[2.25, 202610, "USD"]]'))
    found = billed(server, "2026-10")
    assert sum(stated.billed_cost for stated in found) == Decimal("3.75")
    assert [path.partition("?")[0] for _, path, _ in server.asked][1] == "/more"
    assert server.asked[0][2] == server.asked[1][2]


@pytest.mark.parametrize(
    "header", ["x_ms_ratelimit_microsoft.costmanagement_qpu_retry_after", "Retry_After"]
)
def test_a_busy_service_is_waited_for(server: CostManagementServer, header: str) -> None:
    server.say({"error": {"code": "429"}}, 429, **{header: "1"})
    server.say(page('[[1, 202610, "USD"]]'))
    assert billed(server, "2026-10")[0].billed_cost == 1
    assert len(server.asked) == 2


def test_a_service_that_stays_busy_is_told(server: CostManagementServer) -> None:
    server.say({"error": {"code": "429"}}, 429, Retry_After="0")
    assert refused(server)[0] == "Cost Management stays busy"
    assert len(server.asked) == 5


@pytest.mark.parametrize(
    ("status", "said", "fix"),
    [
        (401, "access denied", "Cost Management Reader"),
        (403, "access denied", "Cost Management Reader"),
        (404, "no such scope", "mend `scope`"),
        (400, "answers 400", "run again"),
        (500, "answers 500", "run again"),
    ],
)
def test_a_refusal_says_what_is_wanting(
    server: CostManagementServer, status: int, said: str, fix: str
) -> None:
    server.say({"error": {"code": "X", "message": "no"}}, status)
    what, wanted = refused(server)
    assert said in what
    assert fix in wanted


@pytest.mark.parametrize(
    "answer",
    [
        "{",
        "{}",
        '{"properties": []}',
        '{"properties": {"columns": [{"name": "Cost"}], "rows": []}}',
        page("[[1]]"),
        page('[["much", 202610, "USD"]]'),
        page("[5]"),
    ],
)
def test_an_answer_of_another_form_is_told(server: CostManagementServer, answer: str) -> None:
    server.say(answer)
    what, _ = refused(server)
    assert "in a form that mlspend does not know" in what or "cannot be asked" in what


def test_a_machine_without_credentials_is_told(
    monkeypatch: pytest.MonkeyPatch, server: CostManagementServer
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.address}/nowhere")
    server.say({}, 404)
    assert "no Azure credentials" in refused(server)[0]


def export(name: str, **schedule: str) -> dict[str, Any]:
    account = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acme"
    return {
        "name": name,
        "properties": {
            "definition": {"type": "ActualCost"},
            "schedule": schedule,
            "deliveryInfo": {
                "destination": {
                    "resourceId": account,
                    "container": "exports",
                    "rootFolderPath": "/ml/",
                }
            },
        },
    }


def test_the_exports_of_a_scope_are_listed_as_roots_are_written(
    server: CostManagementServer,
) -> None:
    server.say({"value": [export("actual", status="Active", recurrence="Daily"), {"name": "bare"}]})
    source = AzureCost("a", "b", scope=f"/{SCOPE}", management_url=server.address)
    assert isinstance(source, Telling)
    assert source.exports() == [
        "actual: ActualCost, Daily, Active, az://acme/exports/ml/actual",
        "bare: of no type, by hand, no schedule, az://bare",
    ]
    assert server.asked[0][1].startswith(f"/{SCOPE}/providers/Microsoft.CostManagement/exports?")


def test_nothing_is_asked_without_a_scope() -> None:
    source = AzureCost("a", "b")
    assert (list(source.stated(["2026-10"])), list(source.exports())) == ([], [])
