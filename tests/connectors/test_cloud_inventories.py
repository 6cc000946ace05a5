"""The inventories of Azure and Google without either: saved answers, settings, and their rights."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from connectors.azure_calls import CALLS, SUBSCRIPTIONS
from connectors.azure_inventory import AzureInventory
from connectors.base import SourceError
from connectors.gcp_assets import PERMISSION
from connectors.gcp_inventory import KINDS, GcpInventory
from tests.connectors.cloud_things import SUBSCRIPTION
from tests.connectors.known import Memory

if TYPE_CHECKING:
    from connectors.base import Delivery

CRON = Path(__file__).parents[2] / "cron"
PAGE = '{"value": [{"id": "/subscriptions/s/disks/d"}]}'
AZURE = (AzureInventory, SUBSCRIPTION, "compute.disks", "volume")
GOOGLE = (GcpInventory, "organizations-123", "assets.volume", "volume")
BOTH = pytest.mark.parametrize(("source", "place", "call", "kind"), [AZURE, GOOGLE])


def save(root: Path, place: str, call: str, text: str, day: str = "2026-10-05") -> Path:
    folder = root / day / place
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{call}.json"
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(delivery: Delivery) -> pl.DataFrame:
    (file,) = delivery.files
    with file.open() as stream:
        return pl.read_parquet(stream)


def test_azures_role_allows_every_list_and_nothing_else() -> None:
    role = json.loads((CRON / "azure-inventory-role.json").read_text("utf-8"))
    assert role["Actions"] == sorted(
        {right for call in (SUBSCRIPTIONS, *CALLS) for right in call.rights}
    )
    assert all(call.rights for call in CALLS)
    assert all(action.endswith("/read") and "*" not in action for action in role["Actions"])
    assert "azure-inventory-role.json" in (CRON / "azure-roles.md").read_text("utf-8")


def test_googles_roles_have_the_permission_that_is_asked_for() -> None:
    assert f"--permissions={PERMISSION}\n" in (CRON / "gcp-roles.md").read_text("utf-8")


def test_a_list_about_things_comes_after_the_list_of_them() -> None:
    names = [call.name for call in CALLS]
    assert len(set(names)) == len(names)
    assert all(call.of in names[: names.index(call.name)] for call in CALLS if call.of)


@BOTH
def test_answers_are_delivered_as_they_were_saved(
    source: Any, place: str, call: str, kind: str, tmp_path: Path
) -> None:
    path = save(tmp_path, place, call, f"{PAGE}\n{json.dumps(json.loads(PAGE), indent=2)}")
    other = path.with_name(path.name.replace("disks", "images").replace("volume", "image"))
    other.with_suffix(".json.gz").write_bytes(gzip.compress(b"{}"))
    (delivery,) = source(root=str(tmp_path)).deliveries(Memory())
    rows = rows_of(delivery)
    assert delivery.unit == "2026-10-05"
    assert [json.loads(text) for text in rows.filter(call=call)["answer"]] == [json.loads(PAGE)] * 2
    assert rows.filter(call=other.stem)["answer"].to_list() == ["{}"]
    assert rows.filter(resource_type="snapshot")["error"].to_list() == ["NotSaved"]
    assert rows.filter(resource_type=kind)["error"].to_list() == [None, None]
    assert set(rows["account_id"]) == {place.replace("organizations-", "organizations/")}


@BOTH
def test_a_day_is_delivered_once_and_again_when_it_changes(
    source: Any, place: str, call: str, kind: str, tmp_path: Path
) -> None:
    assert kind
    save(tmp_path, place, call, PAGE)
    memory, inventory = Memory(), source(root=str(tmp_path))
    (first,) = inventory.deliveries(memory)
    memory.land(first)
    assert list(inventory.deliveries(memory)) == []
    save(tmp_path, place, call, "{}")
    (second,) = inventory.deliveries(memory)
    assert (second.unit, second.version != first.version) == (first.unit, True)


@BOTH
def test_damaged_files_stop_their_days_alone(
    source: Any, place: str, call: str, kind: str, tmp_path: Path
) -> None:
    assert kind
    damaged = ('{"value": [', "[1]", "<html>")
    for day, text in enumerate(damaged, start=1):
        save(tmp_path, place, call, text, f"2026-10-0{day}")
    path = save(tmp_path, place, call, PAGE)
    deliveries = source(root=str(tmp_path)).deliveries(Memory())
    assert next(deliveries).unit == "2026-10-05"
    with pytest.raises(SourceError, match="is not a whole answer") as error:
        next(deliveries)
    where, _, others = error.value.__notes__
    assert (path.name in where, others) == (True, "and so for 2 more days")


@BOTH
def test_a_cut_archive_an_unknown_name_and_an_empty_folder_are_errors(
    source: Any, place: str, call: str, kind: str, tmp_path: Path
) -> None:
    inventory = source(root=str(tmp_path))
    with pytest.raises(SourceError, match="no saved answers"):
        list(inventory.deliveries(Memory()))
    (tmp_path / "2026-10-05").mkdir()
    with pytest.raises(SourceError, match="a day holds no answers"):
        list(inventory.deliveries(Memory()))
    path = save(tmp_path, place, call.replace(kind, "volumes").replace("disks", "disk"), PAGE)
    with pytest.raises(SourceError, match=rf"is it {call}\?"):
        list(inventory.deliveries(Memory()))
    path.unlink()
    cut = gzip.compress(PAGE.encode())[:-9]
    path.with_name(f"{call}.json.gz").write_bytes(cut)
    with pytest.raises(SourceError, match="not a whole answer"):
        list(inventory.deliveries(Memory()))


@BOTH
def test_scripts_and_their_secrets_are_left_out(
    source: Any, place: str, call: str, kind: str, tmp_path: Path
) -> None:
    assert kind
    canary = "canary-3f9c"
    things = [
        {"properties": {"userData": canary, "osProfile": {"customData": canary}}, "id": "d"},
        {"LaunchTemplateData": {"UserData": canary}, "metadata": {"plain": "kept"}},
        {"data": {"metadata": {"items": [{"key": "startup-script", "value": canary}]}}},
    ]
    save(tmp_path, place, call, json.dumps({"value": things}))
    (delivery,) = source(root=str(tmp_path)).deliveries(Memory())
    text = "".join(rows_of(delivery)["answer"].drop_nulls())
    assert canary not in text
    assert '"metadata":{"plain":"kept"}' in text
    assert '"id":"d"' in text


def test_only_the_places_that_are_wanted_are_read(tmp_path: Path) -> None:
    other = SUBSCRIPTION.replace("1", "3")
    for place in (SUBSCRIPTION, other):
        save(tmp_path, place, "compute.disks", PAGE)
    azure = AzureInventory(
        root=str(tmp_path), subscriptions=(other.upper(),), without=("bucket", "address")
    )
    rows = rows_of(next(azure.deliveries(Memory())))
    assert set(rows["account_id"]) == {other}
    assert not {"bucket", "address"} & set(rows["resource_type"])
    for place in ("folders-1", "projects-acme-ml"):
        save(tmp_path / "google", place, "assets.volume", PAGE)
    google = GcpInventory(root=str(tmp_path / "google"), scopes=("projects/acme-ml",))
    rows = rows_of(next(google.deliveries(Memory())))
    assert set(rows["account_id"]) == {"projects/acme-ml"}
    assert set(rows["resource_type"]) == set(KINDS)


@pytest.mark.parametrize(
    ("inventory", "what"),
    [
        (AzureInventory(without=("disks",)), "is no kind"),
        (AzureInventory(without=("snapshots",)), "did you mean snapshot"),
        (AzureInventory(subscriptions=("production",)), "no id of a subscription"),
        (AzureInventory(subscriptions=("all", SUBSCRIPTION)), "no id of a subscription"),
        (AzureInventory(subscriptions=()), "subscriptions is empty"),
        (GcpInventory(), "nothing to look at"),
        (GcpInventory(scopes=("acme",)), "is no scope"),
        (GcpInventory(scopes=("projects/a/../b",)), "is no scope"),
        (GcpInventory(scopes=("folders/1",), without=("project",)), "is no kind"),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    inventory: AzureInventory | GcpInventory, what: str
) -> None:
    with pytest.raises(SourceError, match=what):
        list(inventory.deliveries(Memory()))
