"""From what Azure and Google list to what there is: asked for on a server, staged, and judged."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from connectors.azure_inventory import AzureInventory
from connectors.base import SourceError
from connectors.gcp_inventory import GcpInventory
from tests.connectors import cloud_things
from tests.connectors.cloud_things import OTHER, SUBSCRIPTION, azure, disk, google
from tests.queries.inventories import Nights
from tests.servers.bigquery import NOWHERE, write_key
from tests.servers.cloud_lists import TOKEN, Lists, listing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.servers
AT = datetime(2026, 10, 28, 2, tzinfo=UTC)
DENIED = (403, {"error": {"code": "AuthorizationFailed", "message": "no right"}})
FORBIDDEN = (403, {"error": {"status": "PERMISSION_DENIED", "message": "denied"}})
BILLED = "//compute.googleapis.com/projects/7/regions/us-central1"


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Lists]:
    with listing(Lists(azure(), {"organizations/1": google()})) as found:
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{found.address}/token")
        monkeypatch.setenv("IDENTITY_HEADER", "canary-header")
        key = write_key(tmp_path / "key.json", found.address)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
        yield found


def land(nights: Nights, lists: Lists, cloud: str, at: datetime = AT, **settings: Any) -> int:
    source: AzureInventory | GcpInventory
    if cloud == "azure":
        source = AzureInventory(endpoint_url=lists.address, **settings)
    else:
        settings = {"scopes": ("organizations/1",), **settings}
        source = GcpInventory(endpoint_url=lists.address, **settings)
    kind = f"{cloud}_inventory"
    return nights.land(source.deliveries_at(nights, at), kind, kind)


def states(nights: Nights, kind: str) -> dict[str, tuple[Any, ...]]:
    return {
        row["resource_id"].rpartition("/")[2]: (row["state"], str(row["state_since"] or ""))
        for row in nights.rows(
            "select resource_id, state, state_since from staging.inventory "
            f"where resource_type = '{kind}'"
        )
    }


def links(nights: Nights) -> set[tuple[str, str, str]]:
    return {
        (row["resource_id"].rpartition("/")[2], row["relation"], row["related_id"])
        for row in nights.rows("select * from staging.inventory_links")
    }


def kinds(nights: Nights, region: str) -> set[str]:
    rows = nights.rows(
        f"select resource_type from staging.inventory_scopes where region_id = '{region}'"
    )
    return {row["resource_type"] for row in rows}


def test_azures_machines_disks_and_addresses_are_told_with_their_states(
    lists: Lists, tmp_path: Path
) -> None:
    nights, seen = Nights(tmp_path), str(AT.replace(tzinfo=None))
    land(nights, lists, "azure")
    assert states(nights, "instance") == {
        "trainer-1": ("running", seen),
        "forgotten": ("stopped", seen),  # from within, which Azure does not date
        "parked": ("deallocated", "2026-09-05 07:00:00"),
        "unseen": ("other", seen),
        "workers_0": ("running", seen),
    }
    held = "2026-09-01 08:00:00"
    assert states(nights, "volume") == {
        "loose": ("unattached", held),
        "held": ("in_use", held),
        "kept": ("in_use", held),
        "fetched": ("other", seen),
        "db01-asrreplica": ("unattached", held),
        "replica": ("unattached", held),
        "workers_0_os": ("in_use", held),
        "twin": ("other", seen),  # two of one name, and not in one state
    }
    protected = {"db01-asrreplica", "replica"}
    assert nights.ids("volume", "is_protected") == protected
    assert {name: state for name, (state, _) in states(nights, "address").items()} == {
        "free": "unattached",
        "front": "in_use",
        "of-trainer": "in_use",
    }
    assert {path.rpartition("/")[2] for path in nights.ids("snapshot", "is_protected")} == {
        "backed-up",
        "azurebackup_1",
    }
    (row,) = nights.rows("select * from staging.inventory where resource_id = 'loose'")
    assert row["sub_account_id"] == SUBSCRIPTION
    assert (row["provider"], row["region_id"], row["size_gib"]) == ("Microsoft", "eastus", 512)
    assert row["instance_type"] == "Premium_LRS"
    (row,) = nights.rows("select * from staging.inventory where resource_type = 'bucket'")
    assert row["region_id"] == "westeurope"
    assert row["resource_id"].startswith(f"/subscriptions/{SUBSCRIPTION}/resourcegroups/rg-ml/")
    (row,) = nights.rows("select * from staging.inventory where resource_id = 'trainer-1'")
    assert row["tags"] == {"team": "vision"}
    assert row["instance_type"] == "Standard_NC24ads_A100_v4"
    rows = nights.rows("select created_at from staging.inventory where resource_id like '%/lb-1'")
    assert [str(row["created_at"]) for row in rows] == ["2026-07-01 00:00:00.123456"]


def test_azures_things_are_linked_by_the_ids_of_the_bill(lists: Lists, tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    land(nights, lists, "azure")
    snapshots = f"{cloud_things.COMPUTE}/snapshots".lower()
    kept = f"{snapshots}/backed-up".replace("rg-ml", "rg-backups")
    image = f"{cloud_things.COMPUTE}/images/golden".lower()
    balancer = f"{cloud_things.NETWORK}/loadBalancers/lb-1".lower()
    assert links(nights) == {
        *((name, "made_from", image) for name in ("trainer-1", "forgotten", "parked", "unseen")),
        ("held", "attached_to", "trainer-1"),
        ("kept", "attached_to", "parked"),
        ("workers_0_os", "attached_to", "workers_0"),
        ("old", "made_from", "long-gone"),
        ("backed-up", "made_from", "long-gone"),
        ("azurebackup_1", "made_from", "long-gone"),
        ("base", "made_from", "held"),
        ("golden", "maps", f"{snapshots}/base"),
        ("golden", "maps", "held"),
        ("golden", "made_from", "trainer-1"),
        ("1.0.0", "maps", f"{snapshots}/base"),
        ("of-gone", "keeps", kept),
        ("front", "attached_to", balancer),
        ("of-trainer", "attached_to", "trainer-1"),
        ("lb-1", "backend", "trainer-1"),
    }


def test_googles_things_are_told_with_their_states(lists: Lists, tmp_path: Path) -> None:
    nights, seen = Nights(tmp_path), str(AT.replace(tzinfo=None))
    land(nights, lists, "gcp")
    assert states(nights, "instance") == {
        "trainer-1": ("running", "2026-09-01 07:00:00"),
        "parked": ("deallocated", "2026-09-02 07:00:00"),
        "asleep": ("other", seen),
    }
    assert states(nights, "volume") == {
        "held": ("in_use", "2026-07-01 07:00:00"),
        "loose": ("unattached", "2026-09-03 07:00:00"),
        "never-used": ("unattached", "2026-06-01 10:00:00"),
        "wide": ("unattached", "2026-06-01 10:00:00"),
        "twin": ("other", seen),  # two of one name, and not in one state
    }
    assert {
        row["resource_id"]: row["state"]
        for row in nights.rows(
            "select resource_id, state from staging.inventory where resource_type = 'address'"
        )
    } == {
        f"{BILLED}/addresses/41": "unattached",
        f"{BILLED}/addresses/42": "other",  # inside of a network: not billed
        "//compute.googleapis.com/projects/7/global/addresses/43": "in_use",
    }
    assert nights.ids("snapshot", "is_protected") == {"nightly-1"}
    (row,) = nights.rows("select * from staging.inventory where resource_id = 'held'")
    assert (row["sub_account_id"], row["region_id"]) == ("acme-ml", "us-central1")
    assert (row["size_gib"], row["instance_type"]) == (500, "pd-ssd")
    (row,) = nights.rows("select * from staging.inventory where resource_type = 'bucket'")
    assert (row["sub_account_id"], row["region_id"]) == ("acme-ml", "us")
    assert (row["resource_id"], row["tags"]) == ("acme-data", {"team": "data"})


def test_googles_things_are_linked_by_the_ids_of_the_bill(lists: Lists, tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    land(nights, lists, "gcp")
    assert links(nights) == {
        ("held", "attached_to", "trainer-1"),
        ("twin", "attached_to", "trainer-1"),
        ("held", "made_from", "base"),
        ("base", "made_from", "held"),
        ("old", "made_from", "long-gone"),
        ("nightly-1", "made_from", "long-gone"),
        ("nightly", "keeps", "nightly-1"),
        ("golden", "maps", "base"),
        ("worker", "maps", "golden"),
        ("43", "attached_to", "web"),
        ("51", "backend", "trainer-1"),
        ("53", "backend", "proxy"),
    }


@pytest.mark.parametrize(
    ("cloud", "region", "absent"),
    [("azure", "eastus", {"subscription"}), ("gcp", "us", {"project", "nat_gateway"})],
)
def test_what_was_listed_whole_is_known_for_such(
    lists: Lists, tmp_path: Path, cloud: str, region: str, absent: set[str]
) -> None:
    nights = Nights(tmp_path)
    land(nights, lists, cloud)
    everything = {
        *("instance", "volume", "snapshot", "image", "launch_template", "backup_plan"),
        *("address", "load_balancer", "nat_gateway", "bucket"),
    }
    assert kinds(nights, region) == everything - absent


@pytest.mark.parametrize(
    ("end", "kind", "right"),
    [
        ("/disks", "volume", "Microsoft.Compute/disks/read"),
        ("/torch/versions", "image", "Microsoft.Compute/galleries/images/versions/read"),
    ],
)
def test_what_azure_refuses_is_unknown_and_the_rest_goes_on(
    lists: Lists, tmp_path: Path, end: str, kind: str, right: str
) -> None:
    nights = Nights(tmp_path)
    land(nights, lists, "azure", AT - timedelta(days=1))
    lists.refused[end] = DENIED
    with pytest.raises(SourceError, match=f"unknown, because Azure refused: {kind}") as error:
        land(nights, lists, "azure")
    assert right in error.value.__notes__[1]
    assert f'without = ["{kind}"]' in error.value.__notes__[1]
    assert kind not in kinds(nights, "eastus")
    assert {"instance", "snapshot", "address"} <= kinds(nights, "eastus")
    if kind == "volume":  # what yesterday listed is not taken for today's
        assert nights.ids("volume") == set()


def test_what_google_refuses_is_unknown_and_the_rest_goes_on(lists: Lists, tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    lists.refused["compute.googleapis.com/Disk"] = FORBIDDEN
    with pytest.raises(SourceError, match="unknown, because Google refused: volume") as error:
        land(nights, lists, "gcp")
    assert "grant cloudasset.assets.listResource on organizations/1" in error.value.__notes__[1]
    assert "volume" not in kinds(nights, "us-central1")
    assert "instance" in kinds(nights, "us-central1")


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_a_day_on_which_all_is_refused_makes_nothing_of_yesterdays(
    lists: Lists, tmp_path: Path, cloud: str
) -> None:
    nights = Nights(tmp_path)
    land(nights, lists, cloud, AT - timedelta(days=1))
    assert nights.ids("volume")
    lists.refused = {"s": DENIED} if cloud == "azure" else {"/assets": FORBIDDEN}
    ids: dict[str, Any] = {"subscriptions": (SUBSCRIPTION,)} if cloud == "azure" else {}
    with pytest.raises(SourceError, match="refused"):
        land(nights, lists, cloud, **ids)
    assert nights.ids("volume") == set()
    assert nights.rows("select * from staging.inventory_scopes") == []


def test_a_service_that_a_subscription_never_used_has_nothing_there(
    lists: Lists, tmp_path: Path
) -> None:
    nights = Nights(tmp_path)
    error = {"code": "MissingSubscriptionRegistration", "message": "not registered"}
    lists.refused["/backupVaults"] = (409, {"error": error})
    land(nights, lists, "azure")
    assert "backup_plan" in kinds(nights, "eastus")


def test_busy_answers_are_asked_again_and_scale_sets_that_are_flexible_are_not(
    lists: Lists, tmp_path: Path
) -> None:
    lists.busy = {"disks": 1, "assets": 1}
    nights = Nights(tmp_path)
    assert land(nights, lists, "azure") == land(nights, lists, "gcp") == 1
    paths = [path for path, _ in lists.asked]
    assert sum(path.endswith("/disks") for path in paths) == 6  # five pages, one of them twice
    assert not [path for path in paths if "/flex/" in path]
    assert {"loose", "never-used"} <= nights.ids("volume")


def test_credentials_follow_no_link_to_another_address(lists: Lists, tmp_path: Path) -> None:
    lists.next_host = "http://127.0.0.1:9"
    with pytest.raises(SourceError, match="StrangeNextLink"):
        land(Nights(tmp_path), lists, "azure")


def test_the_first_listing_of_a_stop_is_since_when(lists: Lists, tmp_path: Path) -> None:
    nights = Nights(tmp_path)
    path = f"{cloud_things.LISTS}/microsoft.compute/virtualmachines?statusOnly".lower()
    path = path.replace("statusonly", "statusOnly")
    stopped = lists.azure[path]
    lists.azure[path] = [cloud_things.machine("Forgotten", "running")[1]]
    land(nights, lists, "azure", AT - timedelta(days=9))
    lists.azure[path] = stopped
    for back in (5, 0):
        land(nights, lists, "azure", AT - timedelta(days=back))
    assert states(nights, "instance")["forgotten"] == ("stopped", "2026-10-23 02:00:00")


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_nothing_is_delivered_again_where_nothing_changed(
    lists: Lists, tmp_path: Path, cloud: str
) -> None:
    nights = Nights(tmp_path)
    assert land(nights, lists, cloud) == 1
    assert land(nights, lists, cloud, AT + timedelta(hours=3)) == 0
    lists.azure[f"{cloud_things.LISTS}/microsoft.compute/disks".lower()].append(disk("new"))
    lists.google["organizations/1"] = google()[:-1]
    assert land(nights, lists, cloud, AT + timedelta(hours=4)) == 1


def test_only_the_subscriptions_that_are_named_are_asked(lists: Lists, tmp_path: Path) -> None:
    land(Nights(tmp_path), lists, "azure", subscriptions=(OTHER,), without=("bucket",))
    assert {path.split("/")[2] for path, _ in lists.asked} == {OTHER}
    assert not [path for path, _ in lists.asked if path.endswith("storageAccounts")]


@pytest.mark.parametrize("cloud", ["azure", "gcp"])
def test_credentials_that_are_not_accepted_are_told_with_a_fix(
    lists: Lists, tmp_path: Path, cloud: str
) -> None:
    error = {"error": {"code": "InvalidAuthenticationToken", "status": "UNAUTHENTICATED"}}
    lists.refused["s"] = (401, error)
    with pytest.raises(SourceError, match="does not accept the credentials") as caught:
        land(Nights(tmp_path), lists, cloud)
    assert TOKEN not in json.dumps([str(caught.value), *caught.value.__notes__])


def test_an_identity_that_sees_no_subscription_is_told_so(lists: Lists, tmp_path: Path) -> None:
    lists.azure["/subscriptions"] = []
    with pytest.raises(SourceError, match="may see no subscription"):
        land(Nights(tmp_path), lists, "azure")


def test_credentials_are_not_sent_in_the_open(lists: Lists, tmp_path: Path) -> None:
    assert lists.address
    nights = Nights(tmp_path)
    for source in (
        AzureInventory(endpoint_url="http://azure.example"),
        GcpInventory(scopes=("projects/acme",), endpoint_url="http://google.example"),
    ):
        with pytest.raises(SourceError, match="not https"):
            nights.land(source.deliveries_at(nights, AT))
