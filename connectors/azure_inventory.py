"""What there is in Azure subscriptions, as Resource Manager lists it, or as lists that were saved.

An extraction delivers Azure's own answers, a row per page: machines with their power state, disks,
snapshots, images and galleries, scale sets, backups of disks, addresses, balancers, NAT gateways
and storage accounts. The unit is the UTC day; the newest extraction of a day counts. A kind that
Azure refuses to list in a subscription is delivered as refused, so that it counts as unknown and
not as empty; the rest goes on, and the right that is wanting is named at the end.

Saved answers lie as

    <root>/<UTC day>/<subscription id>/<call>.json      or .json.gz

and hold what the list answered (`az rest --url ...`), one page after the other. What was asked of
one thing after the other is saved as `{"asked": {"id": "..."}, "answer": {...}}`. A file that is
not there counts as refused.

Source: https://learn.microsoft.com/rest/api/compute/virtual-machines/list-all
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from connectors.azure_calls import CALLS, KINDS
from connectors.base import SourceError
from connectors.inventory_answers import (
    ANSWERS,
    NOT_SAVED,
    Listed,
    check_kinds,
    check_names,
    complain,
    delivery_of,
    saved_deliveries,
    saved_pages,
)
from connectors.tally import shared

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from connectors.azure_asking import Azure
    from connectors.azure_calls import Call
    from connectors.base import Delivery, Known, Table

_WHERE = "[connectors.azure_inventory]"
_ALL = ("all",)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NAMES = frozenset(call.name for call in CALLS)
_PLACES = "<subscription id>/compute.disks.json"
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class AzureInventory:
    """Subscriptions of Azure, or a folder of answers about some."""

    root: str = ""
    """A folder of saved answers; empty: Azure is asked, with the credentials that its own chain
    finds: a managed identity, `az login`, AZURE_CLIENT_ID and the like."""
    subscriptions: tuple[str, ...] = _ALL
    """Ids of subscriptions to look at; `all` is every one that the identity may see."""
    without: tuple[str, ...] = ()
    """Kinds not to be asked about, such as `backup_plan`; they count as unknown."""
    endpoint_url: str = ""
    """Another address than the public cloud's, such as `https://management.chinacloudapi.cn`."""

    name: ClassVar[str] = "azure_inventory"
    tables: ClassVar[Sequence[Table]] = (ANSWERS,)

    def deliveries(self, known: Known) -> Iterator[Delivery]:
        """Yield today's answers, or those of each saved day that changed.

        Raises: SourceError that lists what Azure refused, after all the rest was yielded.
        """
        yield from self.deliveries_at(known, datetime.now(UTC))

    def deliveries_at(self, known: Known, at: datetime) -> Iterator[Delivery]:
        """Yield the answers of a time; of a folder, the days that are there."""
        self.check()
        if self.root:
            for delivery in saved_deliveries(self.root, self._saved_day, places=_PLACES):
                if not known.has(delivery.table, delivery.unit, delivery.version):
                    yield delivery
            return
        answers = self._asked()
        at = at.astimezone(UTC)
        delivery = delivery_of(at.date().isoformat(), at, answers)
        if not known.has(delivery.table, delivery.unit, delivery.version):
            yield delivery
        complain(answers, "Azure", _WHERE)

    def check(self) -> None:
        """Refuse settings that mean nothing.

        Raises: SourceError
        """
        check_kinds(self.without, KINDS, _WHERE)
        ids = [one for one in self.subscriptions if self.subscriptions != _ALL]
        for one in ids:
            if not _ID.fullmatch(one):
                raise SourceError(
                    f'subscriptions names "{one}", which is no id of a subscription',
                    where=_WHERE,
                    fix='write ids (`az account list` shows them), or ["all"]',
                )
        if not self.subscriptions:
            raise SourceError("subscriptions is empty", where=_WHERE, fix='write ["all"]')

    def _calls(self) -> list[Call]:
        return [call for call in CALLS if call.resource_type not in self.without]

    def _asked(self) -> list[Listed]:
        from connectors.azure_asking import PUBLIC, Azure  # noqa: PLC0415 - loads azure

        azure = Azure(self.endpoint_url or PUBLIC)
        calls, ids = self._calls(), self._ids(azure)

        def ask(one: str) -> list[Listed]:
            return azure.ask(calls, one)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(shared(ask), ids))
        return [answer for answers in found for answer in answers]

    def _ids(self, azure: Azure) -> list[str]:
        """Return the ids of the subscriptions to look at.

        Raises: SourceError where there are none.
        """
        if self.subscriptions != _ALL:
            return [one.lower() for one in self.subscriptions]
        ids = {
            str(item["subscriptionId"]).lower()
            for answer in azure.subscriptions()
            for item in (answer.page or {}).get("value", ())
        }
        if not ids:
            raise SourceError(
                "the identity may see no subscription",
                where=_WHERE,
                fix="give it the role of cron/azure-inventory-role.json on each, or on a "
                "management group above them",
            )
        return sorted(ids)

    def _saved_day(self, folder: Path) -> Iterator[Listed]:
        for place in sorted(path for path in folder.iterdir() if path.is_dir()):
            if self.subscriptions == _ALL or place.name.lower() in self._wanted():
                yield from self._saved(place)

    def _wanted(self) -> set[str]:
        return {one.lower() for one in self.subscriptions}

    def _saved(self, place: Path) -> Iterator[Listed]:
        subscription = place.name.lower()
        check_names(place, _NAMES)
        for call in self._calls():
            pages = saved_pages(place, call.name)
            for page in pages or ():
                is_about = page.keys() == {"asked", "answer"}
                yield Listed(
                    subscription,
                    call.resource_type,
                    call.name,
                    page["answer"] if is_about else page,
                    asked=page["asked"] if is_about else {},
                )
            if not pages:
                error = NOT_SAVED if pages is None else ""
                yield Listed(subscription, call.resource_type, call.name, None, error=error)
